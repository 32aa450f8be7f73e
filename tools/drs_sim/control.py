"""The control port: what the customer, the warehouse and the tester do. Plain HTTP, all JSON."""

import re
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tools.drs_sim import page
from tools.drs_sim.accounts import PROBLEMS, UnknownThing
from tools.drs_sim.clock import MAX_SPEED
from tools.drs_sim.inputs import BadInput, Fields, parse_json
from tools.drs_sim.orders import WrongPhase
from tools.drs_sim.state import order_view, slot_view, snapshot

_LONG_POLL_S = 10.0
_NAME = re.compile(r"[A-Za-z0-9+_-]{1,64}")  # Amazon's rule for models and serials
_SLOT = re.compile(r"[\x21-\x2e\x30-\x7e]{1,255}")


def create_app(sim) -> Starlette:
    """Return the control application."""
    control = Control(sim)
    slot = "/devices/{serial}/slots/{slot}"
    order_routes = [
        Route(f"/orders/{{id}}/{verb}", partial(control.order, verb), methods=["POST"])
        for verb in ("resolve", "cancel", "ship", "deliver")
    ]
    return Starlette(
        routes=[
            *page.routes(sim),
            Route("/state", control.state),
            Route("/devices", control.register, methods=["POST"]),
            Route("/devices/{serial}/revoke", control.revoke, methods=["POST"]),
            Route(f"{slot}/subscription", control.subscription, methods=["POST"]),
            Route(f"{slot}/next-order", control.next_order, methods=["POST"]),
            *order_routes,
            Route("/clock", control.clock),
            Route("/clock", control.set_clock, methods=["POST"]),
            Route("/clock/advance", control.advance, methods=["POST"]),
            Route("/faults", control.faults),
            Route("/faults", control.set_faults, methods=["PUT"]),
        ],
        exception_handlers={
            BadInput: partial(_error, 400),
            UnknownThing: partial(_error, 404),
            WrongPhase: partial(_error, 409),
            HTTPException: _http_error,
        },
    )


class Control:
    """The handlers. Each mutation is one step of the simulator."""

    def __init__(self, sim):
        self._sim = sim

    async def state(self, request):
        """`GET /state`."""
        with self._sim.step():
            return JSONResponse(snapshot(self._sim))

    async def register(self, request):
        """`POST /devices`."""
        fields = await _fields(request)
        model, serial = _name(fields, "model"), _name(fields, "serial")
        slots = _slots(fields)
        test = fields.flag("test", False)
        fields.done()
        with self._sim.step() as now_ms:
            secrets = self._sim.accounts.register(model, serial, slots, test, now_ms)
        return JSONResponse({**secrets, "model": model, "serial": serial, "slots": slots})

    async def revoke(self, request):
        """`POST /devices/{serial}/revoke`: the customer removes the app."""
        (await _fields(request)).done()
        serial = request.path_params["serial"]
        with self._sim.step() as now_ms:
            self._sim.accounts.revoke(serial, now_ms)
        return JSONResponse({"serial": serial, "revoked": True})

    async def subscription(self, request):
        """`POST /devices/{serial}/slots/{slot}/subscription`."""
        fields = await _fields(request)
        subscribed = fields.flag("subscribed")
        fields.done()
        with self._sim.step() as now_ms:
            row = self._sim.accounts.subscribe(
                **request.path_params, subscribed=subscribed, now_ms=now_ms
            )
            return JSONResponse(slot_view(self._sim, row))

    async def next_order(self, request):
        """`POST /devices/{serial}/slots/{slot}/next-order`."""
        fields = await _fields(request)
        problem = fields.text("problem", choices=(*PROBLEMS, None))
        fields.done()
        with self._sim.step():
            row = self._sim.accounts.set_next_problem(**request.path_params, problem=problem)
            return JSONResponse(slot_view(self._sim, row))

    async def order(self, verb, request):
        """`POST /orders/{id}/resolve|cancel|ship|deliver`."""
        (await _fields(request)).done()
        order_id = request.path_params["id"]
        with self._sim.step() as now_ms:
            getattr(self._sim.orders, verb)(order_id, now_ms)
            return JSONResponse(order_view(self._sim.orders.find(order_id)))

    async def clock(self, request):
        """`GET /clock`, at once or, with `after=VERSION`, when that version is over."""
        after = request.query_params.get("after")
        if after is not None:
            if not after.isascii() or not after.isdigit():
                raise BadInput("after: must be a clock version")
            await self._sim.clock.wait_change(int(after), _LONG_POLL_S)
        return JSONResponse(self._sim.clock.as_dict())

    async def set_clock(self, request):
        """`POST /clock`."""
        fields = await _fields(request)
        speed = fields.number("speed", None, high=MAX_SPEED)
        paused = fields.flag("paused", None)
        fields.done()
        self._sim.clock.set(speed, paused)
        self._sim.tick()
        return JSONResponse(self._sim.clock.as_dict())

    async def advance(self, request):
        """`POST /clock/advance`: everything that falls due on the way happens, in order."""
        fields = await _fields(request)
        seconds = fields.number("seconds", high=10**10)
        fields.done()
        try:
            self._sim.clock.advance(round(seconds * 1000))
        except ValueError as error:
            raise fields.error("seconds", str(error)) from error
        self._sim.tick()
        return JSONResponse(self._sim.clock.as_dict())

    async def faults(self, request):
        """`GET /faults`: what is left of the script."""
        return JSONResponse(self._sim.faults.left)

    async def set_faults(self, request):
        """`PUT /faults`: a new script in place of the old one."""
        script = parse_json(await request.body())
        with self._sim.step():
            self._sim.faults.replace(script)
        return JSONResponse(self._sim.faults.left)


async def _fields(request: Request) -> Fields:
    return Fields(parse_json(await request.body()))


def _name(fields, field):
    value = fields.text(field)
    if not _NAME.fullmatch(value):
        raise fields.error(field, "must be 1 to 64 characters of A-Z a-z 0-9 + _ -")
    return value


def _slots(fields):
    slots = fields.any("slots")
    if not isinstance(slots, list) or not slots:
        raise fields.error("slots", "must be a list of slot ids, at least one")
    if not all(isinstance(slot, str) and _SLOT.fullmatch(slot) for slot in slots):
        raise fields.error("slots", "each must be 1 to 255 printable characters, no space or /")
    if len(set(slots)) != len(slots):
        raise fields.error("slots", "must differ from each other")
    return slots


async def _error(status, request, error):
    return JSONResponse({"error": str(error)}, status)


async def _http_error(request, error):
    message = f"{error.detail}: {request.method} {request.url.path}"
    return JSONResponse({"error": message}, error.status_code, headers=error.headers)
