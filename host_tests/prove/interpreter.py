"""Runs a script of `device/` in the real MicroPython, in one process, and takes its result."""

import json
import os
import subprocess
import sys
from pathlib import Path

from host_tests.prove import FIRMWARE
from tools.bench.interpreter import DEVICE as SHARED

DEVICE = Path(__file__).parent / "device"
BAD_STORES = (
    "remove before rename",
    "no CRC",
    "intent after send",
    "damaged record taken for none",
    "repeat without a low reading",
)


def run(script, *arguments, timeout_s=900):
    """Return the JSON object that a script prints last.

    Raises:
        RuntimeError: it ended otherwise; the text is what it said.
    """
    interpreter = Path(sys.executable).parent / "micropython"
    done = subprocess.run(
        [interpreter, "-X", "heapsize=16m", DEVICE / script, *map(str, arguments)],
        env={**os.environ, "MICROPYPATH": f"{FIRMWARE}:{DEVICE}:{SHARED}:.frozen"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    # Files that a cut left open are noisy when the collector closes them, also after the result.
    results = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or len(results) != 1:
        said = done.stdout[-3000:] + done.stderr[-3000:]
        raise RuntimeError(f"{script} ended with {done.returncode}: {said}")
    return json.loads(results[0])


def power_cuts(second=3, share=1, build=""):
    """Cut a life everywhere; return `(counts, what broke or None)`."""
    result = run("cut_all.py", second, share, build)
    return result["counts"], result["failure"]


def decade(wakes=14610):
    """Live for ten years, a wake each six hours; return the figures."""
    return run("decade.py", wakes)


def wipe_cuts(share=1, build="good"):
    """Cut a factory reset at each operation (1 in `share`); return as `power_cuts`."""
    result = run("cut_wipe.py", share, build)
    return result["counts"], result["failure"]
