"""The page itself: its frame, the clock, the customer's inbox, the wire log, the faults."""

import json
import re
from html import escape

from tools.drs_sim.clock import parse_iso
from tools.drs_sim.page_lanes import lanes
from tools.drs_sim.page_parts import button, clock_face, clock_time, day_time, form, pill
from tools.drs_sim.wire import mask

_MAILS = 15
_REQUESTS = 40
_ISO = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_SPEEDS = ((1, "real time"), (60, "1 min/s"), (3600, "1 h/s"), (21_600, "6 h/s"))
_SOLUTIONS = {
    "address": "Correct the address",
    "payment": "Fix the payment method",
    "stock": "Choose another product",
}
_INVALID_TOKEN = {"X-Amzn-ErrorType": "InvalidTokenException:http://internal.amazon.com/coral/"}
_ORDER, _SIGN_IN = {"path": "/replenish"}, {"path": "/auth/o2/token"}
FAULTS = {
    "Order, but lose the answer": {**_ORDER, "action": "close-after"},
    "Close before ordering": {**_ORDER, "action": "close-before"},
    "Half an answer": {**_ORDER, "action": "close-during"},
    "Garbage": {**_ORDER, "action": "garbage"},
    "Answer 20 s late": {**_ORDER, "action": "delay", "seconds": 20},
    "Order answers 500": {**_ORDER, "action": "status", "status": 500},
    "Token expired": {
        **_ORDER,
        "action": "status",
        "status": 400,
        "body": {"message": "Invalid token"},
        "headers": _INVALID_TOKEN,
    },
    "Sign-in answers 500": {**_SIGN_IN, "action": "status", "status": 500},
    "Busy: 503, retry after 60 s": {
        "path": "/",
        "action": "status",
        "status": 503,
        "headers": {"Retry-After": "60"},
    },
    "Slow: 0.1 s a byte": {"path": "/", "action": "slow", "seconds": 0.1},
}


def fragments(sim) -> dict[str, str]:
    """Return all of the page that changes: HTML by the id of the element it fills."""
    now_ms = sim.clock.now_ms()
    return {
        "face": clock_face(now_ms),
        "clock-buttons": _clock_buttons(sim.clock),
        "lanes": lanes(sim, now_ms),
        "mails": _mails(sim, now_ms),
        "requests": _requests(sim),
        "fault-script": _script(sim.faults.left),
    }


def document(sim, said: str = "") -> str:
    """Return the whole page, complete without a script; `said` is the answer to a form."""
    part = fragments(sim)
    presets = "".join(button(name, "fault", name) for name in FAULTS)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Replenishment simulator</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/page.css"><script src="/static/page.js" defer></script>
</head><body>
<a class="skip" href="#orders">Skip to the orders</a>
<header id="clock" class="bar">
<div class="title"><h1>Replenishment simulator</h1><p id="link" class="quiet"></p></div>
<p class="face"><span id="face">{part["face"]}</span> <abbr title="Coordinated time">UTC</abbr></p>
<div id="clock-buttons" class="row">{part["clock-buttons"]}</div>
</header>
<p id="said" role="status" aria-live="polite">{escape(said)}</p>
<noscript><p class="quiet">Without JavaScript the page shows what is new when it is loaded.</p>
</noscript>
<main>
<section id="orders" aria-labelledby="orders-h"><h2 id="orders-h" tabindex="-1">Orders</h2>
<div id="lanes">{part["lanes"]}</div></section>
<div class="side"><section id="inbox" aria-labelledby="inbox-h">
<h2 id="inbox-h" tabindex="-1">The customer&rsquo;s inbox</h2>
<ol id="mails" class="mails">{part["mails"]}</ol></section>
<section id="faults" aria-labelledby="faults-h">
<h2 id="faults-h" tabindex="-1">Faults</h2>
<div class="card"><p class="quiet">Each button lets the next matching request go wrong, once.</p>
<div class="row">{form("fault", presets, "Add a fault")}</div>
<div id="fault-script">{part["fault-script"]}</div></div></section></div>
<section id="wire" aria-labelledby="wire-h"><h2 id="wire-h" tabindex="-1">On the wire</h2>
<ol id="requests" class="requests">{part["requests"]}</ol></section>
</main></body></html>
"""


def newest_mail(sim) -> tuple[int, str]:
    """Return number and subject of the newest e-mail."""
    row = sim.store.one("SELECT seq, subject FROM emails ORDER BY seq DESC LIMIT 1")
    return (row["seq"], row["subject"]) if row is not None else (0, "")


def _clock_buttons(clock):
    jumps = "".join(button(f"+{hours} h", "hours", hours) for hours in (1, 24, 72))
    run = button("Run" if clock.paused else "Pause", "paused", int(not clock.paused), "primary")
    speeds = "".join(
        button(text, "speed", speed, pressed=clock.speed == speed) for speed, text in _SPEEDS
    )
    odd = "" if clock.speed in dict(_SPEEDS) else f'<span class="quiet">{clock.speed:g} s/s</span>'
    return (
        f"{form('clock', jumps, 'Jump ahead')}{form('clock', run)}"
        f'<div class="segments">{form("clock", speeds, "Speed")}</div>{odd}'
    )


def _mails(sim, now_ms):
    rows = sim.store.all("SELECT * FROM emails ORDER BY seq DESC LIMIT ?", _MAILS)
    drawn, answered = [], set()
    for row in rows:
        buttons = ""
        if row["order_id"] is not None and row["order_id"] not in answered:
            answered.add(row["order_id"])  # only an order's newest e-mail has its buttons
            buttons = _customer_buttons(sim, row["order_id"], now_ms)
        drawn.append(
            f'<li id="mail-{row["seq"]}" class="mail {row["kind"]}"><h3 tabindex="-1">'
            f'{escape(row["subject"])}</h3><p class="quiet">{day_time(row["time_ms"])} · '
            f"{escape(row['serial'])}</p><p>{_with_times(row['text'])}</p>{buttons}</li>"
        )
    return "".join(drawn) or '<li class="quiet">Nothing yet.</li>'


def _with_times(text):
    return _ISO.sub(lambda found: day_time(parse_iso(found[0])), escape(text))


def _customer_buttons(sim, order_id, now_ms):
    order = sim.orders.find(order_id)
    cancel = button("Cancel the order", "verb", "cancel", "danger")
    if order["phase"] == "resolution":
        solve = button(_SOLUTIONS[order["problem"]], "verb", "resolve", "primary")
        return form("order", solve + cancel, "Answer", id=order_id)
    if order["phase"] == "placed" and not order["test"] and now_ms < order["cancel_by_ms"]:
        return form("order", cancel, "Answer", id=order_id)
    return ""


def _requests(sim):
    rows = sim.store.all("SELECT * FROM requests ORDER BY seq DESC LIMIT ?", _REQUESTS)
    return "".join(_request(sim, row) for row in rows) or '<li class="quiet">Nothing yet.</li>'


def _request(sim, row):
    status = row["status"]
    kind = "none" if status is None else "delivered" if status < 400 else "cancelled"
    fault = pill("resolution", f"fault: {row['fault']}") if row["fault"] else ""
    return (
        f'<li id="request-{row["seq"]}"><details><summary>'
        f"<time>{clock_time(row['time_ms'])}</time>"
        f"<code>{escape(row['method'])} {escape(mask(row['path']))}</code>"
        f'<span class="state">{fault}<span class="quiet">{escape(row["detail_code"] or "")}</span>'
        f"{pill(kind, str(status or 'no answer'))}</span></summary>"
        f"{_exchange(sim.wire.exchange(row['seq']), row['fault'])}</details></li>"
    )


def _exchange(exchange, fault):
    if exchange is None:
        return '<p class="quiet">Only the last 200 requests since the start are kept whole.</p>'
    title = "Answer meant for it" if fault else "Answer"
    request = _message(exchange.request_line, exchange.request_headers, exchange.request_body)
    answer = _message(f"HTTP {exchange.status}", exchange.answer_headers, exchange.answer_body)
    return (
        f'<div class="exchange"><div><h4>Request</h4>{request}</div>'
        f"<div><h4>{title}</h4>{answer}</div></div>"
    )


def _message(first_line, headers, body):
    lines = [first_line, *(f"{name}: {value}" for name, value in headers), "", body]
    return f'<pre tabindex="0">{escape(chr(10).join(lines))}</pre>'


def _script(left):
    if not left:
        return '<p class="quiet">No fault is set.</p>'
    rows = "".join(f"<li><code>{escape(_fault_words(fault))}</code></li>" for fault in left)
    clear = form("fault", button("Clear all faults", "clear", "1", "danger"))
    return f'<ol class="script">{rows}</ol>{clear}'


def _fault_words(fault):
    details = {name: fault[name] for name in ("status", "seconds") if name in fault}
    extra = f" {json.dumps(details)}" if details else ""
    return f"{fault['path']}: {fault['action']}{extra}, {fault['times']} more"
