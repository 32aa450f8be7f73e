"""The virtual board's serial port, as the outside world sees it: real processes, real mpremote."""

import os
import time

import littlefs
from virtual_board_kit import console

from tools.virtual_board.driver import eventually, read_image

LOOPING_MAIN = """\
import time
print("main is up")
while True:
    time.sleep_ms(5)
    print("tick")
"""


def test_a_new_board_is_empty_and_shows_nothing_of_the_host(start):
    board = start()
    assert board.execute("import os, sys; print(os.listdir('/'), os.getcwd(), sys.path)") == (
        "[] / ['', '.frozen', '/lib']"
    )


def test_mpremote_works_while_a_main_loops(start, tmp_path):
    board = start(main=LOOPING_MAIN)
    package = tmp_path / "package"
    package.mkdir()
    (package / "data.bin").write_bytes(bytes(range(256)) * 3)
    (tmp_path / "script.py").write_text("print(6 * 7)")
    for _ in range(3):
        board.mpremote("reset")
        assert board.execute("print('hello')") == "hello"
    board.mpremote("reset")
    assert board.mpremote("run", str(tmp_path / "script.py")).strip() == "42"
    board.mpremote("reset")
    board.mpremote("fs", "cp", "-r", str(package), ":")
    board.mpremote("reset")
    assert "data.bin" in board.mpremote("fs", "ls", ":package")
    board.mpremote("fs", "cp", ":package/data.bin", str(tmp_path / "back.bin"))
    assert (tmp_path / "back.bin").read_bytes() == bytes(range(256)) * 3
    board.mpremote("soft-reset")
    assert board.execute("import machine; print(machine.reset_cause())") == "5"


def test_mount_carries_every_byte_both_ways(start, tmp_path):
    board = start(main=LOOPING_MAIN)
    shared = tmp_path / "shared"
    shared.mkdir()
    data = bytes(range(256)) + b"\x03\r\n\n\x04\x01" * 50 + os.urandom(20_000)
    (shared / "in.bin").write_bytes(data)
    (tmp_path / "copy.py").write_text(
        "source, target = open('/remote/in.bin', 'rb'), open('/remote/out.bin', 'wb')\n"
        "while data := source.read(1500): target.write(data)\n"
        "target.close()\n"
        "many = [open('/remote/in.bin', 'rb') for _ in range(14)]\n"  # descriptors 3, 10, 13
        "for file in many: file.close()\n"
        "print('done')\n"
    )
    assert "done" in board.mpremote("mount", str(shared), "run", str(tmp_path / "copy.py"))
    assert (shared / "out.bin").read_bytes() == data


def test_control_c_and_d_by_hand(start):
    board = start(main=LOOPING_MAIN)
    with console(board) as port:
        port.read_until(b"tick\r\n")
        port.write(b"\x03\x03\x03")
        port.read_until(b"KeyboardInterrupt: \r\n")
        port.read_until(b">>> ")
        port.write(b"while True: pass\r\r")
        port.read_until(b"\r\n... \r\n")
        time.sleep(0.1)
        port.write(b"\x03")
        assert port.read_until(b"KeyboardInterrupt: \r\n").endswith(b"KeyboardInterrupt: \r\n")
        port.read_until(b">>> ")
        port.write(b"\x04")
        assert b"MPY: soft reboot\r\nmain is up\r\ntick\r\n" in port.read_until(b"tick\r\n")
        port.write(b"\x03")
        port.read_until(b">>> ")
        port.write(b"\x01")
        port.read_until(b"raw REPL; CTRL-B to exit\r\n>")
        port.write(b"\x04")
        expected = b"OK\r\nMPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>"
        assert port.read_until(b"exit\r\n>") == expected


def test_a_failing_main_leaves_its_traceback_and_the_prompt(start):
    board = start(boot="x = 1", main="print('x is', x)\nprint(y)\n")
    with console(board) as port:
        port.write(b"\x04")
        port.read_until(b"x is 1\r\n")
        trace = port.read_until(b">>> ").decode()
    assert trace.startswith(
        "Traceback (most recent call last):\r\n"
        '  File "main.py", line 2, in <module>\r\n'
        "NameError: name 'y' isn't defined\r\n"
    )


def test_a_failing_boot_keeps_main_from_starting(start):
    board = start(boot="1 / 0", main="print('main ran')")
    with console(board) as port:
        port.write(b"\x04")
        output = port.read_until(b"help()") + port.read_until(b">>> ")
    assert b"ZeroDivisionError" in output
    assert b"main ran" not in output


def test_what_one_listener_left_is_not_for_the_next(start):
    board = start(
        main="import time\nwhile True:\n    time.sleep_ms(5)\n    print(time.ticks_ms())\n"
    )
    with console(board) as first:
        first.readline()
        old_ms = int(first.readline())
        time.sleep(0.2)
    time.sleep(0.2)
    # Opened without pyserial, which would itself drop what is there.
    with open(board.link, "rb") as second:
        second.readline()  # the first may be the rest of a line
        assert int(second.readline()) - old_ms >= 200


def test_output_that_nobody_hears_is_lost_and_a_flood_does_not_block(start):
    board = start(
        main="print('early')\nimport machine\nmachine.WDT(timeout=100_000)\n"
        "for i in range(60_000): print('flood', i)\nopen('done', 'w').close()\n"
    )
    eventually(lambda: has_file(board.flash, "done"))
    with console(board) as port:
        port.write(b"\r")
        assert b"early" not in port.read_until(b">>> ")


def has_file(image, name):
    try:
        return name in read_image(image)
    except littlefs.LittleFSError:
        return False  # looked while it was being written
