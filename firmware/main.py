"""Start the agent."""

try:
    import app

    app.run()
except Exception as e:
    # Not by hal, which may be what could not be loaded. The wait is for Ctrl-C; a prompt would
    # keep a battery busy.
    import sys
    import time

    import machine

    sys.print_exception(e)
    time.sleep(10)
    machine.deepsleep(600000)
