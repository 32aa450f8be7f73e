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


def _install_shims(cut_after):
    import vb_flashbdev

    if cut_after:
        from vb_cut import CutFlash

        vb_flashbdev.bdev = CutFlash(cut_after)
    sys.modules["flashbdev"] = vb_flashbdev
    for name in ("time", "micropython", "machine", "network", "esp32"):
        sys.modules[name] = __import__("vb_" + name)
    for name in list(sys.modules):
        if name.startswith("vb_"):
            del sys.modules[name]


def _mount():
    from flashbdev import bdev

    vfs.umount("/rom")
    vfs.umount("/")
    try:
        vfs.mount(vfs.VfsLfs2(bdev), "/")
        os.chdir("/")
    except OSError:
        print(_CORRUPT)


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
    runs_main, cut_after = ask("h").split()
    _install_shims(int(cut_after))
    _mount()
    sys.path[:] = ("", ".frozen", "/lib")
    gc.collect()
    try:
        ask("U")
    except KeyboardInterrupt as exc:
        return _print_exception(exc)
    if _run("boot.py", scope) and runs_main == b"1":
        _run("main.py", scope)
