"""The boards in `boards/`: what they are, whether their pins can do it, their wiring."""

import sys

from tools.image import ROOT

# A board's file is run here as it is on the device.
sys.path[:0] = [str(ROOT / "firmware"), str(ROOT / "host_tests" / "shims")]
