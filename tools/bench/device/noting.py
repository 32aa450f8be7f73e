"""Before main.py on a board that is measured: each deep sleep notes first what the wake loaded."""

import gc
import json
import sys

import machine


def _noting(deepsleep):
    def noted(time_ms=0):
        gc.collect()
        note = json.dumps({"modules": list(sys.modules), "heap": gc.mem_alloc()})
        with open("wakes", "a") as f:
            f.write(note + "\n")
        deepsleep(time_ms)

    return noted


machine.deepsleep = _noting(machine.deepsleep)
