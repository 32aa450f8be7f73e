"""The page for people on the control port: `GET /`, its forms, and its changes as they happen.

Every button is a plain form, so that the page works without JavaScript. With it, `page.js` sends
the forms in the background and `GET /events` (server-sent events) carries what changed.
"""

import json
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from tools.drs_sim.accounts import PROBLEMS, UnknownThing
from tools.drs_sim.clock import HOUR_MS, MAX_SPEED
from tools.drs_sim.inputs import BadInput
from tools.drs_sim.orders import WrongPhase
from tools.drs_sim.page_view import FAULTS, document, fragments, newest_mail

_LOOK_S = 0.2
_BODY_LIMIT = 4096
_STATIC = Path(__file__).parent / "static"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}


def routes(sim) -> list[Route]:
    """Return the page's routes, for the control application."""
    page = Page(sim)
    forms = ("clock", "order", "slot", "fault")
    return [
        Route("/", page.whole),
        Route("/events", page.events),
        *(Route(f"/static/{name}", _asset(name)) for name in ("page.css", "page.js")),
        *(Route(f"/page/{name}", page.form(name), methods=["POST"]) for name in forms),
    ]


class Page:
    """The handlers. Each form is one step of the simulator."""

    def __init__(self, sim):
        self._sim = sim
        self._acts = {
            "clock": self._clock,
            "order": self._order,
            "slot": self._slot,
            "fault": self._fault,
        }

    async def whole(self, request):
        """`GET /`."""
        return _html(document(self._sim))

    async def events(self, request):
        """`GET /events`: all of the page once, then only what changed, and the clock's tick."""
        return StreamingResponse(
            self._changes(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    def form(self, name):
        """Return the endpoint of one form."""
        act = self._acts[name]

        async def endpoint(request: Request):
            if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                return PlainTextResponse("forms are taken from this page only", 403)
            try:
                act(await _fields(request))
            except (BadInput, ValueError) as error:
                return self._refuse(request, HTTPStatus.BAD_REQUEST, error)
            except UnknownThing as error:
                return self._refuse(request, HTTPStatus.NOT_FOUND, error)
            except WrongPhase as error:
                return self._refuse(request, HTTPStatus.CONFLICT, error)
            if _is_live(request):
                return Response(status_code=HTTPStatus.NO_CONTENT)
            return RedirectResponse("/", HTTPStatus.SEE_OTHER)

        return endpoint

    async def _changes(self):
        clock, shown, face = self._sim.clock, {}, None
        mail, _ = newest_mail(self._sim)
        while not clock.closed:
            version = clock.version
            parts = fragments(self._sim)
            changed = {name: html for name, html in parts.items() if shown.get(name) != html}
            shown = parts
            if face != changed.pop("face", face):
                face = parts["face"]
                yield _event("tick", {"now_ms": clock.now_ms(), "face": face})
            if changed:
                number, subject = newest_mail(self._sim)
                say = f"E-mail to the customer: {subject}" if number > mail else None
                mail = number
                yield _event("change", {"fragments": changed, "say": say})
            await clock.wait_change(version, _LOOK_S)

    def _refuse(self, request, status, error):
        if _is_live(request):
            return PlainTextResponse(str(error), status)
        return _html(document(self._sim, f"Not done: {error}"), status)

    def _clock(self, fields):
        clock = self._sim.clock
        if "hours" in fields:
            clock.advance(_whole(fields["hours"]) * HOUR_MS)
        if "paused" in fields:
            clock.set(paused=fields["paused"] == "1")
        if "speed" in fields:
            clock.set(min(_whole(fields["speed"]), MAX_SPEED))
        self._sim.tick()

    def _order(self, fields):
        verb = _choice(fields, "verb", ("resolve", "cancel", "ship", "deliver"))
        with self._sim.step() as now_ms:
            getattr(self._sim.orders, verb)(_text(fields, "id"), now_ms)

    def _slot(self, fields):
        place = _text(fields, "serial"), _text(fields, "slot")
        with self._sim.step() as now_ms:
            if "subscribed" in fields:
                on = _choice(fields, "subscribed", ("on", "off")) == "on"
                self._sim.subscribe(*place, on, now_ms)
            else:
                problem = _choice(fields, "problem", (*PROBLEMS, "none"))
                problem = None if problem == "none" else problem
                self._sim.accounts.set_next_problem(*place, problem)

    def _fault(self, fields):
        with self._sim.step():
            if "clear" in fields:
                self._sim.faults.replace([])
            else:
                fault = FAULTS[_choice(fields, "fault", tuple(FAULTS))]
                self._sim.faults.replace([*self._sim.faults.left, fault])


def _asset(name):
    async def endpoint(request):
        return FileResponse(_STATIC / name, headers={"Cache-Control": "no-cache"})

    return endpoint


def _html(text, status=HTTPStatus.OK):
    return Response(text, status, _HEADERS, "text/html")


def _event(kind, data):
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def _is_live(request):
    return request.headers.get("x-page") == "live"


async def _fields(request):
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise BadInput("body: too large")
    return {name: values[0] for name, values in parse_qs(body.decode(), max_num_fields=8).items()}


def _text(fields, name):
    if name not in fields:
        raise BadInput(f"{name}: missing")
    return fields[name]


def _choice(fields, name, choices):
    value = _text(fields, name)
    if value not in choices:
        raise BadInput(f"{name}: must be one of {', '.join(choices)}")
    return value


def _whole(text):
    if not text.isascii() or not text.isdigit() or len(text) > 7:
        raise BadInput(f"not a number that serves: {text}")
    return int(text)
