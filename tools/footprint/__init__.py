"""What the firmware takes of a board, and ceilings that only fall: `python -m tools.footprint`."""
