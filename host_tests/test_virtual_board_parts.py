"""The virtual board's flash, pins, radio and command line."""

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from virtual_board_kit import console

from tools.virtual_board.driver import VirtualBoard, read_image, write_image

# Flash


def test_the_image_is_a_boards_and_survives_the_power(start):
    board = start()
    board.execute("with open('note', 'w') as f: f.write('kept')")
    board.power_off()
    assert board.flash.stat().st_size == 2 * 1024 * 1024
    assert read_image(board.flash) == {"note": b"kept"}
    answer = start().execute(
        "import esp32, vfs\n"
        "part = esp32.Partition.find(esp32.Partition.TYPE_DATA, label='vfs')[0]\n"
        "print(part.info(), part.ioctl(4, 0), part.ioctl(5, 0))\n"
        "vfs.umount('/')\n"
        "vfs.mount(vfs.VfsLfs2(part, readsize=128), '/')\n"
        "print(open('note').read())"
    )
    assert answer == "(1, 129, 2097152, 2097152, 'vfs', False) 512 4096\nkept"


def test_a_volume_that_does_not_mount_is_bemoaned_until_control_c(start, tmp_path):
    (tmp_path / "flash.img").write_bytes(b"\0" * 2 * 1024 * 1024)
    board = start()
    with console(board) as port:
        for _ in range(2):
            assert port.read_until(b"appears to be corrupted").endswith(b"corrupted")
        port.write(b"\x03")
        after = port.read_until(b">>> ")
        assert b"KeyboardInterrupt: \r\n" in after
        assert after.endswith(b">>> ")


def test_erased_flash_is_formatted_at_boot(start):
    board = start(main="x = 1")
    board.execute("from flashbdev import bdev\nfor n in (0, 1): bdev.ioctl(6, n)")
    board.mpremote("reset")
    board.execute("open('new', 'w').close()")
    board.power_off()
    assert read_image(board.flash) == {"new": b""}


# A remount such as the firmware's own, which says what came of it.
REMOUNT = """\
import esp32, vfs
from flashbdev import bdev
part, reads = esp32.Partition("vfs"), bdev.reads
vfs.umount("/")
try:
    vfs.mount(vfs.VfsLfs2(part, readsize=128), "/")
    outcome = "mounted"
except OSError as exc:
    outcome = exc.errno
    vfs.mount(vfs.VfsLfs2(part), "/")
"""


def test_reads_of_flash_can_fail_once_or_from_then_on(start):
    def remount(span):
        board = start(f"--fail-reads={span}", boot=REMOUNT)
        answer = board.execute(
            "import os\n"
            "print(outcome, reads)\n"
            "try: print(os.listdir())\n"
            "except OSError as exc: print(exc.errno)"
        )
        board.power_off()
        return answer.split()

    outcome, reads, *_ = remount(1_000_000)
    assert outcome == "mounted"
    assert remount(int(reads) + 1) == ["5", reads, "['boot.py']"]
    assert remount(f"{int(reads) + 1}-") == ["5", reads, "[]"]  # nothing is mounted
    # Where the stock image cannot even look whether the flash was erased, the prompt is left.
    board = start("--fail-reads=1-", boot=REMOUNT)
    with console(board) as port:
        port.write(b"\x04")
        port.read_until(b"MPY: soft reboot\r\n")
        assert b"OSError: [Errno 5] EIO\r\n" in port.read_until(b">>> ")


def test_a_power_cut_halves_the_operation_and_stops_the_board(tmp_path):
    program = (
        "import machine\n"
        "if machine.reset_cause() == 1: machine.reset()\n"  # counting goes on after a reset
        "from flashbdev import bdev\n"
        "bdev.ioctl(6, 500)\n"
        "bdev.writeblocks(500, bytes(64), 0)\n"
        "bdev.writeblocks(500, bytes(64), 128)\n"
        "bdev.ioctl(6, 500)\n"
    )
    block = 500 * 4096
    halves = {
        1: [(0, 2048, 0xFF), (2048, 4096, 0xAA)],
        2: [(0, 32, 0x00), (32, 4096, 0xFF)],
        3: [(0, 64, 0x00), (64, 128, 0xFF), (128, 160, 0x00), (160, 4096, 0xFF)],
        4: [(0, 2048, 0xFF), (2048, 4096, 0xFF)],
    }
    for count, expected in halves.items():
        write_image(tmp_path / "flash.img", {"main.py": program})
        with (tmp_path / "flash.img").open("r+b") as image:
            image.seek(block)
            image.write(b"\xaa" * 4096)
        board = VirtualBoard(tmp_path, "--cut-after", str(count))
        assert board.process.wait(20) == 75
        assert board.events("cut")[0]["op"] == count
        torn = board.flash.read_bytes()[block : block + 4096]
        for begin, end, value in expected:
            assert torn[begin:end] == bytes([value]) * (end - begin), (count, begin)


# Pins and radio


def test_the_level_is_read_anew_at_each_measurement(start):
    board = start()
    measure = (
        "import machine\n"
        "adc = machine.ADC(machine.Pin(34), atten=machine.ADC.ATTN_11DB)\n"
        "print(adc.read_uv(), adc.read_u16(), machine.ADC(machine.Pin(35)).read_uv())"
    )
    for text, expected in (("0.0", 150_000), ("0.5\n", 1_300_000), ("1.0", 2_450_000)):
        board.level.write_text(text)
        uv, raw, other = map(int, board.execute(measure).split())
        assert abs(uv - expected) <= 2_000
        assert abs(raw * 3_300_000 / 65_535 - expected) <= 4_100
        assert other < 10_000
    for text in ("", "full", "nan"):
        board.level.write_text(text)
        assert board.execute(measure).startswith("0 0 ")
    board.level.unlink()
    assert board.execute(measure).startswith("0 0 ")


def test_wifi_connects_like_the_port(start):
    board = start()
    answer = board.execute(
        "import network, time\n"
        "wlan = network.WLAN(network.STA_IF)\n"
        "def attempt():\n"
        "    try: wlan.connect('net', 'key')\n"
        "    except OSError as exc: print(exc)\n"
        "attempt()\n"
        "print(wlan.active(), wlan.active(True), wlan.isconnected(), wlan.ifconfig()[0])\n"
        "attempt(); attempt()\n"
        "print(wlan.status() == network.STAT_CONNECTING)\n"
        "time.sleep_ms(50)\n"
        "print(wlan.isconnected(), wlan.status() == network.STAT_GOT_IP, wlan.ifconfig()[0])\n"
        "print(wlan.config('ssid'), network.WLAN(network.WLAN.IF_STA) is wlan)\n"
        "wlan.disconnect(); print(wlan.isconnected()); attempt(); wlan.active(False)\n"
        "print(wlan.status() == network.STAT_IDLE)"
    ).splitlines()
    assert answer == [
        "Wifi Not Started",
        "False True False 0.0.0.0",
        "Wifi Internal Error",
        "True",
        "True True 127.0.0.1",
        "net True",
        "False",
        "True",
    ]


def test_identity_is_stable(start):
    ask = "import machine; print(machine.unique_id().hex(), machine.freq())"
    board = start()
    first = board.execute(ask)
    board.power_off()
    assert start().execute(ask) == first
    assert len(first.split()[0]) == 12


def test_the_shims_leave_the_heap_to_the_firmware(start):
    board = start(boot="import gc; gc.collect(); rest = gc.mem_alloc()")
    answer = board.execute(
        "import machine, micropython, network\n"
        "machine.ADC(machine.Pin(34)), network.WLAN()\n"
        "print(rest); micropython.qstr_info()"
    )
    rest, names = answer.split("\n")
    assert int(rest) <= 10_000
    assert int(names.partition("n_qstr=")[2].split(",")[0]) <= 140  # with those of this test


def test_what_few_boards_need_is_there_when_it_is_asked_for(start):
    answer = start().execute(
        "import machine, micropython, network, os\n"
        "from machine import Signal, Pin, wake_reason\n"
        "print(machine.HARD_RESET, wake_reason(), isinstance(Pin(Pin(4)), machine.Pin))\n"
        "print(micropython.const(3), network.AP_IF, network.hostname('pantry'))\n"
        "wlan = network.WLAN()\n"
        "print(wlan.config('hostname'), wlan.config('mac') == machine.unique_id())\n"
        "print(wlan.ipconfig('addr4'), hasattr(network, 'nothing'), os.listdir('/'))"
    )
    assert answer.splitlines() == [
        "2 0 True",
        "3 1 pantry",
        "pantry True",
        "('0.0.0.0', '0.0.0.0') False []",
    ]


# Command line


@pytest.mark.parametrize(
    "change, named",
    [
        ({"--heap": "lots"}, "--heap"),
        ({"--speed": "fast"}, "--speed"),
        ({"--time": "yesterday"}, "--time"),
        ({"--cut-after": "0"}, "--cut-after"),
        ({"--fail-reads": "0-3"}, "--fail-reads"),
        ({"--fail-reads": "5-3"}, "--fail-reads"),
        ({"--fail-reads": "-"}, "--fail-reads"),
        ({"--sleep-drift": "-1000000"}, "--sleep-drift"),
        ({"--flash": "wrong-size"}, "wrong-size is not 2097152 bytes"),
        ({"--flash": "/nodir/x.img"}, "--flash: no such folder: /nodir; make it first"),
        ({"--flash": "a-file/x.img"}, "--flash: no such folder: a-file; make it first"),
        ({"--link": "a-file"}, "a-file exists and is not a link"),
        ({"--link": "/nodir/x"}, "--link: no such folder: /nodir; make it first"),
        ({"--ready": "/nodir/x"}, "--ready: no such folder: /nodir; make it first"),
        ({"--events": "/nodir/x"}, "--events: no such folder: /nodir; make it first"),
        ({"--clock-from": "http://127.0.0.1:9"}, "--clock-from: no simulator at http"),
        ({"--clock-from": "nonsense"}, "--clock-from: 'nonsense' is not"),
        ({"--clock-from": "http:///clock"}, "such as http://127.0.0.1:18080"),
        ({"--clock-from": "http://127.0.0.1:x"}, "such as http://127.0.0.1:18080"),
        ({"--clock-from": "file://localhost/etc"}, "such as http://127.0.0.1:18080"),
        ({"--flash": None}, "--flash"),
        ({"--unknown": "1"}, "--unknown"),
    ],
    ids=str,
)
def test_bad_arguments_are_one_line_and_status_2(change, named, tmp_path):
    (tmp_path / "wrong-size").write_bytes(b"x")
    (tmp_path / "a-file").write_text("precious")
    done = run(tmp_path, change)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and named in done.stderr, done.stderr
    assert (tmp_path / "a-file").read_text() == "precious"


@pytest.mark.parametrize("answer", [b"", b"hello\n", b"HTTP/1.0 200 OK\r\n\r\n[]"], ids=str)
def test_a_clock_from_that_is_no_simulator_is_one_line(answer, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        url = "http://127.0.0.1:%d" % server.getsockname()[1]
        server.settimeout(60)
        done = pool.submit(run, tmp_path, {"--clock-from": url})
        with server.accept()[0] as peer:
            peer.recv(65536)
            peer.sendall(answer)
        done = done.result()
    assert done.returncode == 2
    assert done.stderr.startswith(f"virtual_board: --clock-from: no simulator at {url}: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "flash").exists()


def run(folder, change):
    """Run the board with its files in `folder`, until it ends by itself."""
    arguments = {f"--{name}": name for name in ("flash", "link", "level", "ready")} | change
    words = [word for item in arguments.items() if item[1] is not None for word in item]
    return subprocess.run(
        [sys.executable, "-m", "tools.virtual_board", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        timeout=60,
    )
