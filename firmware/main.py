"""Start the agent. Short, since it is compiled at every start; whatever fails ends in sleep."""

try:
    import app

    app.run()
except Exception as e:  # noqa: BLE001 - a board at the prompt never sleeps again
    # hal may be what could not be loaded.
    import sys
    import time

    import machine

    sys.print_exception(e)
    time.sleep(10)
    machine.deepsleep(600000)
