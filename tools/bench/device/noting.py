"""Before main.py on a board that is measured: before each deep sleep it says what the wake took.

On the serial port and not in a file: the flash is measured too.
"""

import gc
import json
import sys
import time

import machine


def _noting(deepsleep, began):
    def noted(time_ms=0):
        took_us = time.ticks_diff(time.ticks_us(), began)
        gc.collect()
        note = {"modules": list(sys.modules), "heap": gc.mem_alloc(), "us": took_us}
        print(json.dumps(note))
        deepsleep(time_ms)

    return noted


machine.deepsleep = _noting(machine.deepsleep, time.ticks_us())
