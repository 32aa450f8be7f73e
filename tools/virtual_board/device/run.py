"""Runs boot.py and main.py; all of the start that is there meanwhile."""

import gc
import os

from micropython import const
from vb_bus import ask, halt, load

_UP = const(0x55)
_QUIT = const(0x71)


def run(scope):
    """Runs in `scope`, the namespace of the prompt, as many of the two as the tool says."""
    gc.collect()
    try:
        for name in ("boot.py", "main.py")[: ask(_UP)[0]]:
            try:
                os.stat(name)
            except OSError:
                continue
            execfile(name, scope)  # noqa: F821 (a builtin of MicroPython)
    except SystemExit:
        halt(_QUIT)
    except BaseException as exc:  # noqa: BLE001 (whatever ended the program, the prompt follows)
        load("vb_trace").print_exception(exc)
