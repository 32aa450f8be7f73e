"""What of the board itself stays: the wire to the tool, loading, and the start of programs.

The wire is an inherited socket that carries framed requests: op, sequence, length (2 bytes) and
payload; an answer is sequence, length, payload. The sequence lets `ask` drop the answer of a
request that Ctrl-C cut short. An op is a letter's number here, as every name costs heap.
"""

import gc
import os
import sys

import vfs
from micropython import const

_UP = const(0x55)
_QUIT = const(0x71)

_link = open(3, "r+b")  # noqa: SIM115 (for as long as the board runs)
_sequence = 0
_rom = vfs.mount()[0][0]  # all there is so far


def tell(op, payload=b"", id=0):
    """Sends without waiting for an answer."""
    _link.write(bytes((op, id, len(payload) & 255, len(payload) >> 8)) + payload)


def ask(op, payload=b""):
    """Sends and returns the answer's payload, as bytes."""
    global _sequence
    _sequence = seq = _sequence % 255 + 1
    tell(op, payload, seq)
    while True:
        # No jump between these two reads: nothing can interrupt them half way.
        head = _link.read(3)
        answer = _link.read(head[1] | head[2] << 8)
        if head[0] == seq:
            return answer


def end(op, payload=b""):
    """Sends what ends this run of the interpreter, and waits for the end whatever happens."""
    tell(op, payload)
    while True:
        try:
            _link.read(1)
        except BaseException:  # noqa: BLE001 (Ctrl-C does not bring it back)
            continue


def load(name):
    """Returns the part `vb_name` of the shims, which many boards do without."""
    name = "vb_" + name
    if name not in sys.modules:
        path = sys.path
        try:
            vfs.mount(_rom, "/rom")
            sys.path = ["/rom"]
            __import__(name)
        finally:
            sys.path = path
            vfs.umount("/rom")
    return sys.modules[name]


def run(globals):
    """Runs boot.py and main.py, or as many as the tool says, in the prompt's namespace."""
    gc.collect()
    try:
        for name in ("boot.py", "main.py")[: ask(_UP)[0]]:
            try:
                os.stat(name)
            except OSError:
                continue
            execfile(name, globals)  # noqa: F821 (a builtin of MicroPython)
    except SystemExit:
        end(_QUIT)
    except BaseException as exc:  # noqa: BLE001 (whatever ended the program, the prompt follows)
        load("print_exception").print_exception(exc)
