"""Imports modules one after the other, and says what each of them takes of the heap."""

import sys

from bench_order import loaded, order, say

_TABLE = 16000


def starter(name):
    """Return the code of a file that is compiled at each start."""
    with open(sys.path[0] + "/" + name) as f:
        return compile(f.read(), name, "exec")


def make_room_for_names():
    """Let the interpreter's table of names grow once more, by more than the firmware has.

    It doubles when it is full; else that would be charged to whom it happens to.
    """
    number, held = 0, loaded()
    while True:
        hasattr(sys, "name_%d" % number)
        now = loaded()
        if now - held > _TABLE:
            return
        number, held = number + 1, now


def main():
    o = order()
    # Made before, so that the results are not among what is measured.
    heap, kept = [0] * len(o["modules"]), [None] * len(o["modules"])
    if o["room"]:
        make_room_for_names()
    held = loaded()
    for number, name in enumerate(o["modules"]):
        kept[number] = (starter if name[-3:] == ".py" else __import__)(name)
        now = loaded()
        heap[number], held = now - held, now
    say(ok=True, heap=heap)
