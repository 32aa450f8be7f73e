"""What a board does before the prompt: shims in, flash mounted, boot.py and main.py run."""

import gc
import os
import sys

import vfs
from vb_bus import ask, halt

_CORRUPT = """\
The filesystem appears to be corrupted. If you had important data there, you
may want to make a flash snapshot to try to recover it. Otherwise, perform
factory reprogramming of MicroPython firmware (completely erase flash, followed
by firmware programming).
"""


def _install_shims():
    """Returns whether main.py is to run. What else the tool says is not kept: heap is scarce."""
    import vb_flashbdev

    runs_main, has_air, *faults = map(int, ask("h").split())
    if any(faults):
        from vb_fault import FaultyFlash

        vb_flashbdev.bdev = FaultyFlash(*faults)
    sys.modules["flashbdev"] = vb_flashbdev
    if has_air:
        sys.modules["socket"] = __import__("vb_socket")
    for name in ("time", "micropython", "machine", "network", "esp32"):
        sys.modules[name] = __import__("vb_" + name)
    for name in list(sys.modules):
        if name.startswith("vb_"):
            del sys.modules[name]
    return runs_main


def _mount():
    from flashbdev import bdev

    vfs.umount("/rom")
    vfs.umount("/")
    try:
        vfs.mount(vfs.VfsLfs2(bdev), "/")
    except OSError:
        _set_up(bdev)
    os.chdir("/")


def _set_up(bdev):
    """What the stock image does with flash that does not mount: formats it if it was erased."""
    block = bytearray(bdev.ioctl(5, 0))
    bdev.readblocks(0, block)
    if block == b"\xff" * len(block):
        print("Performing initial setup")
        vfs.VfsLfs2.mkfs(bdev)
        vfs.mount(vfs.VfsLfs2(bdev), "/")
        return
    import time

    ask("U")  # Ctrl-C ends it
    while True:
        print(_CORRUPT)
        time.sleep(3)


def _print_exception(exc):
    """Prints the traceback as the port does, without this file in it."""
    import io

    text = io.StringIO()
    sys.print_exception(exc, text)
    for line in text.getvalue().split("\n")[:-1]:
        if "vb_start" not in line:
            print(line)


def _run(name, scope):
    try:
        os.stat(name)
    except OSError:
        return True
    try:
        execfile(name, scope)  # noqa: F821 (a builtin of MicroPython)
    except SystemExit:
        halt("q")
    except BaseException as exc:  # noqa: BLE001 (whatever ended the program, the prompt follows)
        _print_exception(exc)
        return False
    return True


def start(scope):
    """Runs once after every reset; `scope` is the namespace of the prompt."""
    runs_main = _install_shims()
    sys.path[:] = ("", ".frozen", "/lib")
    try:
        _mount()
        gc.collect()
        ask("U")
    except (KeyboardInterrupt, OSError) as exc:
        ask("U")
        return _print_exception(exc)
    if _run("boot.py", scope) and runs_main:
        _run("main.py", scope)
