"""Before main.py: memory, which version runs, the root file system."""

import gc
import sys


def halt(e, seconds):
    # main.py's, too: hal may be missing. At a prompt a board never sleeps.
    import time

    import machine

    sys.print_exception(e)
    time.sleep(10)
    machine.deepsleep(seconds * 1000)


# Or loading leaves holes.
gc.threshold(4096)
try:
    # Or each of these is sought in flash.
    sys.path[:] = [".frozen"]
    for name in ("binascii", "json", "machine", "os", "struct", "time"):
        sys.modules[name] = __import__(name)
    sys.path += ["", "/lib"]
    import hal

    hal.mount_root()
except Exception as e:
    halt(e, 3600)
