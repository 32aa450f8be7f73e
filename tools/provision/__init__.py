"""`python -m tools.provision`: settings, serial numbers and registration for many boards."""

import sys

from tools.image import ROOT

# What a setting may be is judged by the firmware's own table.
sys.path[:0] = [str(ROOT / "firmware"), str(ROOT / "host_tests" / "shims")]
