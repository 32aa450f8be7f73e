"""A fleet of simulated dispensers: what the shipped measuring and ordering buys, and when.

`python -m tools.policy`; `judge.py` defines what is counted. The world is `usage.py` (households),
`sensors.py` (gauges), `supply.py` (the service, parcels, people); `device.py` has the policies.
"""

import sys
from pathlib import Path

# The very code that ships decides here.
_ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(_ROOT / "firmware"), str(_ROOT / "host_tests" / "shims")]
