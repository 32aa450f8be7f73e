"""Run the demo: `python -m tools.demo [--keep FOLDER]`. Exit status 0 only if all was seen.

130: interrupted.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tools.demo.bench import Bench, BenchError
from tools.demo.script import Script
from tools.demo.seed import Evidence, count, judge
from tools.demo.story import Story
from tools.device import DeviceError

_START = "2026-03-02T08:00:00Z"


def _run(folder):
    began = time.monotonic()
    with contextlib.closing(Bench(folder, _START)) as bench:
        story = Story(bench)
        script = Script(bench, story)
        print("Lowtide demo: the agent on the real MicroPython, the service simulated, TLS real.")
        script.set_up()
        good = script.successful()
        lapsed, after = script.resolution_lapses()
        solved = script.resolution_solved()
        books = bench.books()
        final = bench.record()
    ids = {
        "good": good["id"],
        "lapsed": lapsed["id"],
        "after": after["id"],
        "solved": solved["id"],
    }
    print("\nThe numbered steps of the seed, as the service's books and the flash show them:")
    failed = 0
    for step, seen, what in judge(Evidence(books, story.history), ids, script.late_cancel):
        failed += not seen
        print(f"seed {step} {'ok' if seen else 'FAILED'}  {what}")
    orders, duplicates, lost = count(books, story.history, script.refills)
    settled = final is not None and final.state == "none" and final.event_id == solved["id"]
    if not settled:
        print("FAILED: the record in flash is not what it should be at the end")
    seconds = time.monotonic() - began
    print(f"demo: orders={orders} duplicates={duplicates} lost={lost} seconds={seconds:.0f}")
    return 0 if settled and not (failed or duplicates or lost) else 1


def main():
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools.demo", description=__doc__)
    parser.add_argument("--keep", type=Path, help="keep logs, books and flash in this folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lowtide-demo-") as scratch:
        folder = args.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return _run(folder)
        except (BenchError, DeviceError, httpx.HTTPError) as e:
            print(f"demo: FAILED: {e}", file=sys.stderr)
            for log in sorted(folder.glob("*.log")):
                tail = log.read_text(errors="replace").splitlines()[-5:]
                print(f"  {log.name}: " + "\n    ".join(tail), file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("demo: interrupted", file=sys.stderr)
            return 130


if __name__ == "__main__":
    sys.exit(main())
