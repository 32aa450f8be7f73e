"""The control port: what the customer, the warehouse and the tester do. Plain HTTP, all JSON."""

from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

from tools.drs_sim import page, settings
from tools.drs_sim.accounts import PROBLEMS, UnknownThing
from tools.drs_sim.clock import MAX_SPEED
from tools.drs_sim.inputs import BadInput
from tools.drs_sim.orders import WrongPhase
from tools.drs_sim.settings import read_fields
from tools.drs_sim.state import order_view, slot_view, snapshot

_LONG_POLL_S = 10.0


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
            *settings.routes(sim),
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
        fields = await read_fields(request)
        model, serial = settings.take_name(fields, "model"), settings.take_name(fields, "serial")
        slots = settings.take_slots(fields)
        test = fields.flag("test", False)
        fields.done()
        with self._sim.step() as now_ms:
            secrets = self._sim.accounts.register(model, serial, slots, test, now_ms)
        return JSONResponse({**secrets, "model": model, "serial": serial, "slots": slots})

    async def revoke(self, request):
        """`POST /devices/{serial}/revoke`: the customer removes the app."""
        (await read_fields(request)).done()
        serial = request.path_params["serial"]
        with self._sim.step() as now_ms:
            self._sim.deregister(serial, now_ms)
        return JSONResponse({"serial": serial, "revoked": True})

    async def subscription(self, request):
        """`POST /devices/{serial}/slots/{slot}/subscription`."""
        fields = await read_fields(request)
        subscribed = fields.flag("subscribed")
        fields.done()
        with self._sim.step() as now_ms:
            row = self._sim.subscribe(**request.path_params, subscribed=subscribed, now_ms=now_ms)
            return JSONResponse(slot_view(self._sim, row))

    async def next_order(self, request):
        """`POST /devices/{serial}/slots/{slot}/next-order`."""
        fields = await read_fields(request)
        problem = fields.text("problem", choices=(*PROBLEMS, None))
        fields.done()
        with self._sim.step():
            row = self._sim.accounts.set_next_problem(**request.path_params, problem=problem)
            return JSONResponse(slot_view(self._sim, row))

    async def order(self, verb, request):
        """`POST /orders/{id}/resolve|cancel|ship|deliver`."""
        (await read_fields(request)).done()
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
        fields = await read_fields(request)
        speed = fields.number("speed", None, high=MAX_SPEED)
        paused = fields.flag("paused", None)
        fields.done()
        self._sim.clock.set(speed, paused)
        self._sim.tick()
        return JSONResponse(self._sim.clock.as_dict())

    async def advance(self, request):
        """`POST /clock/advance`: everything that falls due on the way happens, in order."""
        fields = await read_fields(request)
        seconds = fields.number("seconds", high=10**10)
        fields.done()
        try:
            self._sim.clock.advance(round(seconds * 1000))
        except ValueError as error:
            raise fields.error("seconds", str(error)) from error
        self._sim.tick()
        return JSONResponse(self._sim.clock.as_dict())


async def _error(status, request, error):
    return JSONResponse({"error": str(error)}, status)


async def _http_error(request, error):
    message = f"{error.detail}: {request.method} {request.url.path}"
    return JSONResponse({"error": message}, error.status_code, headers=error.headers)
