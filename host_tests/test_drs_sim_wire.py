"""What the simulator says on the wire: TLS, headers, the calendar, tokens, refusals."""

import socket
import ssl
import struct
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from drs_sim_kit import Device

UNSUBSCRIBED = "Unable to place order - slot : <kibble> is unsubscribed."


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
