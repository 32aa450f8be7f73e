"""The ready file: where a program is to be found, for others, while it runs."""

import json
import os
import signal
from pathlib import Path


def write(path: Path, found: dict) -> None:
    """Write `found` and this process's `pid`, in one step."""
    making = path.with_name(f"{path.name}.{os.getpid()}.new")
    making.write_text(json.dumps({**found, "pid": os.getpid()}) + "\n")
    making.replace(path)


def drop_stale(path: Path) -> None:
    """Remove what a killed process left, before anybody who waits for the file reads that.

    The file of one that runs stays: this process may yet be refused beside it.
    """
    if path.is_file() and not _runs(_pid(path), path.name):
        path.unlink(missing_ok=True)


def drop_own(path: Path) -> None:
    """Remove what this process has written."""
    if _pid(path) == os.getpid():
        path.unlink(missing_ok=True)


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that are to end such a program in order: its files go with it."""
    # A closed terminal is one of them, unless nohup has it ignored.
    is_held = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return (signal.SIGTERM, signal.SIGINT, *([] if is_held else [signal.SIGHUP]))


def _pid(path):
    try:
        return json.loads(path.read_bytes())["pid"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _runs(pid, name):
    if pid == os.getpid():
        return False  # in a container a restart has the number of the one before
    try:
        # By now the number may be another process's: one that was not given this file.
        return os.fsencode(name) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
