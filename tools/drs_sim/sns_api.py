"""The part of SNS that a subscriber calls: confirm, unsubscribe, fetch the certificate."""

import uuid
from xml.sax.saxutils import escape

from starlette.responses import Response

from tools.drs_sim.accounts import UnknownThing
from tools.drs_sim.operation import Answer, Refused
from tools.drs_sim.sns_message import TOPIC_ARN, subscription_arn

_XML = {"Content-Type": "text/xml"}
_PEM_TYPE = "application/x-pem-file"
_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"


def action(sim, call) -> Answer:
    """`GET /?Action=ConfirmSubscription|Unsubscribe`."""
    query = call.request.query_params
    match query.get("Action"):
        case "ConfirmSubscription":
            return _confirm(sim, query)
        case "Unsubscribe":
            return _unsubscribe(sim, query, call.now_ms)
    raise Refused(404, {"message": f"no such operation: {call.request.method} /"})


def certificate(sim, call) -> Answer:
    """`GET /SimpleNotificationService-….pem`."""
    signer = sim.topic.press.signer
    if f"{call.path_params['name']}.pem" != signer.name:
        raise Refused(404, {"message": "no such certificate"})
    return Answer(200, signer.pem, {"Content-Type": _PEM_TYPE})


def certificate_response(sim, name: str) -> Response | None:
    """Return the same for the control port, or None for any other name."""
    signer = sim.topic.press.signer
    return Response(signer.pem, media_type=_PEM_TYPE) if name == signer.name else None


def _confirm(sim, query):
    row = None
    if query.get("TopicArn") == TOPIC_ARN:
        row = sim.topic.confirm(query.get("Token", ""))
    if row is None:
        raise _error("InvalidParameter", "Invalid parameter: Token")
    arn = escape(subscription_arn(row["id"]))
    inner = f"<SubscriptionArn>{arn}</SubscriptionArn>"
    return _xml(
        "ConfirmSubscription", f"<ConfirmSubscriptionResult>{inner}</ConfirmSubscriptionResult>"
    )


def _unsubscribe(sim, query, now_ms):
    topic_arn, _, subscriber_id = query.get("SubscriptionArn", "").rpartition(":")
    try:
        if topic_arn != TOPIC_ARN:
            raise UnknownThing("no such topic")
        sim.topic.unsubscribe(subscriber_id, now_ms)
    except UnknownThing as unknown:
        raise _error("NotFound", "Subscription does not exist", 404) from unknown
    return _xml("Unsubscribe", "")


def _xml(name, inner):
    meta = f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
    text = f'<{name}Response xmlns="{_NAMESPACE}">{inner}{meta}</{name}Response>'
    return Answer(200, text.encode(), dict(_XML))


def _error(code, message, status=400):
    inner = f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
    text = f'<ErrorResponse xmlns="{_NAMESPACE}"><Error>{inner}</Error></ErrorResponse>'
    return Refused(status, text.encode(), dict(_XML))
