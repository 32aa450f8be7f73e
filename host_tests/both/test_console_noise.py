"""Noise on the serial line: answered, forgotten, and nothing changed by it."""

import gc
import json

from console_kit import Terminal
from kit import SECRETS, SETTINGS

BYTES = 1000000
# What the noise is made of, beside single bytes. The names of settings come in lines that are
# whole, so that nothing of this can validly set one.
WORDS = (
    b"status", b"help ", b"measure", b"order ", b"why", b"log", b"time ", b"json on", b"json off",
    b"selftest", b"--now", b"--test", b"--cancel", b"calibrate x", b"\nconfig\n",
    b"\nconfig wifi.password\n", b"\nhelp order.horizon_s\n", b"\nconfig {", b"\nconfig {}\n",
    b'"', b"{", b"}", b"[", b":", b",", b"\x15", b"\x08", b"\x7f", b"\x1b[A", b"\t", b"\xc3\xa9",
)  # fmt: skip


class Noise:
    """Bytes from a seed, the same on every interpreter."""

    def __init__(self, seed):
        self._state = seed

    def number(self, below):
        """Return a number from 0 to below it."""
        self._state = (self._state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._state >> 8) % below

    def piece(self):
        """Return some bytes: any single one, a word, or what ends a line."""
        kind = self.number(8)
        if kind < 3:
            return bytes((self.number(256),))
        if kind < 6:
            return WORDS[self.number(len(WORDS))] + b" " * self.number(2)
        return (b"\n", b"\r", b"\x03", bytes((97 + self.number(26),)))[self.number(4)]


def heap():
    """Return the bytes in use; 0 where the interpreter does not count them."""
    gc.collect()
    return gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0


def quiet(terminal):
    """Have a job that says that it ran, and no time set: the clock is no setting."""
    terminal.jobs = 0

    async def nothing():
        return {}

    def job(app, name, rest):
        terminal.jobs += 1
        nothing().close()
        return None

    terminal.console.job = job
    terminal.set_time = lambda unix_s: None


def make_noise(count, seed=7):
    """Let so many bytes through a console; return it."""
    terminal, noise = Terminal(), Noise(seed)
    quiet(terminal)
    before = terminal.device.config.store.payload
    # The least that was in use in each half: the collector takes much for a pointer.
    least = [1 << 30, 1 << 30]
    left, look = count, count
    while left > 0:
        piece = noise.piece()
        left -= len(piece)
        said = terminal.send(piece)
        for secret in SECRETS:
            assert secret not in said, said
        if len(terminal.out.said) > 4000:
            terminal.out.clear()
            terminal.log.lines.clear()
            del terminal.device.log_lines[:], terminal.device.logged[:]
        if left < look:
            look -= 5000
            half = left < count // 2
            least[half] = min(least[half], heap())
    terminal.out.clear()
    terminal.send(b"\n\x03\njson on\n")
    terminal.out.clear()
    status = terminal.ask("status")
    assert status["ok"] and status["state"] == "none"
    assert terminal.device.config.store.payload == before
    assert json.loads(before) == SETTINGS
    assert terminal.device.config.store.writes == 0
    assert terminal.console.leave in (None, "sleep", "reboot")
    terminal.grown = least[1] - least[0]
    return terminal


def test_noise_changes_nothing_says_no_secret_and_does_not_grow_memory():
    terminal = make_noise(BYTES)
    assert terminal.stopped > 10
    assert terminal.device.config.missing() is None
    # The collector's luck is some KB; a leak of one block in ten lines would be 100 KB.
    assert terminal.grown < 16384, terminal.grown
