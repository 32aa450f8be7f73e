"""The operations beyond ordering, and every option that decides what they answer."""

import pytest

PREFIX = "com.amazon.dash.replenishment."


@pytest.fixture(autouse=True)
def defaults(sim):
    kept = sim.control.get("/options").json()
    yield
    sim.set_options(**kept)


def cancel_tests(device, path="/testOrders"):
    return device.call("DELETE", path, "DrsCancelTestOrders")


def deregister(device, path="/registration", version="2.0"):
    return device.call("DELETE", path, "DrsDeregister", version=version)


def slot_status(device, **report):
    return device.call("POST", "/slotStatus/kibble", "DrsSlotStatus", json=report)


def assert_out(device):
    answer = device.replenish()
    assert (answer.status_code, answer.json()) == (400, {"message": "Invalid token"})
    assert device.refresh().json()["error"] == "invalid_grant"


# SubscriptionInfo.


def test_subscription_info_answers_the_version_asked_for(sim):
    device = sim.device(slots=("slot1", "slot2"))
    device.subscribe(False, "slot2")
    one = device.call("GET", "/subscriptionInfo", "DrsSubscriptionInfo")
    assert one.json() == {"slotsSubscriptionStatus": {"slot1": True, "slot2": False}}
    assert one.headers["x-amzn-type-version"] == f"{PREFIX}DrsSubscriptionInfoResult@1.0"
    two = device.call("GET", "/subscriptionInfo", "DrsSubscriptionInfo", result="2.0")
    assert two.headers["x-amzn-type-version"] == f"{PREFIX}DrsSubscriptionInfoResult@2.0"
    slots = two.json()["slotsSubscriptionStatus"]
    assert [slots[name]["subscribed"] for name in ("slot1", "slot2")] == [True, False]
    [product] = slots["slot1"]["productInfoList"]
    assert list(product) == ["asin", "quantity", "unit"] and len(product["asin"]) == 10
    three = device.call("GET", "/subscriptionInfo", "DrsSubscriptionInfo", result="3.0")
    assert three.status_code == 400


# CancelTestOrder.


def test_cancel_test_order_frees_one_slot_or_all(sim):
    device = sim.device(slots=("slot1", "slot2"), test=True)
    for slot in ("slot1", "slot2"):
        assert device.replenish(slot).json()["detailCode"] == "TEST_ORDER_PLACED"
    one = cancel_tests(device, "/testOrders/slots/slot1")
    freed = [{"orderStatus": "NO_ORDER_IN_PROGRESS", "slotId": "slot1"}]
    assert (one.status_code, one.json()) == (200, {"slotOrderStatuses": freed})
    assert one.headers["x-amzn-type-version"] == f"{PREFIX}DrsCancelTestOrdersResult@1.0"
    assert device.replenish("slot2").json()["detailCode"] == "ORDER_INPROGRESS"
    assert device.replenish("slot1").json()["detailCode"] == "TEST_ORDER_PLACED"
    every = cancel_tests(device).json()["slotOrderStatuses"]
    assert [row["slotId"] for row in every] == ["slot1", "slot2"]
    assert cancel_tests(device).json()["slotOrderStatuses"] == every  # nothing left to free
    assert device.replenish("slot2").json()["detailCode"] == "TEST_ORDER_PLACED"
    assert "OrderCancelled" not in device.notified()


def test_cancel_test_order_refuses_a_strange_slot_and_a_real_device(sim, device):
    order_id = device.order()
    assert cancel_tests(device, "/testOrders/slots/other").status_code == 400
    assert cancel_tests(device).status_code == 400
    sim.set_options(cancel_test_on_real="ignored")
    assert cancel_tests(device).json()["slotOrderStatuses"][0]["slotId"] == "kibble"
    assert device.replenish().json()["eventInstanceId"] == order_id


def test_cancel_test_order_of_2017_is_an_option(sim):
    device = sim.device(test=True)
    device.replenish()
    assert cancel_tests(device, "/testOrders/kibble").status_code == 404
    sim.set_options(test_order_path="both", cancel_test_notifies="yes")
    assert cancel_tests(device, "/testOrders/kibble").status_code == 200
    assert device.notified()[-1] == "OrderCancelled"
    assert device.replenish().json()["detailCode"] == "TEST_ORDER_PLACED"


def test_test_order_may_free_itself(sim):
    sim.set_options(test_order_hours=48)
    device = sim.device(test=True)
    device.replenish()
    sim.advance(47)
    device.refresh()
    assert device.replenish().json()["detailCode"] == "ORDER_INPROGRESS"
    sim.advance(1)
    device.refresh()
    assert device.replenish().json()["detailCode"] == "TEST_ORDER_PLACED"


# Deregistration.


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_deregistration_voids_every_token(sim, device, version):
    device.order()
    paths = {"2.0": "/registration", "1.0": "/deviceModels/feeder/devices/{}/registration"}
    answer = deregister(device, paths[version].format(device.serial), version)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-amzn-type-version"] == f"{PREFIX}DrsDeregisterResult@1.0"
    assert device.book("notifications", "type")[-1] == "DeviceDeregisteredNotification"
    assert_out(device)
    assert device.orders()[0]["outcome"] is None  # the order goes on
    sim.advance(102)
    assert device.orders()[0]["outcome"] == "delivered"


def test_deregistration_is_for_the_token_s_own_device(sim, device):
    for path in ("/deviceModels/feeder/devices/other/registration",):
        assert deregister(device, path, "1.0").status_code == 400
    wrong = f"/deviceModels/other/devices/{device.serial}/registration"
    assert deregister(device, wrong, "1.0").status_code == 400
    assert device.replenish().status_code == 200


@pytest.mark.parametrize("phase", ["idle", "resolution", "placed", "shipped"])
@pytest.mark.parametrize("kind", ["keeps", "cancels"])
@pytest.mark.parametrize("act", ["unsubscribe", "deregister"])
def test_an_order_when_its_slot_or_device_is_given_up(sim, device, act, kind, phase):
    sim.set_options(**{f"{act}_order": kind})
    if phase == "resolution":
        device.next_problem("stock")
    order_id = None if phase == "idle" else device.order()
    if phase == "shipped":
        device.customer("ship", order_id).raise_for_status()
    before = device.notified()
    if act == "unsubscribe":
        device.subscribe(False)
        assert "is unsubscribed." in device.replenish().json()["message"]
    else:
        deregister(device).raise_for_status()
        assert_out(device)
    cancelled = kind == "cancels" and phase in ("resolution", "placed")
    assert device.notified() == before + ["OrderCancelled"] * cancelled
    outcomes = [order["outcome"] for order in device.orders()]
    assert outcomes == [None if not cancelled else "cancelled"] * (phase != "idle")


# Where the sources disagree.


def test_inprogress_id(sim, device):
    order_id = device.order()
    sim.set_options(inprogress_id="fresh")
    first, second = (device.replenish().json()["eventInstanceId"] for _ in range(2))
    assert len({order_id, first, second}) == 3 and len(first) == 116
    answer = device.call("GET", f"/getOrderInfo/{first}", "DrsOrderInfo")
    assert answer.status_code == 400
    sim.set_options(inprogress_id="none")
    assert device.replenish().json() == {"detailCode": "ORDER_INPROGRESS"}


@pytest.mark.parametrize(
    "vocabulary, words",
    [
        ("oldest", ["Pending", "Authorized", "Closed", "Closed", "Canceled"]),
        ("middle", ["Processing", "Processing", "Shipped", "Shipped", "Cancelled"]),
        ("newest", ["Processing", "Processing", "Shipped", "Shipped", "Cancelled"]),
    ],
)
def test_status_vocabulary(sim, device, vocabulary, words):
    sim.set_options(status_vocabulary=vocabulary)
    device.next_problem("stock")
    order_id = device.order()
    info = device.order_info(order_id)
    assert (info["expectedDeliveryDate"] is None) is (vocabulary == "newest")
    seen = [info["status"]]
    for verb in ("resolve", "ship", "deliver"):
        device.customer(verb, order_id).raise_for_status()
        seen.append(device.order_info(order_id)["status"])
    other = device.order()
    device.customer("cancel", other)
    assert [*seen, device.order_info(other)["status"]] == words


def test_version_headers_option(sim, device):
    name = "x-amzn-accept-type"
    cases = {"strict": (400, 400), "given": (400, 200), "ignored": (200, 200)}
    for value, wanted in cases.items():
        sim.set_options(version_headers=value)
        wrong = device.replenish(headers={name: name}).status_code
        missing = sim.drs.post(
            "/replenish/kibble", headers={"Authorization": f"Bearer {device.token}"}
        )
        assert (wrong, missing.status_code) == wanted


def test_unsubscribed_status_option(sim, device):
    sim.set_options(unsubscribed_status=409)
    device.subscribe(False)
    assert device.replenish().status_code == 409


def test_status_line_option(sim, device):
    assert device.replenish().reason_phrase == "OK"
    sim.set_options(status_line="accepted")
    assert device.replenish().reason_phrase == "Accepted"
    assert device.replenish().status_code == 200  # on the same connection


def test_numbers_and_dates_options(sim, device):
    assert slot_status(device, remainingQuantityInUnit=3.5).status_code == 200
    for date in ("2015-06-01", "2015-06-7", "2015-12-28T10:00:00.123Z"):
        assert slot_status(device, lastUseDate=date).status_code == 200
    assert slot_status(device, lastUseDate="2015-13-7").status_code == 400
    sim.set_options(numbers="integers", dates="strict")
    assert slot_status(device, remainingQuantityInUnit=3.5).status_code == 400
    assert slot_status(device, remainingQuantityInUnit=3).status_code == 200
    assert slot_status(device, lastUseDate="2015-06-01").status_code == 400
    assert slot_status(device, lastUseDate="2015-12-28T10:00:00Z").status_code == 200
    sim.set_options(dates="any")
    assert slot_status(device, lastUseDate="yesterday").status_code == 200


def test_device_status_path_option(sim, device):
    def report():
        body = {"mostRecentlyActiveDate": "2015-12-21T10:00:00Z"}
        return device.call("POST", "/deviceStatus/kibble", "DrsDeviceStatus", json=body)

    assert report().status_code == 404
    sim.set_options(device_status_path="with-id")
    assert report().status_code == 200


def test_shipping_and_delivery_times_are_options(sim, device):
    sim.set_options(ship_after_hours=2, deliver_after_hours=3)
    device.order()
    sim.advance(2)
    assert device.orders()[0]["phase"] == "shipped"
    sim.advance(3)
    assert device.orders()[0]["phase"] == "delivered"


def test_one_host_serves_every_call(sim, device):
    answer = device.call("DELETE", "/replenish/kibble", "DrsReplenish")
    assert answer.status_code == 404
    ports = {sim.ready[name].split(":")[2].partition("/")[0] for name in ("drs", "token")}
    assert len(ports) == 1
