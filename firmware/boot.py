"""Before main.py: memory, which version runs, the root file system."""

import gc
import sys


def halt(e, seconds):
    # For main.py, too, which runs among these names; hal may be what could not be loaded.
    import time

    import machine

    sys.print_exception(e)
    # For Ctrl-C; a prompt would keep a battery busy.
    time.sleep(10)
    machine.deepsleep(seconds * 1000)


# Collected late, loading leaves holes too small for an uplink; but megabytes take their time.
gc.threshold(max(4096, gc.mem_free() >> 6))
try:
    # Else each import of these looks in flash first: 70 reads.
    sys.path[:] = [".frozen"]
    for name in ["binascii", "json", "machine", "os", "struct", "time"]:
        sys.modules[name] = __import__(name)
    # `make deploy` replaces this file, by rename, last of all.
    sys.path += ["", "/lib"]
    import hal

    hal.mount_root()
except Exception as e:
    # main.py is not started after this.
    halt(e, 3600)
