"""The virtual board's wiring: an analogue gauge whose voltage `--level` sets."""

GAUGE_PIN = 34
EMPTY_UV = 150000
FULL_UV = 2450000
