"""Start the agent."""

try:
    import app

    app.run()
except Exception as e:
    halt(e, 600)  # noqa: F821 (boot.py)
