"""SNS messages as they go over the wire (section 3.3 of the protocol page)."""

from urllib.parse import urlencode

from tools.drs_sim.clock import iso_ms

TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:drs-sim"
_SUBJECT = "DRS Notification"
_TEXTS = {
    "SubscriptionConfirmation": (
        "You have chosen to subscribe to the topic {topic}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message."
    ),
    "UnsubscribeConfirmation": (
        "You have chosen to deactivate subscription {subscription}.\nTo cancel this operation and"
        " restore the subscription, visit the SubscribeURL included in this message."
    ),
}
# As the page prints it, and as SNS would send it.
_ATTRIBUTES = {
    "docs": {"version": {"type": "String", "Value": 2.0}},
    "sns": {"version": {"Type": "String", "Value": "2.0"}},
}


class Press:
    """Makes signed messages; `service_url` and `signer` are set once the service listens."""

    def __init__(self, options):
        self._options = options
        self.service_url = ""
        self.signer = None

    def message(self, delivery, subscriber) -> dict:
        """Return a delivery as JSON would hold it, its keys in the observed order."""
        if delivery["type"] == "Notification":
            special, rest = self._notification(delivery, subscriber)
        else:
            special, rest = self._confirmation(subscriber), {}
        message = {
            "Type": delivery["type"],
            "MessageId": delivery["message_id"],
            "TopicArn": TOPIC_ARN,
            **special,
            "Message": delivery["message"],
            "Timestamp": iso_ms(delivery["time_ms"]),
        }
        version = self._options["signature_version"]
        message["SignatureVersion"] = version
        message["Signature"] = self.signer.sign(message, version)
        message["SigningCertURL"] = f"{self._sns_url()}/{self.signer.name}"
        return message | rest

    def headers(self, delivery) -> dict:
        """Return the headers that SNS posts a message with."""
        headers = {
            "x-amz-sns-message-type": delivery["type"],
            "x-amz-sns-message-id": delivery["message_id"],
            "x-amz-sns-topic-arn": TOPIC_ARN,
            "Content-Type": "text/plain; charset=UTF-8",
            "User-Agent": "Amazon Simple Notification Service Agent",
        }
        if delivery["type"] == "Notification":
            headers["x-amz-sns-subscription-arn"] = subscription_arn(delivery["subscriber"])
        return headers

    def _notification(self, delivery, subscriber):
        url = self._url("Unsubscribe", SubscriptionArn=subscription_arn(subscriber["id"]))
        rest = {"UnsubscribeURL": url}
        if delivery["version"] == "2":
            rest["MessageAttributes"] = _ATTRIBUTES[self._options["message_attributes"]]
        return {"Subject": _SUBJECT}, rest

    def _confirmation(self, subscriber):
        token = subscriber["token"]
        url = self._url("ConfirmSubscription", TopicArn=TOPIC_ARN, Token=token)
        return {"Token": token, "SubscribeURL": url}

    def _sns_url(self):
        host = self._options["sns_host"]
        return self.service_url if host == "own" else f"https://{host}"

    def _url(self, action, **fields):
        return f"{self._sns_url()}/?{urlencode({'Action': action, **fields})}"


def subscription_arn(subscriber_id: str) -> str:
    """Return a subscription's name."""
    return f"{TOPIC_ARN}:{subscriber_id}"


def confirmation_text(kind: str, subscriber_id: str) -> str:
    """Return the Message of a confirmation, which is for people."""
    return _TEXTS[kind].format(topic=TOPIC_ARN, subscription=subscription_arn(subscriber_id))
