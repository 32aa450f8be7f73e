"""What the parts of the page share: escaping, times for people, forms with buttons."""

from datetime import UTC, datetime
from html import escape

MINUTE_MS = 60_000
DAY_MS = 86_400_000


def day_time(at_ms: int) -> str:
    """Return `Mon 4 Jan 08:00` in a time element."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    text = f"{moment:%a} {moment.day} {moment:%b %H:%M}"
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{text}</time>'


def day_name(at_ms: int) -> str:
    """Return `4 Jan`."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment.day} {moment:%b}"


def clock_face(at_ms: int) -> str:
    """Return `Mon 4 Jan 2027 08:00:00`."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%a} {moment.day} {moment:%b %Y %H:%M:%S}"


def clock_time(at_ms: int) -> str:
    """Return `4 Jan 08:00:00`, for lists where order matters."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment.day} {moment:%b %H:%M:%S}"


def span(length_ms: int) -> str:
    """Return how long, in the two largest units that matter: `2 d 4 h`, `3 h`, `12 min`."""
    minutes = max(0, length_ms) // MINUTE_MS
    hours, days = minutes // 60, minutes // (24 * 60)
    if days:
        return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"
    if hours:
        return f"{hours} h {minutes % 60} min" if hours < 3 and minutes % 60 else f"{hours} h"
    return f"{minutes} min"


def button(label: str, name: str, value, kind: str = "", pressed: bool | None = None) -> str:
    """Return a button that submits its form with `name=value`."""
    state = "" if pressed is None else f' aria-pressed="{str(pressed).lower()}"'
    style = f' class="{kind}"' if kind else ""
    chosen = f'name="{name}" value="{escape(str(value))}"'
    return f"<button{style} {chosen}{state}>{escape(label)}</button>"


def form(action: str, buttons: str, label: str = "", **fields) -> str:
    """Return a form that posts to the page; `label` names the group for a screen reader."""
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    group = f' role="group" aria-label="{escape(label)}"' if label else ""
    return f'<form method="post" action="/page/{action}"{group}>{hidden}{buttons}</form>'


def pill(kind: str, text: str) -> str:
    """Return a short state in its colour."""
    return f'<span class="pill {kind}">{escape(text)}</span>'
