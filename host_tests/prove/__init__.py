"""Proofs of the ordering contract on the code that ships: `python -m host_tests.prove`."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware"
for _folder in (str(FIRMWARE), str(ROOT / "host_tests" / "shims")):
    if _folder not in sys.path:
        sys.path.insert(0, _folder)
