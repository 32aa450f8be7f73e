"""The wire between the shims and the tool: framed requests on an inherited socket.

A request is op, sequence, length (2 bytes) and payload; an answer is sequence, length, payload.
The sequence lets `ask` drop the answer of a request that Ctrl-C cut short. Operations are given
as numbers: a text of one letter would cost a name.
"""

import sys

import vfs

_wire = open(3, "r+b")  # noqa: SIM115 (for as long as the board runs)
_seq = 0
_rom = vfs.mount()[0][0]  # the root is the last


def tell(op, payload=b"", seq=0):
    """Sends without waiting for an answer."""
    _wire.write(bytes((op, seq, len(payload) & 255, len(payload) >> 8)) + payload)


def ask(op, payload=b""):
    """Sends and returns the answer's payload, as bytes."""
    global _seq
    _seq = seq = _seq % 255 + 1
    tell(op, payload, seq)
    while True:
        # No jump between these two reads: nothing can interrupt them half way.
        head = _wire.read(3)
        answer = _wire.read(head[1] | head[2] << 8)
        if head[0] == seq:
            return answer


def halt(op, payload=b""):
    """Sends what ends this run of the interpreter, and waits for the end whatever happens."""
    tell(op, payload)
    while True:
        try:
            _wire.read(1)
        except BaseException:  # noqa: BLE001 (Ctrl-C does not bring it back)
            continue


def load(name):
    """Returns a part of the shims that is not there from the start: most boards never need it."""
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
