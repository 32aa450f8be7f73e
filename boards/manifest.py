# The agent, frozen into an image by MicroPython's own build; a board's manifest.py includes this
# and adds its board.py. What is frozen is started before what lies in flash, boot.py included, so
# such a board is updated by flashing an image, not by `make deploy`.
include("$(PORT_DIR)/boards/manifest.py")
for name in ("boot.py", "main.py", "app.py", "attended.py", "hal.py"):
    module(name, base_path="../firmware", opt=2)
package("lowtide", base_path="../firmware", opt=2)
