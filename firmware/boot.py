"""Before main.py: memory and the root file system set up for a small device."""

import gc

import hal

# Loading code leaves garbage between what stays. Collected late, the holes are too small to use
# and an uplink wake runs out of memory with a third of the heap free.
gc.threshold(4096)
try:
    hal.mount_root()
except OSError as e:
    # Without a volume there is no main.py that could put the board to sleep.
    hal.rescue(e, 3600)
