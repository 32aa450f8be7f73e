"""Start the agent; compiled at each start, so short."""

try:
    import app

    app.run()
except Exception as e:  # hal may be what could not be loaded
    import sys
    import time

    import machine

    sys.print_exception(e)
    time.sleep(10)
    machine.deepsleep(600000)
