"""The page on which the browser ends: what became of the registration, in plain words."""

from html import escape

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>:root{{color-scheme:light dark}}body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;
margin:3rem auto;padding:0 1rem}}</style></head><body><h1>{title}</h1>{body}</body></html>
"""


def _page(title, *texts):
    body = "".join(f"<p>{escape(text)}</p>" for text in texts)
    return _PAGE.format(title=escape(title), body=body).encode()


def registered(serial, slots, slot):
    """Return the page for a device that may order; `slots`: `{name: subscribed}`."""
    if not slot:
        what = "Which of its products it orders is chosen where the registration was started."
    elif slots.get(slot):
        what = f"It orders {slot} by itself when it runs low."
    else:
        what = f"Reordering of {slot} is off: nothing is ordered until you turn it on at Amazon."
    return _page(
        "Your device is registered", f"Device {serial} is linked with your account.", what
    )


def failed(serial, reason):
    """Return the page for a device that may not."""
    return _page(
        "Your device is not registered",
        f"Device {serial} cannot order anything. {reason}",
        "Nothing was charged. To try again, go back to where the registration was started.",
    )


def unexpected():
    """Return the page for whoever comes with something else."""
    return _page("Nothing to see here", "This address only takes the answer to a registration.")
