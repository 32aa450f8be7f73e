"""What happened to the board, as JSON lines, for tests and the demo."""

import json
from pathlib import Path

from tools.virtual_board.world import World


class Events:
    def __init__(self, path: Path | None, world: World):
        self._file = path.open("a") if path else None
        self._world = world

    def emit(self, event: str, **details) -> None:
        if self._file:
            details = {"event": event, "time": round(self._world.now(), 3), **details}
            print(json.dumps(details), file=self._file, flush=True)
