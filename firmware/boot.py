"""Before main.py: memory, which version runs, and the root file system."""

import gc
import sys

# Collected late, the garbage of loading leaves holes that are too small for an uplink.
gc.threshold(4096)
try:
    # Else every import of these is looked for in flash first: 70 reads.
    sys.path[:] = [".frozen"]
    for name in ("binascii", "json", "machine", "os", "struct", "time"):
        sys.modules[name] = __import__(name)
    # The version's folder: `make deploy` replaces this file, by rename, last of all.
    sys.path += ["", "/lib"]
    import hal

    hal.mount_root()
except Exception as e:  # noqa: BLE001 - main.py is not started after this
    import time

    import machine

    sys.print_exception(e)
    # For a person's Ctrl-C; then no prompt keeps a battery busy.
    time.sleep(10)
    machine.deepsleep(3600000)
