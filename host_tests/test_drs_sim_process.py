"""The process as a whole: options, what survives a kill, what it prints, what is written of it."""

import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from drs_sim_kit import ROOT, START, Sim, assert_ends_at_once, assert_one_line

from tools.drs_sim.bad_certs import KINDS
from tools.drs_sim.faults import parse
from tools.drs_sim.options import TABLE
from tools.drs_sim.store import STEPS

README = (ROOT / "tools" / "README.md").read_text()


def rows(title):
    """Return the cells of a table of the README, without its head."""
    section = README.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_options_are_kept_and_given_ones_replace_them(tmp_path):
    sim = Sim(tmp_path, "--option", "rotation=yes", "--option", "ship_after_hours=5")
    assert sim.set_options(numbers="integers")["ship_after_hours"] == 5
    sim.stop(signal.SIGKILL)
    sim.options = ("--option", "rotation=no")
    sim.start()
    found = sim.control.get("/options").json()
    chosen = [found[name] for name in ("rotation", "ship_after_hours", "numbers")]
    assert chosen == ["no", 5, "integers"]
    for given, named in (
        ({"rotaton": "yes"}, "rotaton"),
        ({"rotation": "maybe"}, "rotation"),
        ({"rotation": True}, "rotation"),
        ({"numbers": "any", "ship_after_hours": -1}, "ship_after_hours"),
        ([], "body"),
    ):
        assert_one_line(sim.control.put("/options", json=given), 400, named)
    assert sim.control.get("/options").json() == found
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


@pytest.mark.parametrize(
    "options, named",
    [
        (["--option", "rotation"], "rotation"),
        (["--option", "rotation=maybe"], "rotation"),
        (["--option", "odd=1"], "odd"),
        (["--option", "unsubscribed_status=200"], "unsubscribed_status"),
        (["--fault", "{"], "JSON"),
        (["--fault", '{"action":"odd"}'], "action"),
    ],
)
def test_bad_options_and_faults_are_one_line_and_status_2(tmp_path, options, named):
    assert_ends_at_once(tmp_path, options, named)


@pytest.mark.parametrize("option", ["--port", "--control-port"])
def test_a_port_that_is_taken_has_its_remedy(tmp_path, option):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        assert_ends_at_once(tmp_path, [option, number], f"port {number} of 127.0.0.1: Address")
        assert_ends_at_once(tmp_path, [option, number], "in use; another make sim? stop it")


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


def test_codes_clients_and_tokens_survive_a_kill(tmp_path):
    sim = Sim(tmp_path, "--time", START, "--paused")
    device = sim.device()
    client = sim.post("/clients", model="feeder-2", slots=["a"])
    back = "http://localhost/"
    data = {"dash:replenish": {"device_model": "feeder-2", "serial": "x"}}
    query = {
        "client_id": client["client_id"],
        "response_type": "code",
        "redirect_uri": back,
        "scope": "dash:replenish",
        "scope_data": json.dumps(data),
    }
    answer = sim.drs.post("/ap/oa", params=query, data={"answer": "allow", "slot": "a"})
    code = re.search(r"code=(\w+)", answer.headers["location"])[1]
    sim.stop(signal.SIGKILL)
    sim.start()
    assert device.replenish().status_code == 200
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    secrets = {name: client[name] for name in ("client_id", "client_secret")}
    assert sim.drs.post("/auth/o2/token", data=form | secrets).status_code == 200
    assert sim.stop() == 0


@pytest.mark.parametrize("version", range(1, len(STEPS)))
def test_a_state_file_of_an_older_version_is_brought_up_to_date(tmp_path, version):
    with sqlite3.connect(tmp_path / "state.db") as old:
        old.executescript(f"{''.join(STEPS[:version])} PRAGMA user_version = {version};")
        columns = "time_ms, type, serial, payload"
        old.execute(f"INSERT INTO notifications ({columns}) VALUES (0, 'Old', 'x', '[1]')")
        columns = "time_ms, kind, serial, order_id, subject, text"
        old.execute(f"INSERT INTO emails ({columns}) VALUES (0, 'old', 'x', 'o', 'Old', 'one')")
    sim = Sim(tmp_path)
    assert sim.device().replenish().status_code == 200
    state = sim.state()
    told, mails = state["notifications"], state["emails"]
    assert (told[0]["type"], told[0]["payload"]) == ("Old", [1])
    assert told[-1]["payload"]["orderInfo"]
    assert [mail["kind"] for mail in mails] == ["old", "order_created"]
    assert (mails[0]["order_id"], mails[0]["subject"], mails[0]["text"]) == ("o", "Old", "one")
    assert sim.stop() == 0


def _say(folder, last, *options):
    """Start with `--demo-device` until it has said `last`; return the ready file and the text."""
    ready, log = folder / "ready.json", folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.drs_sim", "--state", folder / "state.db"]
            + ["--ready", ready, "--demo-device", *options],
            cwd=ROOT,
            stdout=out,
        )
        while not re.search(last, log.read_text(), re.M):
            assert process.poll() is None
        found = json.loads(ready.read_text())
        process.terminate()
        assert process.wait(20) == 0
    return found, log.read_text()


LONG = r"^config .*lwa.refresh_token.*\n"


def typed(text):
    """Return the lines that are typed, beside those that explain."""
    return [line for line in text.splitlines() if not line.startswith("drs_sim: ")]


def test_it_says_where_it_is_and_how_a_board_gets_there(tmp_path):
    found, text = _say(tmp_path, LONG)
    for name in ("drs", "control", "ntp", "ca_pem", "ca_der"):
        assert found[name] in text
    # In the order of the README's first order, and then what spares the registering.
    words = [line.split()[0] for line in typed(text)]
    assert words == ["make", "config", "register", "config"]
    assert typed(text)[0].startswith("make deploy PORT=build/board CERT=")
    assert typed(text)[0].endswith(found["ca_der"])
    alone, values = map(json.loads, re.findall(r"^config (\S+)$", text, re.M))
    assert values["lwa.page"] == alone["lwa.page"] == found["drs"] + "/ap/oa"
    assert set(values) - set(alone) == {"lwa.client_secret", "lwa.refresh_token", "slot.id"}
    assert f"https://{values['drs.host']}:{values['drs.port']}" == found["drs"]
    assert values["lwa.refresh_token"].startswith("Atzr|")
    assert {"lwa.client_id", "lwa.client_secret", "device.serial", "ntp.port"} < set(values)


def test_a_restart_prints_the_same_and_leaves_the_demo_devices_board_registered(tmp_path):
    said = []
    for _ in range(2):
        found, text = _say(tmp_path, LONG)
        # `make sim` gives the ports; here they are others at each start.
        for name in ("drs", "control", "ntp"):
            text = re.sub(rf"\b{found[name].rpartition(':')[2]}\b", name, text)
        said.append(text)
    assert said[0] == said[1] and "Atzr|" in said[0]


def test_a_restart_of_a_demo_device_that_registered_itself_says_how_to_have_another(tmp_path):
    _, text = _say(tmp_path, LONG)
    with sqlite3.connect(tmp_path / "state.db") as books:
        books.execute("UPDATE devices SET refresh_hash = x'00'")
    books.close()
    _, again = _say(tmp_path, "start again$")
    assert [line.split()[0] for line in typed(again)] == ["make", "config", "register"]
    assert f"rm {tmp_path / 'state.db'}," in again
    (tmp_path / "state.db").unlink()
    assert len(typed(_say(tmp_path, LONG)[1])) == len(typed(text))


def test_a_host_of_its_own_serves_a_board_and_control_stays_on_loopback(tmp_path):
    sim = Sim(tmp_path, "--host", "127.0.0.2")
    assert sim.ready["drs"].startswith("https://127.0.0.2:")
    assert sim.ready["ntp"].startswith("127.0.0.2:")
    assert sim.ready["control"].startswith("http://127.0.0.1:")
    # The certificate is for that address: httpx checks it.
    assert sim.drs.get("/subscriptionInfo").status_code == 400
    assert sim.stop() == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost", "192.0.2.7"])
def test_a_host_that_is_no_address_here_is_one_line_and_status_2(tmp_path, host):
    ends = [f"--{name}={tmp_path / name}" for name in ("state", "ready")]
    command = [sys.executable, "-m", "tools.drs_sim", "--host", host, *ends]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("drs_sim: ") and done.stderr.count("\n") == 1


# What is written of it.


def test_readme_lists_every_option():
    told = {row[0].strip("`"): row for row in rows("Options")}
    assert list(told) == list(TABLE)
    for name, spec in TABLE.items():
        assert told[name][1:3] == [str(spec), f"`{spec.default}`"], name


def test_readme_lists_every_fault():
    told = {row[0].strip("`") for row in rows("Faults")}
    for action in told:
        extra = {"kind": KINDS[0]} if action == "certificate" else {"path": "/"}
        extra |= {"seconds": 1} if action in ("delay", "slow") else {}
        extra |= {"status": 500} if action == "status" else {}
        assert parse([{"action": action, **extra}])
    assert len(told) == 11


def test_readme_names_tests_that_exist():
    named = set(re.findall(r"`(test_\w+)`", README))
    files = sorted(path.name for path in (ROOT / "host_tests").glob("test_*.py"))
    ours = [f"host_tests/{name}" for name in files if name.startswith("test_drs_sim")]
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", *ours],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    collected = set(re.findall(r"::(test_\w+)", listed.stdout))
    assert len(named) > 40
    assert named - collected - set(TABLE) == set()
