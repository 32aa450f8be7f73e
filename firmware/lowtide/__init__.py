"""Lowtide: measures a consumable, orders it once, remembers the order."""

VERSION = "0.1.0"
# 2024-01-01: a clock that says less has not been set.
SINCE_S = 1704067200
