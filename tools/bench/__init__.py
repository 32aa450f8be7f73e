"""Measurements: `python -m tools.bench NAME`."""
