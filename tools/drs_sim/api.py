"""The service's routes: DRS, Login with Amazon and the subscribers' side of SNS on one host."""

from starlette.routing import Route, Router

from tools.drs_sim import consent, lwa, reports, sns_api
from tools.drs_sim import drs as acts
from tools.drs_sim.drs import drs
from tools.drs_sim.operation import Operation, Refused

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def create_app(sim) -> Router:
    """Return the service."""

    def route(path, act, *methods):
        return Route(path, Operation(sim, act), methods=methods)

    device_status = drs("DrsDeviceStatus", reports.device_status)
    cancel = drs("DrsCancelTestOrders", acts.cancel_test_orders)
    info = drs("DrsSubscriptionInfo", acts.subscription_info, results=("1.0", "2.0"))
    registration_v1 = "/deviceModels/{model}/devices/{serial}/registration"
    # No Starlette round it: nothing here needs its middleware, which costs on every call.
    return Router(
        routes=[
            route("/replenish/{slot}", drs("DrsReplenish", acts.replenish), "POST"),
            route("/auth/o2/token", lwa.token, "POST"),
            route("/auth/O2/token", lwa.token, "POST"),
            route("/getOrderInfo/{order_id}", drs("DrsOrderInfo", acts.get_order_info), "GET"),
            route("/subscriptionInfo", info, "GET"),
            route("/slotStatus/{slot}", drs("DrsSlotStatus", reports.slot_status), "POST"),
            route("/deviceStatus", device_status, "POST"),
            route("/deviceStatus/{id}", device_status, "POST"),
            route("/testOrders", cancel, "DELETE"),
            route("/testOrders/slots/{slot}", cancel, "DELETE"),
            route("/testOrders/{slot}", _old_path(cancel), "DELETE"),
            route("/registration", drs("DrsDeregister", acts.deregister, "2.0"), "DELETE"),
            route(registration_v1, drs("DrsDeregister", acts.deregister), "DELETE"),
            route("/ap/oa", consent.authorise, "GET", "POST"),
            route("/", sns_api.action, "GET", "POST"),
            route("/{name}.pem", sns_api.certificate, "GET"),
            route("/{rest:path}", _unknown, *_METHODS),
        ]
    )


def _old_path(cancel):
    """CancelTestOrder as the documents of 2017 have it, where the option asks for it."""

    def checked(sim, call):
        return (cancel if sim.options["test_order_path"] == "both" else _unknown)(sim, call)

    return checked


def _unknown(sim, call):
    request = call.request
    raise Refused(404, {"message": f"no such operation: {request.method} {request.url.path}"})
