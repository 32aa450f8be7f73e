"""Measurements: `python -m tools.bench NAME...`."""

import tools.demo  # noqa: F401 - finds the firmware
