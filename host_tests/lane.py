"""Runs one file of both/ inside the real MicroPython and reports each test as a JSON line.

Not for CPython: `mp_runner` starts it with the test's module name, in an empty folder.
"""

import gc
import io
import json
import os
import sys

MARK = "@lane "


def trace(error):
    """Return what MicroPython prints for an exception."""
    out = io.StringIO()
    sys.print_exception(error, out)
    return out.getvalue()


def report(name, failure):
    """Hand one result to the runner; the mark tells it from what a test prints."""
    print(MARK + json.dumps({"name": name, "failure": failure}))


def main(module_name):
    """Run every `test_*` of the module, each in an empty folder of its own."""
    home = os.getcwd()
    try:
        module = __import__(module_name)
    except BaseException as e:  # noqa: BLE001 - whatever it is, the runner shows it
        report("", trace(e))
        return
    for name in sorted(dir(module)):
        if not name.startswith("test_"):
            continue
        os.mkdir(home + "/" + name)
        os.chdir(home + "/" + name)
        failure = None
        gc.collect()
        try:
            getattr(module, name)()
        except BaseException as e:  # noqa: BLE001 - SystemExit in a test is a failure too
            failure = trace(e)
        report(name, failure)


main(sys.argv[1])
