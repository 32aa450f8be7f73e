"""Scripted faults: answers that break, are late or too large, certificates that are wrong."""

import json
import socket
import ssl

import httpx
import pytest
from drs_sim_kit import Sim, assert_one_line


@pytest.fixture(autouse=True)
def no_faults(sim):
    yield
    sim.faults()


# Answers.


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


def test_slow_answer_arrives_whole_and_keeps_the_connection(sim, device):
    sim.faults({"path": "/", "action": "slow", "seconds": 0.0001})
    answer = device.replenish()
    assert answer.json()["detailCode"] == "STANDARD_ORDER_PLACED"
    assert "connection" not in answer.headers
    stream = answer.extensions["network_stream"].get_extra_info("client_addr")
    again = device.replenish()
    assert again.extensions["network_stream"].get_extra_info("client_addr") == stream
    assert device.book("requests", "status") == [200, 200, 200]


def slowly(sim, *requests):
    """Send raw requests, the first for a slow answer, each once the answer before begins.

    Return all that came until the service closed the connection.
    """
    sim.faults({"path": "/slow", "action": "slow", "seconds": 0.0001})
    context = ssl.create_default_context(cafile=sim.ready["ca_pem"])
    address = ("127.0.0.1", int(sim.ready["drs"].rpartition(":")[2]))
    with (
        socket.create_connection(address, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        data = b""
        for request in requests:
            secure.sendall(request)
            data += secure.recv(1)
        while piece := secure.recv(65536):
            data += piece
    return data


@pytest.mark.parametrize(
    "asked", [b"GET /slow HTTP/1.1\r\nConnection: close\r\n\r\n", b"GET /slow HTTP/1.0\r\n\r\n"]
)
def test_slow_answer_closes_where_the_client_asks_for_it(sim, asked):
    head, _, body = slowly(sim, asked).partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head and json.loads(body)


def test_slow_answer_to_head_has_no_body_and_what_is_asked_meanwhile_waits(sim):
    data = slowly(
        sim,
        b"HEAD /slow HTTP/1.1\r\n\r\n",
        b"GET /next HTTP/1.1\r\nConnection: close\r\n\r\n",
    )
    first, second, body = data.split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 404 ") and b"Connection: close" not in first
    assert second.startswith(b"HTTP/1.1 404 ") and b"/next" in body


def test_slow_answer_before_requests_that_are_there_already_is_the_last(sim):
    two = b"GET /slow HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n"
    head, _, body = slowly(sim, two).partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head and "/slow" in json.loads(body)["message"]


def test_faults_are_used_in_order_and_both_token_paths_are_one(sim, device):
    token = {"path": "/auth/O2/token", "action": "status"}
    sim.faults(token | {"status": 500}, token | {"status": 502})
    assert [device.refresh().status_code for _ in range(3)] == [500, 502, 200]


def test_oversized_head(sim, device):
    sim.faults({"path": "/replenish", "action": "oversize-head", "bytes": 5000})
    answer = device.replenish()
    assert len(answer.headers["x-padding"]) == 5000
    assert answer.json()["detailCode"] == "STANDARD_ORDER_PLACED"
    sim.faults({"path": "/replenish", "action": "oversize-head"})
    assert len(device.replenish().headers["x-padding"]) == 65536


def test_oversized_body_is_still_json(sim, device):
    sim.faults({"path": "/replenish", "action": "oversize-body", "bytes": 300_000})
    answer = device.replenish()
    assert len(answer.content) == 300_000 == int(answer.headers["content-length"])
    assert answer.json()["detailCode"] == "STANDARD_ORDER_PLACED"
    status = {"path": "/deviceStatus", "action": "oversize-body"}
    sim.faults(status)
    body = {"mostRecentlyActiveDate": "2015-12-21T10:00:00Z"}
    answer = device.call("POST", "/deviceStatus", "DrsDeviceStatus", json=body)
    assert answer.content == b" " * 1_048_576


def test_chunked_answer_keeps_the_connection(sim, device):
    sim.faults({"path": "/replenish", "action": "chunked", "bytes": 3})
    answer = device.replenish()
    assert answer.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in answer.headers
    assert answer.json()["detailCode"] == "STANDARD_ORDER_PLACED"
    stream = answer.extensions["network_stream"].get_extra_info("client_addr")
    again = device.replenish()
    assert again.extensions["network_stream"].get_extra_info("client_addr") == stream
    assert "content-length" in again.headers
    assert device.book("requests", "status")[-2:] == [200, 200]


@pytest.mark.parametrize("status", [400, 429, 500, 503])
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "120"}])
def test_statuses_with_and_without_retry_after(sim, device, status, headers):
    fault = {"path": "/replenish", "action": "status", "status": status, "headers": headers}
    sim.faults(fault)
    answer = device.replenish()
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == headers.get("Retry-After")
    assert not device.orders()


# Certificates.


def shake_hands(sim):
    """Make a new connection; return its peer's names, or raise what TLS has against it."""
    context = ssl.create_default_context(cafile=sim.ready["ca_pem"])
    address = ("127.0.0.1", int(sim.ready["drs"].rpartition(":")[2]))
    with (
        socket.create_connection(address, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        return secure.getpeercert()["subjectAltName"]


@pytest.mark.parametrize(
    "kind, reason",
    [
        ("expired", "certificate has expired"),
        ("not-yet-valid", "certificate is not yet valid"),
        ("wrong-host", "IP address mismatch"),
        ("unknown-ca", "unable to get local issuer certificate"),
        ("self-signed", "self-signed certificate"),
    ],
)
def test_wrong_certificates_are_for_new_connections_only(sim, device, kind, reason):
    sim.faults({"action": "certificate", "kind": kind, "times": 2})
    assert device.replenish().status_code == 200  # on the connection that was there before
    for _ in range(2):
        with pytest.raises(ssl.SSLCertVerificationError, match=reason):
            shake_hands(sim)
    assert ("DNS", "localhost") in shake_hands(sim)
    assert sim.control.get("/faults").json() == []


def test_a_certificate_fault_leaves_the_faults_of_paths_alone(sim, device):
    late = {"path": "/replenish", "action": "status", "status": 503, "body": {"message": "x"}}
    sim.faults({"action": "certificate", "kind": "expired"}, late)
    assert device.replenish().status_code == 503
    assert [fault["action"] for fault in sim.control.get("/faults").json()] == ["certificate"]


# Scripts.


@pytest.mark.parametrize(
    "fault, named",
    [
        ("x", "[0]: must"),
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


@pytest.mark.parametrize(
    "fault, named",
    [
        ({"action": "certificate"}, "kind"),
        ({"action": "certificate", "kind": "odd"}, "kind"),
        ({"action": "certificate", "kind": "expired", "path": "/"}, "path"),
        ({"action": "oversize-body", "path": "/", "bytes": 0}, "bytes"),
        ({"action": "oversize-head", "path": "/", "bytes": 1e9}, "bytes"),
        ({"action": "chunked", "path": "/", "bytes": 1.5}, "bytes"),
        ({"action": "delay", "path": "/", "seconds": 1, "bytes": 1}, "bytes"),
    ],
)
def test_bad_faults_name_the_field(sim, fault, named):
    assert_one_line(sim.control.put("/faults", json=[fault]), 400, f"[0].{named}")


def test_faults_from_the_command_line(tmp_path):
    entry = {"path": "/replenish", "action": "status", "status": 429}
    odd = {"action": "certificate", "kind": "expired"}
    faults = [part for fault in (entry, odd) for part in ("--fault", json.dumps(fault))]
    sim = Sim(tmp_path, *faults)
    with pytest.raises(httpx.ConnectError, match="expired"):
        sim.drs.get("/nothing")
    assert sim.device().replenish().status_code == 429
    assert sim.stop() == 0
