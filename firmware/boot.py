"""Before main.py: memory and the root file system set up for a small device."""

import gc

# Loading code leaves garbage between what stays. Collected late, the holes are too small to use
# and an uplink wake runs out of memory with a third of the heap free.
gc.threshold(4096)
try:
    import hal

    hal.mount_root()
except Exception as e:  # noqa: BLE001 - main.py is not started after this, or gone with the volume
    import sys
    import time

    import machine

    sys.print_exception(e)
    # For a person's Ctrl-C; then no prompt keeps a battery busy.
    time.sleep(10)
    machine.deepsleep(3600000)
