"""Start the agent."""

try:
    import app

    app.run()
except Exception as e:
    # By boot.py, among whose names this runs.
    halt(e, 600)
