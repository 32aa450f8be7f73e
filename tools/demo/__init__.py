"""`make demo`: the agent on the virtual board, against the simulator, through the seed's flows."""

import sys

from tools.image import ROOT

# The record is decoded by the very code that wrote it.
sys.path[:0] = [str(ROOT / "firmware"), str(ROOT / "host_tests" / "shims")]
