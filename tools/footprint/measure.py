"""Measures each module of the firmware: lines, bytes on the device, heap at import."""

import ast
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from tools import image
from tools.bench.interpreter import Programs

BOARD = "host"
# What whoever is imported first would else be charged with.
PLATFORM = "asyncio, ssl, table of names"
_FROZEN = ("asyncio", "ssl")


@dataclass(frozen=True)
class Size:
    """`lines` of source, `flash` bytes as it lies on the device, `heap` bytes at import."""

    lines: int
    flash: int
    heap: int

    def __add__(self, other: "Size") -> "Size":
        return Size(self.lines + other.lines, self.flash + other.flash, self.heap + other.heap)


def measure(order: Iterable[str]) -> dict[str, Size]:
    """Return the `Size` of every module, and of what MicroPython adds for them (`PLATFORM`).

    A starter and a file that is no code go by their path. The heap is measured in one fresh
    interpreter that imports the modules one after the other, so that the column adds up: by
    `order` (modules; others after them), each after what it depends on.
    """
    files = {_module(target): source for source, target in image.sources(BOARD)}
    files |= {name: image.FIRMWARE / name for name in image.STARTERS}
    modules = _after_what_it_needs(files, [*order, *sorted(files)])
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(Path(folder))
        told = {"modules": [*_FROZEN, *modules]}
        whole = programs.run("bench_imports", told | {"room": False})["heap"]
        heap = programs.run("bench_imports", told | {"room": True})["heap"][len(_FROZEN) :]
        # Anew: the programs have put a file of their own there.
        image.stage(BOARD, programs.firmware)
        held = image.contents(programs.firmware)
    flash = [len(held.pop(_path(held, name))) for name in modules]
    lines = [len(files[name].read_text().splitlines()) for name in modules]
    sizes = {PLATFORM: Size(0, 0, sum(whole) - sum(heap))}
    sizes |= zip(modules, map(Size, lines, flash, heap), strict=True)
    return sizes | {
        path: Size(len(data.splitlines()), len(data), 0) for path, data in held.items()
    }


def _module(target):
    parts = target.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _path(held, name):
    path = name.replace(".", "/")
    found = (name, f"{path}.mpy", f"{path}/__init__.mpy")
    return next(path for path in found if path in held)


def _after_what_it_needs(files: Mapping[str, Path], wanted: list[str]) -> list[str]:
    """Return the modules in the wanted order, but each after what it imports."""
    needs = {name: _imports(path) & set(files) | _parents(name) for name, path in files.items()}
    graph = TopologicalSorter(needs)
    graph.prepare()
    ordered, ready = [], []
    while graph.is_active():
        ready += graph.get_ready()
        ready.sort(key=wanted.index)
        ordered.append(ready.pop(0))
        graph.done(ordered[-1])
    return ordered


def _parents(name):
    parts = name.split(".")
    return set() if name in image.STARTERS else {".".join(parts[:n]) for n in range(1, len(parts))}


def _imports(path):
    """Return what a file imports when it is imported itself."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found
