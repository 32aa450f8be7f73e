"""Before main.py: memory, which version runs, the root file system."""

import gc
import sys

# Collected late, loading leaves holes too small for an uplink.
gc.threshold(4096)
# Else each import of these looks in flash first: 70 reads.
sys.path[:] = [".frozen"]
for name in ("binascii", "json", "machine", "os", "struct", "time"):
    sys.modules[name] = __import__(name)
# `make deploy` replaces this file, by rename, last of all.
sys.path += ["", "/lib"]
try:
    import hal

    hal.mount_root()
except Exception as e:
    # main.py meets it, too, and sleeps; after an exception here it would not be started.
    sys.print_exception(e)
