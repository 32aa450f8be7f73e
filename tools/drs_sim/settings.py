"""The control port, second half: faults, options, clients and subscribers."""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tools.drs_sim.accounts import UnknownThing
from tools.drs_sim.inputs import Fields, parse_json
from tools.drs_sim.sns_api import certificate_response

_NAME = re.compile(r"[A-Za-z0-9+_-]{1,64}")  # Amazon's rule for models and serials
_SLOT = re.compile(r"[\x21-\x2e\x30-\x7e]{1,255}")


def routes(sim) -> list[Route]:
    """Return the routes."""
    settings = Settings(sim)
    return [
        Route("/faults", settings.faults),
        Route("/faults", settings.set_faults, methods=["PUT"]),
        Route("/options", settings.options),
        Route("/options", settings.set_options, methods=["PUT"]),
        Route("/clients", settings.register_client, methods=["POST"]),
        Route("/subscribers", settings.subscribers),
        Route("/subscribers", settings.subscribe, methods=["POST"]),
        Route("/subscribers/{id}", settings.unsubscribe, methods=["DELETE"]),
        Route("/{name}.pem", settings.certificate),
    ]


class Settings:
    """The handlers. Each mutation is one step of the simulator."""

    def __init__(self, sim):
        self._sim = sim

    async def faults(self, request):
        """`GET /faults`: what is left of the script."""
        return JSONResponse(self._sim.faults.left)

    async def set_faults(self, request):
        """`PUT /faults`: a new script in place of the old one."""
        script = parse_json(await request.body())
        with self._sim.step():
            self._sim.faults.replace(script)
        return JSONResponse(self._sim.faults.left)

    async def options(self, request):
        """`GET /options`: every option with its value."""
        return JSONResponse(self._sim.options.as_dict())

    async def set_options(self, request):
        """`PUT /options`: new values for those that are named."""
        given = parse_json(await request.body())
        with self._sim.step():
            self._sim.options.change(given)
        return JSONResponse(self._sim.options.as_dict())

    async def register_client(self, request):
        """`POST /clients`: a maker's security profile, for devices that come by `/ap/oa`."""
        fields = await read_fields(request)
        model, slots = take_name(fields, "model"), take_slots(fields)
        fields.done()
        with self._sim.step():
            client = self._sim.accounts.client_of_model(model, slots)
        secrets = {"client_id": client["client_id"], "client_secret": client["secret"]}
        return JSONResponse({**secrets, "model": model, "slots": slots})

    async def subscribers(self, request):
        """`GET /subscribers`."""
        topic = self._sim.topic
        return JSONResponse([topic.view(row) for row in topic.subscribers()])

    async def subscribe(self, request):
        """`POST /subscribers`: the endpoint is asked to confirm."""
        fields = await read_fields(request)
        endpoint = fields.text("endpoint")
        fields.done()
        with self._sim.step() as now_ms:
            row = self._sim.topic.subscribe(endpoint, now_ms)
            return JSONResponse(self._sim.topic.view(row))

    async def unsubscribe(self, request):
        """`DELETE /subscribers/{id}`: as its UnsubscribeURL does; a second time it is gone."""
        subscriber_id = request.path_params["id"]
        with self._sim.step() as now_ms:
            self._sim.topic.unsubscribe(subscriber_id, now_ms)
        return JSONResponse({"id": subscriber_id, "unsubscribed": True})

    async def certificate(self, request):
        """`GET /….pem`: the certificate that notifications are signed under."""
        name = f"{request.path_params['name']}.pem"
        answer = certificate_response(self._sim, name)
        if answer is None:
            raise UnknownThing(f"no such certificate: /{name}")
        return answer


async def read_fields(request: Request) -> Fields:
    """Return the fields of a request's JSON body. Raises BadInput."""
    return Fields(parse_json(await request.body()))


def take_name(fields: Fields, field: str) -> str:
    """Take a model or a serial number."""
    value = fields.text(field)
    if not _NAME.fullmatch(value):
        raise fields.error(field, "must be 1 to 64 characters of A-Z a-z 0-9 + _ -")
    return value


def take_slots(fields: Fields) -> list:
    """Take a list of slot ids."""
    slots = fields.any("slots")
    if not isinstance(slots, list) or not slots:
        raise fields.error("slots", "must be a list of slot ids, at least one")
    if not all(isinstance(slot, str) and _SLOT.fullmatch(slot) for slot in slots):
        raise fields.error("slots", "each must be 1 to 255 printable characters, no space or /")
    if len(set(slots)) != len(slots):
        raise fields.error("slots", "must differ from each other")
    return slots
