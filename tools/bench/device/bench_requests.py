"""The calls of an uplink with micropython-lib's `requests`, as its users write them."""

import requests
from bench_order import loaded, order, say

_PREFIX = "com.amazon.dash.replenishment.Drs"


class Service:
    """One device's calls; each is a connection, and none of them is verified."""

    def __init__(self, o):
        self.base = "https://%s:%d" % (o["host"], o["port"])
        self.form, self.token = o["form"], o["token"]

    def refresh(self):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        url = self.base + "/auth/o2/token"
        answer = requests.request("POST", url, data=self.form, headers=headers)
        self.token = answer.json()["access_token"]
        answer.close()

    def call(self, method, target, name, report=None):
        headers = {
            "Authorization": "Bearer " + self.token,
            "x-amzn-type-version": _PREFIX + name + "Input@1.0",
            "x-amzn-accept-type": _PREFIX + name + "Result@1.0",
        }
        answer = requests.request(method, self.base + target, json=report, headers=headers)
        status, body = answer.status_code, answer.content
        answer.close()
        return status, body


def main():
    o = order()
    service, slot = Service(o), o["slot"]
    held = loaded()
    if o["state"] == "expired":
        service.refresh()
    status = service.call("GET", "/subscriptionInfo", "SubscriptionInfo")[0]
    if status == 400:
        service.refresh()
        status = service.call("GET", "/subscriptionInfo", "SubscriptionInfo")[0]
    statuses = [
        status,
        service.call("POST", "/replenish/" + slot, "Replenish")[0],
        service.call("POST", "/slotStatus/" + slot, "SlotStatus", o["slot_status"])[0],
        service.call("POST", "/deviceStatus", "DeviceStatus", o["device_status"])[0],
    ]
    say(ok=statuses == [200] * 4, loaded=held)
