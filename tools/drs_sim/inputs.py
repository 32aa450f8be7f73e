"""Checks on JSON that people send to the control port: one clear line that names the field."""

import json
import math


class BadInput(Exception):
    """The input is malformed; the message names the field and what it must be."""


_MISSING = object()


class Fields:
    """The fields of one JSON object, taken one by one; `done` refuses what is left over."""

    def __init__(self, value, where: str = ""):
        self._prefix = where and f"{where}."
        if not isinstance(value, dict):
            raise BadInput(f"{where or 'body'}: must be a JSON object")
        self._left = dict(value)

    def text(self, name: str, default=_MISSING, choices=None):
        """Take a string that is not empty, or one of `choices` (which may hold None)."""
        value = self._take(name, default)
        if choices is not None:
            if not any(value is choice or value == choice for choice in choices):
                wanted = ", ".join(json.dumps(choice) for choice in choices)
                raise self.error(name, f"must be one of {wanted}")
        elif value is not default and (not isinstance(value, str) or not value):
            raise self.error(name, "must be a string that is not empty")
        return value

    def flag(self, name: str, default=_MISSING):
        """Take true or false."""
        value = self._take(name, default)
        if value is not default and not isinstance(value, bool):
            raise self.error(name, "must be true or false")
        return value

    def number(self, name: str, default=_MISSING, low=0, high=math.inf, whole=False):
        """Take a finite number from `low` to `high`."""
        value = self._take(name, default)
        if value is default:
            return value
        kinds = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            span = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
            raise self.error(name, f"must be a {'whole ' * whole}number {span}")
        if math.isinf(value):
            raise self.error(name, "must be finite")
        return value

    def any(self, name: str, default=_MISSING):
        """Take a value of any kind."""
        return self._take(name, default)

    def done(self) -> None:
        """Refuse fields that nobody took: they are misspelt."""
        for name in self._left:
            raise self.error(name, "no such field")

    def error(self, name: str, problem: str) -> BadInput:
        """Return the error for a field."""
        return BadInput(f"{self._prefix}{name}: {problem}")

    def _take(self, name, default):
        if name in self._left:
            return self._left.pop(name)
        if default is _MISSING:
            raise self.error(name, "missing")
        return default


def parse_json(body: bytes):
    """Return the JSON value of a request body; an empty body is an empty object."""
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
        return value
    except (ValueError, RecursionError) as error:
        raise BadInput(f"body: not JSON: {error}") from error
