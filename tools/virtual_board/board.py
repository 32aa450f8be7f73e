"""The board between power-on and power-off: interpreters one after the other, sleep, resets."""

import math
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from tools.virtual_board.events import Events
from tools.virtual_board.interpreter import Interpreter, Parts
from tools.virtual_board.loader import EXIT_FRIENDLY
from tools.virtual_board.peripherals import Peripherals
from tools.virtual_board.world import World

# What the port tells of `machine.reset()` and of a panic is HARD_RESET, of Ctrl-D SOFT_RESET.
PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = range(1, 6)
TIMER_WAKE = 4

_HELD_MAX = 4096  # input kept while the interpreter starts
_CRASH_PAUSE_S = 0.2
_BARE_NEWLINE = re.compile(rb"(?<!\r)\n")


@dataclass(frozen=True)
class Faults:
    """What is to go wrong with the flash."""

    cut_after: int = 0  # operations since power-on; 0: never
    failing_reads: tuple[int, int] = (0, 0)  # first and last of every boot; from 1


class Board:
    def __init__(
        self,
        parts: Parts,
        world: World,
        peripherals: Peripherals,
        events: Events,
        send: Callable[[bytes], None],
        faults: Faults,
    ):
        self.chip: Interpreter | None = None
        self.is_cut = False
        self._parts = parts
        self._world = world
        self._peripherals = peripherals
        self._events = events
        self._send = send
        self._faults = faults
        self._operations = 0  # flash programs and erases since power-on
        self._wake_at = math.inf  # on the world's calendar
        self._watchdog_s = 0.0
        self._bites_at = math.inf  # monotonic
        self._requests = {
            "h": self._hello,
            "U": self._is_up,
            "c": lambda _: bytes((self._cause, self._wake_reason)),
            "b": self._set_transparent,
            "w": self._start_watchdog,
            "f": self._feed_watchdog,
            "P": self._count_program,
            "E": self._count_erase,
            "o": self._note_output,
            "X": self._cut,
            "s": self._sleep,
            "r": self._reset,
            "q": self._soft_reset,
        }

    def boot(self, cause: int, wake_reason=0, is_raw=False, runs_main=True) -> None:
        if cause not in (SOFT_RESET, PWRON_RESET):
            self._bites_at = math.inf
        if cause != SOFT_RESET:
            self._peripherals.radio.reset()
            self._wake_reason = wake_reason
        self._cause = cause
        self._runs_main = runs_main and not is_raw
        self._held: bytearray | None = bytearray()
        self._is_transparent = False
        self._return_before = False  # output ended with a carriage return
        self._programs = self._erases = 0
        self._wake_at = math.inf
        self._booted_at = time.monotonic()
        self._events.emit("boot", cause=cause)
        self.chip = Interpreter(self._parts, is_raw)

    def type(self, data: bytes) -> None:
        """Takes input from the serial port; what comes while the board sleeps is lost."""
        self.serve()  # a board that has just asked for its reset sees this after it
        if self.chip is None:
            return
        if self._held is None:
            self.chip.type(data)
        elif len(self._held) < _HELD_MAX:
            self._held += data

    def serve(self) -> None:
        """Moves the interpreter's output on, answers its requests, notices its end."""
        chip = self.chip
        if chip is None:
            return
        is_running = self._forward_output(chip)
        for op, sequence, payload in chip.requests():
            # A request comes after the output that was printed before it.
            self._forward_output(chip)
            answer = self._peripherals.answer(op, payload)
            if answer is None:
                answer = self._requests[op](payload)
            if self.chip is not chip:
                return
            if answer is not None:
                chip.answer(sequence, answer)
        if not is_running:
            self._ended(chip)

    def seconds_to_timer(self) -> float:
        """Real seconds until `on_timer` has something to do."""
        if self.chip is None:
            return self._world.real_seconds_until(self._wake_at)
        return max(self._bites_at - time.monotonic(), 0)

    def on_timer(self) -> None:
        if self.chip is None:
            if self._world.now() >= self._wake_at:
                self._peripherals.clock.wake_up()
                self.boot(DEEPSLEEP_RESET, TIMER_WAKE)
        elif time.monotonic() >= self._bites_at:
            self.power_off()
            self._events.emit("wdt")
            self.boot(WDT_RESET)

    def power_off(self) -> None:
        if self.chip is not None:
            self._forward_output(self.chip)
            self.chip.kill()
            self.chip = None

    def _forward_output(self, chip: Interpreter) -> bool:
        """Returns False when the interpreter is gone."""
        while data := chip.read():
            return_before, self._return_before = self._return_before, data[-1:] == b"\r"
            if not self._is_transparent:
                data = _BARE_NEWLINE.sub(b"\r\n", b"\r" * return_before + data)[return_before:]
            self._send(data)
        return data is not None

    def _ended(self, chip: Interpreter) -> None:
        """The program or the prompt ended by itself: a soft reset, unless something broke."""
        self.power_off()
        status = chip.wait()
        if status in (EXIT_FRIENDLY, EXIT_FRIENDLY + 1):
            self._soft_reset(is_raw=status != EXIT_FRIENDLY)
        elif status == -signal.SIGINT:
            # Ctrl-C hit the moment between program and prompt.
            self.boot(SOFT_RESET, runs_main=False)
        else:
            self._events.emit("crash", status=status)
            time.sleep(_CRASH_PAUSE_S)
            self.boot(HARD_RESET)

    def _hello(self, _) -> bytes:
        cut_after = self._faults.cut_after
        left = cut_after - self._operations if cut_after else 0
        has_air = self._peripherals.relay is not None
        return b"%d %d %d %d" % (has_air, left, *self._faults.failing_reads)

    def _is_up(self, _) -> bytes:
        held, self._held = self._held, None
        if held and self.chip:
            self.chip.type(bytes(held))
        return b"\2" if self._runs_main else b"\1"  # how many of boot.py and main.py

    def _set_transparent(self, flag: bytes) -> bytes:
        self._is_transparent = flag == b"1"
        return b""

    def _start_watchdog(self, timeout_ms: bytes) -> None:
        self._watchdog_s = int(timeout_ms) / 1000
        self._feed_watchdog(b"")

    def _feed_watchdog(self, _) -> None:
        self._bites_at = time.monotonic() + self._watchdog_s

    def _count_program(self, _) -> None:
        self._operations += 1
        self._programs += 1

    def _count_erase(self, _) -> None:
        self._operations += 1
        self._erases += 1

    def _cut(self, _) -> None:
        self.power_off()
        self._events.emit("cut", op=self._faults.cut_after)
        self.is_cut = True

    def _note_output(self, pin_and_level: bytes) -> None:
        self._events.emit("pin", pin=pin_and_level[0], level=pin_and_level[1])

    def _sleep(self, time_ms: bytes) -> None:
        duration_s = int(time_ms) / 1000
        wake_at = self._peripherals.clock.fall_asleep(duration_s)
        self._wake_at = wake_at if duration_s > 0 else math.inf
        awake_s = time.monotonic() - self._booted_at
        self.power_off()
        self._events.emit(
            "sleep",
            until=round(self._wake_at, 3) if duration_s > 0 else None,
            programs=self._programs,
            erases=self._erases,
            awake_ms=round(awake_s * 1000),
            radio=self._peripherals.radio.is_active,
        )

    def _soft_reset(self, _=b"", is_raw=False) -> None:
        self.power_off()
        self._send(b"MPY: soft reboot\r\n")
        self.boot(SOFT_RESET, is_raw=is_raw)

    def _reset(self, _) -> None:
        self.power_off()
        self._events.emit("reset", programs=self._programs, erases=self._erases)
        self.boot(HARD_RESET)
