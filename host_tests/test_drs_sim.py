"""The simulator, driven from outside through a real process."""

import signal
import socket
import ssl
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from drs_sim_kit import HOUR_S, START, Device, Sim, assert_ends_at_once, assert_one_line

UNSUBSCRIBED = "Unable to place order - slot : <kibble> is unsubscribed."


def seconds(text):
    return datetime.fromisoformat(text).timestamp()


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    running = Sim(tmp_path_factory.mktemp("drs_sim"), "--time", START, "--speed", "1")
    yield running
    assert running.stop() == 0


@pytest.fixture
def device(sim):
    return sim.device()


@pytest.fixture(autouse=True)
def no_faults(request):
    yield
    if "sim" in request.fixturenames:
        request.getfixturevalue("sim").faults()


# The wire.


def test_tls_is_verified_by_its_own_ca_only(sim):
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(sim.ready["drs"], trust_env=False)
    context = ssl.create_default_context(cadata=Path(sim.ready["ca_der"]).read_bytes())
    address = ("127.0.0.1", int(sim.ready["drs"].rpartition(":")[2]))
    for name in ("127.0.0.1", "localhost"):
        with (
            socket.create_connection(address) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            assert secure.getpeercert()["notBefore"] == "Jan  1 00:00:00 2015 GMT"
    with socket.create_connection(address) as plain, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(plain, server_hostname="example.org")


def test_common_headers_follow_the_calendar(sim, device):
    answer = device.replenish()
    assert answer.headers["date"] == answer.headers["x-amz-date"]
    told = parsedate_to_datetime(answer.headers["date"]).timestamp()
    assert 0 <= sim.state()["now_s"] - told <= 60
    assert answer.headers["server"] == "Server"
    assert len(answer.headers["x-amzn-requestid"]) == 36
    assert answer.headers["x-amzn-type-version"].endswith("DrsReplenishResult@1.0")
    assert answer.headers["content-type"] == "application/json"
    assert "content-length" in answer.headers


def test_one_connection_serves_many_calls(device):
    ports = {
        device.replenish().extensions["network_stream"].get_extra_info("client_addr")
        for _ in range(3)
    }
    assert len(ports) == 1


def test_pipelined_and_closing_requests_are_answered_in_turn(sim):
    context = ssl.create_default_context(cafile=sim.ready["ca_pem"])
    address = ("127.0.0.1", int(sim.ready["drs"].rpartition(":")[2]))
    lines = [b"GET /one HTTP/1.1", b"GET /two HTTP/1.1", b"GET /three HTTP/1.0"]
    with (
        socket.create_connection(address, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(b"".join(line + b"\r\nHost: x\r\n\r\n" for line in lines))
        data = b""
        while piece := secure.recv(65536):  # closed after the third
            data += piece
    assert data.count(b"HTTP/1.1 404 Not Found") == 3
    assert [data.find(name) for name in (b"/one", b"/two", b"/three")] == sorted(
        data.find(name) for name in (b"/one", b"/two", b"/three")
    )
    assert data.lower().count(b"connection: close") == 1


def test_sntp_tells_the_calendar(sim):
    host, _, port = sim.ready["ntp"].partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(b"\x1b" + bytes(39) + b"originat", (host, int(port)))
        answer = client.recv(100)
    assert len(answer) == 48
    assert answer[0] == 0x1C and answer[1] == 1
    assert answer[24:32] == b"originat"
    told = struct.unpack_from("!I", answer, 40)[0] - 2_208_988_800
    assert 0 <= sim.state()["now_s"] - told <= 60


# Tokens.


def test_refresh_answers_a_new_access_token(device):
    first = device.token
    answer = device.refresh(path="/auth/O2/token").json()
    assert answer["access_token"] != first
    assert answer["access_token"].startswith("Atza|") and len(answer["access_token"]) >= 355
    assert answer["refresh_token"] == device.account["refresh_token"]
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 3600)


@pytest.mark.parametrize(
    "changes, status, code",
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": None}, 400, "invalid_request"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"refresh_token": None}, 400, "invalid_request"),
        ({"refresh_token": "Atzr|wrong"}, 400, "invalid_grant"),
    ],
)
def test_token_errors(device, changes, status, code):
    answer = device.refresh(**changes)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert next(iter(answer.json())) == "error_description"
    assert answer.headers["x-amzn-errortype"].startswith("OA2InvalidRequestException:")


def test_token_form_must_be_a_form(sim):
    for content in (b'{"grant_type":"refresh_token"}', b"\xff=1", b"a=1&a=2"):
        answer = sim.drs.post("/auth/o2/token", content=content)
        assert answer.json()["error"] == "invalid_request"


def assert_invalid_token(answer):
    assert (answer.status_code, answer.json()) == (400, {"message": "Invalid token"})
    assert answer.headers["x-amzn-errortype"].startswith("InvalidTokenException:http://")


def test_missing_wrong_and_expired_tokens_are_invalid(sim, device):
    assert_invalid_token(device.replenish(headers={"Authorization": ""}))
    for token in ("x", "Atza|x", "Atza|x.y", device.token + "0", device.token.encode() + b"\xe9"):
        bearer = b"Bearer " + (token if isinstance(token, bytes) else token.encode())
        assert_invalid_token(device.replenish(headers={"Authorization": bearer}))
    sim.advance(1)
    assert_invalid_token(device.replenish())
    device.refresh()
    assert device.replenish().status_code == 200


def test_revoked_device_is_out_until_registered_again(sim, device):
    sim.post(f"/devices/{device.serial}/revoke")
    assert_invalid_token(device.replenish())
    assert device.refresh().json()["error"] == "invalid_grant"
    assert device.book("notifications", "type")[-1] == "DeviceDeregisteredNotification"
    again = Device(sim, device.serial)
    assert again.replenish().status_code == 200
    assert device.refresh().json()["error"] == "invalid_grant"


# Refusals.


@pytest.mark.parametrize("header", ["x-amzn-type-version", "x-amzn-accept-type"])
def test_version_headers_must_fit(device, header):
    answer = device.replenish(headers={header: "com.amazon.dash.replenishment.Nothing@1.0"})
    assert answer.status_code == 400
    assert header in answer.json()["message"]
    assert not device.orders()


def test_unknown_slot_and_operation_are_404(device):
    for answer in (device.replenish("other"), device.call("GET", "/nothing", "Nothing")):
        assert answer.status_code == 404
        assert list(answer.json()) == ["message"]


def test_unsubscribed_slot_is_refused_and_its_order_goes_on(sim, device):
    path = f"/devices/{device.serial}/slots/kibble/subscription"
    order_id = device.order()
    sim.post(path, subscribed=False)
    answer = device.replenish()
    assert (answer.status_code, answer.json()) == (400, {"message": UNSUBSCRIBED})
    info = device.call("GET", "/subscriptionInfo", "DrsSubscriptionInfo").json()
    assert info == {"slotsSubscriptionStatus": {"kibble": False}}
    assert device.order_info(order_id)["status"] == "Processing"
    assert device.book("notifications", "type")[-1] == "SubscriptionChangedNotification"
    sim.post(path, subscribed=True)
    assert device.replenish().json()["eventInstanceId"] == order_id


def test_order_info_is_for_the_owner_only(sim, device):
    order_id = device.order()
    assert len(order_id) == 116
    for stranger, wanted in ((sim.device(), order_id), (device, "amzn1.dash.v2.o.none")):
        answer = stranger.call("GET", f"/getOrderInfo/{wanted}", "DrsOrderInfo")
        assert answer.status_code == 400 and answer.json()["message"]


def test_status_reports_are_kept_and_checked(device):
    report = {"remainingQuantityInUnit": 3.5, "lastUseDate": "2015-12-21T10:00:00Z"}
    answer = device.call("POST", "/slotStatus/kibble", "DrsSlotStatus", json=report)
    assert (answer.status_code, answer.content) == (200, b"")
    active = {"mostRecentlyActiveDate": "2015-12-21T10:00:00Z"}
    answer = device.call("POST", "/deviceStatus", "DrsDeviceStatus", json=active)
    assert (answer.status_code, answer.content) == (200, b"")
    assert device.book("slots", "last_status") == [report]
    assert device.book("devices", "last_status") == [active]
    for bad in (b"x=1", b"[]", b'{"lastUseDate":"today"}', b'{"remainingQuantityInUnit":"3"}'):
        answer = device.call("POST", "/slotStatus/kibble", "DrsSlotStatus", content=bad)
        assert answer.status_code == 400 and answer.json()["message"]
    big = device.call("POST", "/slotStatus/kibble", "DrsSlotStatus", content=bytes(70_000))
    assert big.status_code == 413


# The seed's flows.


def test_successful_flow(sim, device):
    order_id = device.order()
    [order] = device.orders()
    assert device.notified() == ["OrderPlaced"]
    assert device.book("emails", "kind") == ["order_created"]
    assert seconds(order["cancel_by"]) - seconds(order["confirmed_at"]) == 24 * HOUR_S
    info = device.order_info(order_id)
    assert info["status"] == "Processing" and info["expectedDeliveryDate"].endswith("Z")
    again = device.replenish().json()
    assert again == {"detailCode": "ORDER_INPROGRESS", "eventInstanceId": order_id}
    sim.advance(31)
    device.refresh()
    assert device.notified() == ["OrderPlaced", "ItemShipped"]
    assert device.order_info(order_id)["status"] == "Shipped"
    assert device.replenish().json()["detailCode"] == "ORDER_INPROGRESS"
    sim.advance(72)
    device.refresh()
    assert device.orders()[0]["outcome"] == "delivered"
    assert device.order() != order_id


def test_unresolved_problem_lapses_after_72_hours(sim, device):
    device.next_problem("payment")
    order_id = device.order()
    assert device.notified() == []
    assert device.book("emails", "kind") == ["order_resolution"]
    info = device.order_info(order_id)
    assert (info["status"], info["expectedDeliveryDate"]) == ("Processing", None)
    sim.advance(71)
    device.refresh()
    assert device.replenish().json()["detailCode"] == "ORDER_INPROGRESS"
    sim.advance(200)
    device.refresh()
    assert device.notified() == ["OrderCancelled"]
    assert device.book("emails", "kind")[-1] == "order_cancelled"
    [order] = device.orders()
    assert (order["outcome"], order["status"]) == ("lapsed", "Cancelled")
    assert order["cancelled_at"] == order["resolve_by"]  # its own time, not the jump's end
    assert order_id not in [row["id"] for row in sim.state()["purchases"]]
    assert device.order() != order_id


def test_resolved_problem_places_the_order(sim, device):
    device.next_problem("address")
    order_id = device.order()
    sim.advance(70)
    assert device.customer("resolve", order_id).json()["phase"] == "placed"
    assert device.notified() == ["OrderPlaced"]
    assert device.book("emails", "kind") == ["order_resolution", "order_created"]
    sim.advance(23)
    device.refresh()
    assert device.replenish().json()["detailCode"] == "ORDER_INPROGRESS"
    assert device.customer("cancel", order_id).json()["outcome"] == "cancelled"
    assert device.notified() == ["OrderPlaced", "OrderCancelled"]
    assert device.order() != order_id


def test_customer_may_cancel_instead_of_resolving(device):
    device.next_problem("stock")
    order_id = device.order()
    assert device.customer("ship", order_id).status_code == 409
    assert device.customer("cancel", order_id).json()["outcome"] == "cancelled"
    assert device.notified() == ["OrderCancelled"]
    assert device.order_info(order_id)["status"] == "Cancelled"


def test_what_falls_due_in_one_jump_happens_in_order(sim):
    slow, quick = sim.device(), sim.device()
    slow.next_problem("stock")
    slow.order()
    sim.advance(1)
    quick.refresh()
    quick.order()
    sim.advance(1000)
    times = [row["time"] for row in sim.state()["notifications"]]
    assert times == sorted(times)
    [order] = quick.orders()
    assert seconds(order["delivered_at"]) - seconds(order["confirmed_at"]) == 102 * HOUR_S


def test_orders_move_only_where_their_phase_allows(sim, device):
    order_id = device.order()
    assert device.customer("resolve", order_id).status_code == 409
    sim.advance(24)
    late = device.customer("cancel", order_id)
    assert late.status_code == 409 and "cancel window" in late.json()["error"]
    assert device.customer("deliver", order_id).json()["phase"] == "delivered"
    assert device.notified() == ["OrderPlaced", "ItemShipped"]
    for verb in ("ship", "deliver", "cancel", "resolve"):
        assert device.customer(verb, order_id).status_code == 409
    assert device.customer("ship", "nothing").status_code == 404


def test_test_device_orders_nothing_and_keeps_its_lock(sim):
    device = sim.device(test=True)
    answer = device.replenish().json()
    assert answer["detailCode"] == "TEST_ORDER_PLACED"
    assert device.notified() == ["OrderPlaced", "ItemShipped"]
    sim.advance(500)
    device.refresh()
    assert device.replenish().json()["detailCode"] == "ORDER_INPROGRESS"
    device.customer("cancel", answer["eventInstanceId"]).raise_for_status()
    assert device.replenish().json()["detailCode"] == "TEST_ORDER_PLACED"


def test_lock_holds_under_concurrent_calls(device):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: device.replenish().json(), range(16)))
    codes = [answer["detailCode"] for answer in answers]
    assert codes.count("STANDARD_ORDER_PLACED") == 1
    assert len({answer["eventInstanceId"] for answer in answers}) == 1
    assert len(device.orders()) == 1


# Faults.


@pytest.mark.parametrize(
    "action, placed",
    [("close-before", 0), ("close-after", 1), ("close-during", 1), ("garbage", 1)],
)
def test_broken_answers(sim, device, action, placed):
    sim.faults({"path": "/replenish", "action": action})
    with pytest.raises(httpx.TransportError):
        device.replenish()
    assert len(device.orders()) == placed
    assert device.book("requests", "status")[-1] is None
    assert sim.control.get("/faults").json() == []
    code = "ORDER_INPROGRESS" if placed else "STANDARD_ORDER_PLACED"
    assert device.replenish().json()["detailCode"] == code
    assert device.book("requests", "detailCode")[-1] == code


def test_scripted_status_does_not_act(sim, device):
    body = {"message": "later"}
    headers = {"Retry-After": "7", "date": None}
    fault = {"path": "/replenish", "times": 2, "action": "status", "status": 503}
    sim.faults(fault | {"body": body, "headers": headers})
    for _ in range(2):
        answer = device.replenish()
        assert (answer.status_code, answer.json()) == (503, body)
        assert answer.headers["retry-after"] == "7" and "date" not in answer.headers
    assert not device.orders()
    assert device.replenish().status_code == 200
    assert device.book("requests", "status") == [200, 503, 503, 200]


def test_delay_acts_first_and_answers_late(sim, device):
    sim.faults({"path": "/replenish", "action": "delay", "seconds": 30})
    with pytest.raises(httpx.ReadTimeout):
        device.replenish(timeout=0.3)
    assert len(device.orders()) == 1
    sim.faults({"path": "/replenish", "action": "delay", "seconds": 0.01})
    assert device.replenish().json()["detailCode"] == "ORDER_INPROGRESS"
    assert device.book("requests", "status") == [200, None, 200]


def test_slow_answer_arrives_whole(sim, device):
    sim.faults({"path": "/", "action": "slow", "seconds": 0.0001})
    assert device.replenish().json()["detailCode"] == "STANDARD_ORDER_PLACED"


def test_faults_are_used_in_order_and_both_token_paths_are_one(sim, device):
    token = {"path": "/auth/O2/token", "action": "status"}
    sim.faults(token | {"status": 500}, token | {"status": 502})
    assert [device.refresh().status_code for _ in range(3)] == [500, 502, 200]


@pytest.mark.parametrize(
    "fault, named",
    [
        ("x", "[0]"),
        ({"action": "garbage"}, "path"),
        ({"path": "replenish", "action": "garbage"}, "path"),
        ({"path": "/"}, "action"),
        ({"path": "/", "action": "explode"}, "action"),
        ({"path": "/", "action": "garbage", "times": 0}, "times"),
        ({"path": "/", "action": "garbage", "tmies": 1}, "tmies"),
        ({"path": "/", "action": "delay"}, "seconds"),
        ({"path": "/", "action": "slow", "seconds": -1}, "seconds"),
        ({"path": "/", "action": "status"}, "status"),
        ({"path": "/", "action": "status", "status": 99}, "status"),
        ({"path": "/", "action": "status", "status": 204, "body": "x"}, "body"),
        ({"path": "/", "action": "status", "status": 200, "headers": []}, "headers"),
        ({"path": "/", "action": "status", "status": 200, "headers": {"a": "\n"}}, "headers.a"),
    ],
)
def test_bad_fault_changes_nothing(sim, fault, named):
    kept = {"path": "/kept", "times": 1, "action": "garbage"}
    sim.faults(kept)
    answer = sim.control.put("/faults", json=[fault])
    assert_one_line(answer, 400, named)
    assert sim.control.get("/faults").json() == [kept]


# The control port.


@pytest.mark.parametrize(
    "path, body, named",
    [
        ("/devices", {"serial": "x", "slots": ["a"]}, "model"),
        ("/devices", {"model": "m", "serial": "bad serial", "slots": ["a"]}, "serial"),
        ("/devices", {"model": "m", "serial": "x", "slots": []}, "slots"),
        ("/devices", {"model": "m", "serial": "x", "slots": ["a", "a"]}, "slots"),
        ("/devices", {"model": "m", "serial": "x", "slots": ["a"], "test": 1}, "test"),
        ("/devices", {"model": "m", "serial": "x", "slots": ["a"], "tset": True}, "tset"),
        ("/clock", {"speed": "fast"}, "speed"),
        ("/clock", {"speed": -1}, "speed"),
        ("/clock", {"paused": "no"}, "paused"),
        ("/clock/advance", {}, "seconds"),
        ("/clock/advance", {"seconds": -1}, "seconds"),
        ("/clock/advance", {"seconds": True}, "seconds"),
        ("/clock/advance", {"seconds": 10**10}, "seconds"),
        ("/clock/advance", [], "body"),
    ],
)
def test_bad_input_is_one_line_that_names_the_field(sim, path, body, named):
    assert_one_line(sim.control.post(path, json=body), 400, named)


def test_bad_input_elsewhere(sim, device):
    slot = f"/devices/{device.serial}/slots"
    for content in (b"{", b"\xff", b'"\\ud800"', b"[" * 100_000):
        assert_one_line(sim.control.post("/devices", content=content), 400, "body")
    assert_one_line(sim.control.put("/faults", json={}), 400, "list")
    bad = {"problem": "weather"}
    assert_one_line(sim.control.post(f"{slot}/kibble/next-order", json=bad), 400, "problem")
    off = {"subscribed": False}
    assert_one_line(sim.control.post(f"{slot}/other/subscription", json=off), 404, "other")
    assert_one_line(sim.control.post("/devices/nobody/revoke"), 404, "nobody")
    assert_one_line(sim.control.get("/clock?after=x"), 400, "after")
    assert_one_line(sim.control.get("/nothing"), 404, "/nothing")
    assert_one_line(sim.control.get("/devices"), 405, "/devices")


def test_clock_pauses_and_a_long_poll_sees_every_change(sim):
    before = sim.post("/clock", paused=True)
    assert sim.control.get("/clock").json() == before
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(
            httpx.get,
            f"{sim.ready['control']}/clock",
            params={"after": before["version"]},
            trust_env=False,
            timeout=20,
        )
        after = sim.advance(1)
        told = poll.result().json()
    assert told == after
    assert after["version"] > before["version"]
    assert after["now_s"] - before["now_s"] == HOUR_S
    resumed = sim.post("/clock", paused=False, speed=2.5)
    assert (resumed["speed"], resumed["paused"]) == (2.5, False)
    sim.post("/clock", speed=1)


def test_books_hold_no_secret(sim, device):
    device.replenish()
    text = sim.control.get("/state").text
    for secret in (device.token, device.account["client_secret"], device.account["refresh_token"]):
        assert secret not in text


# The process.


def test_killed_simulator_goes_on_where_it_was(tmp_path):
    sim = Sim(tmp_path, "--time", START, "--paused")
    device = sim.device()
    device.next_problem("payment")
    order_id = device.order()
    sim.advance(71)
    sim.faults({"path": "/x", "times": 3, "action": "garbage"})
    device.refresh()
    before, ca = sim.state(), Path(sim.ready["ca_pem"]).read_bytes()
    sim.stop(signal.SIGKILL)
    sim.start()
    assert sim.state() == before
    assert Path(sim.ready["ca_pem"]).read_bytes() == ca
    assert sim.control.get("/faults").json()[0]["times"] == 3
    assert device.replenish().json()["eventInstanceId"] == order_id
    sim.advance(1)
    assert device.orders()[0]["outcome"] == "lapsed"
    assert sim.stop() == 0


def test_end_does_not_wait_for_a_delayed_answer_or_a_poll(tmp_path):
    sim = Sim(tmp_path)
    device = sim.device()
    sim.faults({"path": "/replenish", "action": "delay", "seconds": 60})
    version = sim.control.get("/clock").json()["version"]
    host, _, port = sim.ready["control"].removeprefix("http://").partition(":")
    with ThreadPoolExecutor(1) as pool, socket.create_connection((host, int(port))) as poll:
        poll.settimeout(50)
        poll.sendall(b"GET /clock?after=%d HTTP/1.1\r\nHost: x\r\n\r\n" % version)
        late = pool.submit(device.replenish, timeout=50)
        while not device.orders():
            time.sleep(0.01)
        sim.process.send_signal(signal.SIGINT)
        assert isinstance(late.exception(), httpx.TransportError)
        assert poll.recv(100).startswith(b"HTTP/1.1 200 ")
    assert sim.stop() == 0


@pytest.mark.parametrize(
    "options, named",
    [
        (["--port", "99999"], "99999"),
        (["--speed", "nan"], "nan"),
        (["--time", "yesterday"], "yesterday"),
        (["--time", "1999-01-01"], "2015"),
        (["--state", "/nowhere/state.db"], "/nowhere"),
        (["--state", "/dev/null"], "/dev/null"),
        (["--wrong"], "--wrong"),
    ],
)
def test_bad_arguments_are_one_line_and_status_2(tmp_path, options, named):
    assert_ends_at_once(tmp_path, options, named)
