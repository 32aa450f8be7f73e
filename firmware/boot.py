"""Before main.py: mount the root so that the order record stays cheap."""

import hal

hal.mount_root()
