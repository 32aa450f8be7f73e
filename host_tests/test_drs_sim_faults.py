"""Faults of the TLS front and of an answer's size; scripts from the command line."""

import json
import socket
import ssl

import httpx
import pytest
from drs_sim_kit import START, Sim, assert_one_line


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    running = Sim(tmp_path_factory.mktemp("drs_sim"), "--time", START)
    yield running
    assert running.stop() == 0


@pytest.fixture(autouse=True)
def no_faults(sim):
    yield
    sim.faults()


@pytest.fixture
def device(sim):
    return sim.device()


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
