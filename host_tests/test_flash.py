"""`make image`, `make flash`: the same bytes each time, nothing written that was not checked."""

import hashlib
import os
import shutil
import struct
import subprocess
import sys
from contextlib import closing

import pytest
from esp_rom import Rom

from tools import flash, image
from tools.boards import facts
from tools.boards.chips import CHIPS
from tools.device import Device
from tools.firmware_file import FirmwareError, read
from tools.virtual_board.driver import VirtualBoard, read_image

ESP32 = CHIPS["esp32"]
BANNER = b"MicroPython v1.26.1 on 2025-09-11; Generic ESP32 module with ESP32"
TO_ROM = [
    f"--esptool={option}" for option in ("--no-stub", "--before=no-reset", "--after=no-reset")
]


def app_image(content, chip=ESP32):
    """Return an image as ESP-IDF's "App Image Format" has it, with one segment."""
    content += bytes(-len(content) % 4)
    head = struct.pack("<BBBBI", 0xE9, 1, 2, 0x20, 0x400D0020)
    head += struct.pack("<B3sHBHH4sB", 0xEE, b"\0" * 3, chip.image_id, 0, 0, 0xFFFF, b"\0" * 4, 1)
    body = head + struct.pack("<II", 0x3F400020, len(content)) + content
    checksum = 0xEF
    for byte in content:
        checksum ^= byte
    body += bytes(-(len(body) + 1) % 16) + bytes((checksum,))
    return body + hashlib.sha256(body).digest()


def partition(kind, subtype, offset, size, label):
    return struct.pack("<HBBII16sI", 0x50AA, kind, subtype, offset, size, label, 0)


def micropython(banner=BANNER, chip=ESP32, vfs=(0x200000, 0x200000)):
    """Return a made-up file in the form of MicroPython's: boot loader, partition table, app."""
    table = partition(1, 2, 0x9000, 0x6000, b"nvs") + partition(1, 1, 0xF000, 0x1000, b"phy_init")
    table += partition(0, 0, 0x10000, 0x1F0000, b"factory")
    table += partition(1, 0x81, *vfs, b"vfs") if vfs else b""
    data = app_image(b"a boot loader", chip).ljust(0x8000 - chip.flash_offset, b"\xff") + table
    data = data.ljust(0x10000 - chip.flash_offset, b"\xff")
    # ESP-IDF, `esp_app_desc_t`: the first thing in an application.
    about = struct.pack("<I12x32s32s176x", 0xABCD5432, b"v1.26.1", b"micropython")
    return data + app_image(about + banner + b"\0 and more of it", chip)


@pytest.fixture
def firmware(tmp_path):
    path = tmp_path / "micropython.bin"
    path.write_bytes(micropython())
    return path


# -- the volume -----------------------------------------------------------------------------------


def build(out, cwd, umask, zone, *more):
    """Build an image in a process of its own, under other circumstances."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "tools.image",
            "build",
            "--board=LOWTIDE_SCALE",
            f"--out={out}",
            *more,
        ],
        cwd=cwd,
        umask=umask,
        env={**os.environ, "PYTHONPATH": str(image.ROOT), "TZ": zone, "PYTHONHASHSEED": zone[-1]},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return out.read_bytes()


def test_an_image_is_byte_for_byte_the_same_wherever_and_whenever_it_is_built(tmp_path):
    first = build(tmp_path / "a.img", image.ROOT, 0o022, "UTC0")
    for source in (image.FIRMWARE / "main.py", image.FIRMWARE / "app.py"):
        os.utime(source)
    (tmp_path / "elsewhere").mkdir()
    second = build(tmp_path / "b.img", tmp_path / "elsewhere", 0o077, "XYZ+7")
    assert first == second
    assert len(first) == 2 * 1024 * 1024


def test_the_virtual_board_boots_the_file_that_make_image_made(tmp_path):
    subprocess.run(
        [
            sys.executable,
            "-m",
            "tools.image",
            "build",
            "--board=host",
            f"--out={tmp_path}/flash.img",
        ],
        cwd=image.ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    status = booted(tmp_path, 0.25)
    assert abs(status["level"] - 0.25) < 0.01
    assert status["missing"] == "wifi.ssid"


def booted(folder, level, line="status"):
    """Boot the volume in the folder with so much in the bin; return what it answers to a line."""
    (folder / "level").write_text(str(level))
    board = VirtualBoard(folder)
    try:
        with closing(Device(str(board.link))) as device:
            return device.command(line)
    finally:
        board.power_off()


def test_an_image_for_another_size_of_flash_is_as_big_as_that(tmp_path):
    out = tmp_path / "flash.img"
    told = ["build", "--board", "ESP32_GENERIC", "--out", str(out), "--flash-mib", "8"]
    assert image.main(told) == 0
    assert out.stat().st_size == 6 * 1024 * 1024


def test_a_source_that_does_not_compile_is_named(tmp_path, monkeypatch, capsys):
    broken, boards = tmp_path / "firmware", image.ROOT / "boards"
    shutil.copytree(image.FIRMWARE, broken)
    (broken / "lowtide" / "log.py").write_text("def (")
    monkeypatch.setattr(image, "FIRMWARE", broken)
    monkeypatch.setattr(image, "ROOT", tmp_path)
    monkeypatch.setattr(image, "known_boards", lambda: ["host"])
    (tmp_path / "boards" / "host").mkdir(parents=True)
    shutil.copy(boards / "host" / "board.py", tmp_path / "boards" / "host")
    assert image.main(["stage", "--board", "host", "--out", str(tmp_path / "stage")]) == 1
    assert capsys.readouterr().err == "image: does not compile: firmware/lowtide/log.py\n"


def test_a_boards_defaults_are_in_its_volume_and_it_counts_as_new(tmp_path):
    image.build(facts.load("LOWTIDE_SCALE"), tmp_path / "flash.img")
    files = read_image(tmp_path / "flash.img")
    assert b'"battery"' in files["config.rec"]
    assert set(files) == {"boot.py", "main.py", "config.rec", "order.rec"}
    # The same records under the virtual board's own board.py.
    board = facts.load("host")
    board.toml["defaults"] = {"power.mode": "battery"}
    image.build(board, tmp_path / "flash.img")
    status = booted(tmp_path, 0.5)
    assert (status["power"], status["state"]) == ("battery", "none")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            '{"lwa.client_secret": "x"}',
            "lwa.client_secret: a secret does not belong into an image",
        ),
        ('{"slot.unitt": "cup"}', ".json: slot.unitt: unknown setting; did you mean slot.unit?"),
        ('{"slot.capacity": 0}', "slot.capacity: want a whole number from 1"),
        ("[1]", "want a JSON object"),
        ("nonsense", "want a JSON object"),
    ],
)
def test_defaults_that_cannot_be_are_refused(tmp_path, text, why):
    (tmp_path / "defaults.json").write_text(text)
    with pytest.raises(image.ImageError) as refused:
        image.build(facts.load("host"), tmp_path / "x.img", (), tmp_path / "defaults.json")
    assert why in str(refused.value)
    assert not (tmp_path / "x.img").exists()


# -- MicroPython's file ---------------------------------------------------------------------------


@pytest.mark.parametrize("chip", CHIPS.values(), ids=lambda chip: chip.name)
def test_a_file_for_its_own_chip_is_taken(tmp_path, chip):
    path = tmp_path / "micropython.bin"
    path.write_bytes(micropython(chip=chip))
    found = read(path, chip)
    assert found.version == "MicroPython v1.26.1"
    assert found.vfs == (0x200000, 0x200000)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_version_and_hash_that_esptool_itself_finds_are_good(firmware):
    app = firmware.with_name("app.bin")
    app.write_bytes(micropython()[0x10000 - 0x1000 :])
    command = [sys.executable, "-m", "esptool", "--chip", "esp32", "image-info", str(app)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "(valid)" in said and "invalid" not in said


def test_without_a_vfs_partition_it_takes_what_the_flash_has_left(tmp_path):
    path = tmp_path / "micropython.bin"
    path.write_bytes(micropython(vfs=None))
    found = read(path, ESP32)
    assert found.vfs == (0x200000, None)
    assert flash.block_count(found, 4) == (512, 0x200000)
    assert flash.block_count(found, 8) == (1536, 0x200000)
    path.write_bytes(micropython())
    assert flash.block_count(read(path, ESP32), 8) == (512, 0x200000)


def flipped(data, at):
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


GOOD = micropython()
SECRET_SHA = "0" * 64


@pytest.mark.parametrize(
    ("data", "sha256", "why"),
    [
        (GOOD, SECRET_SHA, "not the one given: download it again"),
        (b"<html>not found</html>", None, "does not begin with the byte E9"),
        (b"", None, "does not begin with the byte E9"),
        (micropython(chip=CHIPS["esp32c3"]), None, "no partition table"),
        (app_image(BANNER), None, "no partition table: an update file"),
        (GOOD[:0xF000], None, "no application where it should be; cut short?"),
        (GOOD[:-40], None, "application"),
        (flipped(GOOD, len(GOOD) - 60), None, "its checksum is wrong"),
        (flipped(GOOD, len(GOOD) - 1), None, "its SHA-256 is wrong"),
        (
            micropython(b"MicroPython v1.23.0 on 2024-05-31"),
            None,
            "the agent needs v1.24 or newer",
        ),
        (micropython(b"Arduino"), None, "holds no MicroPython"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_a_file_that_is_not_right_is_refused(tmp_path, data, sha256, why):
    path = tmp_path / "micropython.bin"
    path.write_bytes(data)
    with pytest.raises(FirmwareError) as refused:
        read(path, ESP32, sha256)
    assert why in str(refused.value)


def test_a_file_of_another_chip_in_the_same_place_is_refused(tmp_path):
    path = tmp_path / "micropython.bin"
    path.write_bytes(micropython(chip=CHIPS["esp32c3"]))
    with pytest.raises(FirmwareError, match=r"another chip than ESP32-S3 \(chip id 5\)"):
        read(path, CHIPS["esp32s3"])


# -- over the line --------------------------------------------------------------------------------


@pytest.fixture
def chip(tmp_path):
    roms = []

    def chip(**how):
        roms.append(Rom(tmp_path / "tty", **how))
        roms[-1].start()
        return roms[-1]

    yield chip
    for rom in roms:
        rom.close()


def run(tmp_path, firmware, *more, board="ESP32_GENERIC"):
    command = [
        sys.executable,
        "-m",
        "tools.flash",
        "--port",
        str(tmp_path / "tty"),
        "--board",
        board,
    ]
    command += ["--firmware", str(firmware), "--out", str(tmp_path / "build"), *TO_ROM, *more]
    done = subprocess.run(command, capture_output=True, text=True, cwd=image.ROOT, timeout=120)
    return done.returncode, done.stdout, done.stderr


def wrote(rom):
    return {"flash_begin", "flash_data"} & set(rom.commands)


def test_esptool_itself_writes_both_and_the_volume_boots(tmp_path, firmware, chip):
    rom = chip()
    sha256 = hashlib.sha256(firmware.read_bytes()).hexdigest()
    defaults = tmp_path / "defaults.json"
    defaults.write_text('{"slot.unit": "ml"}')
    status, said, error = run(tmp_path, firmware, "--sha256", sha256, "--defaults", str(defaults))
    assert status == 0, said + error
    assert said.count("Hash of data verified.") == 2
    data = firmware.read_bytes()
    assert rom.flash[0x1000 : 0x1000 + len(data)] == data
    volume = bytes(rom.flash[0x200000:])
    assert volume == (tmp_path / "build" / "ESP32_GENERIC.img").read_bytes()
    # The virtual board is an ESP32 with its gauge on that very pin.
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "flash.img").write_bytes(volume)
    measured = booted(tmp_path / "board", 0.5, "measure")
    assert measured["fault"] is None and measured["amount"].endswith(" ml")


@pytest.mark.parametrize(
    ("how", "more", "why"),
    [
        ({"flash_mib": 8}, (), "the board has 8 MB of flash, not 4: FLASH_MIB=8"),
        ({}, ("--sha256", SECRET_SHA), "not the one given"),
        ({"chip": "esp8266"}, (), "no ESP32 answers on"),
        ({}, ("--cert", "no.pem"), "no certificate no.pem"),
    ],
    ids=["size", "sha256", "chip", "certificate"],
)
def test_what_is_not_right_leaves_the_flash_alone(tmp_path, firmware, chip, how, more, why):
    rom = chip(**how)
    status, _, error = run(tmp_path, firmware, *more)
    assert status == 1
    assert why in error
    assert not wrote(rom)


def test_a_port_that_is_not_there_is_no_matter_of_the_boot_button(tmp_path, firmware):
    status, _, error = run(tmp_path, firmware)
    assert status == 1
    assert error.startswith(f"flash: {tmp_path}/tty: no such port; ")


def test_a_dry_run_prints_the_command_and_opens_no_port(tmp_path, firmware):
    status, said, _ = run(tmp_path, firmware, "--dry-run")
    assert status == 0
    line = next(line for line in said.splitlines() if "write-flash" in line)
    volume = tmp_path / "build" / "ESP32_GENERIC.img"
    assert line.endswith(f"write-flash 0x1000 {firmware} 0x200000 {volume}")
    assert "--chip esp32 " in line
    assert "not compared with anything: give SHA256=" in said
    assert said.endswith(f"a dry run: nothing was written to {tmp_path}/tty, nor was it opened\n")


@pytest.mark.parametrize(
    ("board", "name", "why"),
    [
        ("nope", "micropython.bin", "no board 'nope' in boards/; there is: ESP32_GENERIC"),
        ("host", "micropython.bin", "the virtual board has no boot loader"),
        ("ESP32_GENERIC", "other.bin", "no firmware file"),
    ],
)
def test_wrong_arguments_are_said_in_one_line(tmp_path, firmware, board, name, why):
    status, _, error = run(tmp_path, tmp_path / name, board=board)
    assert status == 1
    assert why in error and error.startswith("flash: ") and error.count("\n") == 1
