"""Before main.py: memory, the version to run, and the root file system, for a small device."""

import gc
import sys

# Loading code leaves garbage between what stays. Collected late, the holes are too small to use
# and an uplink wake runs out of memory with a third of the heap free.
gc.threshold(4096)
try:
    # What MicroPython itself brings is looked for in flash first, at each import of it (70 reads),
    # unless it is known already.
    sys.path[:] = [".frozen"]
    for name in ("binascii", "json", "machine", "os", "struct", "time"):
        sys.modules[name] = __import__(name)
    # The version's folder. `make deploy` replaces this file as a whole, by rename, last of all.
    sys.path += ["", "/lib"]
    import hal

    hal.mount_root()
except Exception as e:  # noqa: BLE001 - main.py is not started after this, or gone with the volume
    import time

    import machine

    sys.print_exception(e)
    # For a person's Ctrl-C; then no prompt keeps a battery busy.
    time.sleep(10)
    machine.deepsleep(3600000)
