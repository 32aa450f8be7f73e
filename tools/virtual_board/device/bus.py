"""The wire between the shims and the tool: framed requests on an inherited socket.

A request is op, sequence, length (2 bytes) and payload; an answer is sequence, length, payload.
The sequence lets `ask` drop the answer of a request that Ctrl-C cut short.
"""

import struct

_wire = open(3, "r+b")  # noqa: SIM115 (for as long as the board runs)
_seq = 0


def tell(op, payload=b""):
    """Sends without waiting for an answer."""
    _wire.write(struct.pack("<BBH", ord(op), 0, len(payload)) + payload)


def ask(op, payload=b""):
    """Sends and returns the answer's payload, as bytes."""
    global _seq
    _seq = seq = _seq % 255 + 1
    _wire.write(struct.pack("<BBH", ord(op), seq, len(payload)) + payload)
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
