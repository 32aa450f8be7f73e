"""A board's folder, read: `board.json`, `board.toml`, and the pins that `board.py` really uses."""

import importlib.util
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from tools import image
from tools.boards.chips import CHIPS

# MicroPython's partition tables, 4 MB and 8 MB alike: everything behind the application.
VFS_OFFSET = 0x200000


@dataclass(frozen=True)
class Use:
    """One use of a pin: `kind` is in, pulled (an input with a pull), out, adc or wake."""

    pin: int
    kind: str


@dataclass(frozen=True)
class Board:
    """What is known of a board on the host."""

    name: str
    folder: Path
    json: dict
    toml: dict
    module: object

    @property
    def chip(self):
        """The chip's table; KeyError for one that has none."""
        return CHIPS[self.json["mcu"]]

    @property
    def block_count(self):
        """Flash blocks of 4 KB of the `vfs` partition."""
        return block_count(self.toml["flash_mib"])

    def uses(self):
        """Run the board's own `gauge()` with pins that take notes; return every `Use`."""
        hal = _NotingHal()
        self.module.gauge(hal)
        if hasattr(self.module, "LED_PIN"):
            hal.uses.append(Use(self.module.LED_PIN, "out"))
        return hal.uses


def block_count(flash_mib):
    """Flash blocks of 4 KB of the `vfs` partition of so much flash."""
    return (flash_mib * 1024 * 1024 - VFS_OFFSET) // 4096


def load(name):
    """Return the board `name`.

    Raises:
        FileNotFoundError: there is none of that name, or a file of it is missing.
        ValueError: a file of it cannot be read.
    """
    image.require_board(name)
    return load_folder(image.ROOT / "boards" / name)


def load_folder(folder):
    """Return the board in `folder`; see `load`."""
    spec = importlib.util.spec_from_file_location("board_" + folder.name, folder / "board.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    about = json.loads((folder / "board.json").read_text())
    return Board(
        folder.name, folder, about, tomllib.loads((folder / "board.toml").read_text()), module
    )


class _NotingHal:
    """Stands for `hal`: what a board's `gauge()` may call of it, each pin noted."""

    def __init__(self):
        self.uses = uses = []

        class Pin:
            IN, OUT, OPEN_DRAIN = 1, 3, 7
            PULL_DOWN, PULL_UP = 1, 2
            IRQ_RISING, IRQ_FALLING = 1, 2

            def __init__(self, pin, mode=-1, pull=None, **_):
                self._pin = pin
                is_out = mode in (Pin.OUT, Pin.OPEN_DRAIN)
                kind = "out" if is_out else "in" if pull in (None, -1) else "pulled"
                uses.append(Use(pin, kind))

            def __call__(self, *_):
                return 0

            def irq(self, handler=None, trigger=0, *, wake=None, **_):
                if wake is not None:
                    uses.append(Use(self._pin, "wake"))

        def nothing(*_):
            return 0

        names = ["disable_irq", "enable_irq", "time_pulse_us", "wake_reason", "reset_cause"]
        self.machine = SimpleNamespace(Pin=Pin, **dict.fromkeys(names, nothing))
        names = ["sleep_ms", "sleep_us", "ticks_ms", "ticks_us", "ticks_diff"]
        self.time = SimpleNamespace(**dict.fromkeys(names, nothing))

    def adc_read_uv(self, pin):
        self.uses.append(Use(pin, "adc"))
        return lambda: 0
