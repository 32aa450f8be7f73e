"""What the provisioning tool takes in, settings, secrets, a batch, and its report."""

import fnmatch
import json
import os
import random
import subprocess

import pytest

from lowtide.config import names
from tools.image import ROOT
from tools.provision import __main__ as provision
from tools.provision import batch, settings
from tools.provision.report import FAILED, GOOD, OPEN, Report
from tools.provision.settings import InputError

EXAMPLE = ROOT / "tools" / "provision" / "example.toml"


def write(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def refused(call, *arguments):
    """Return the lines with which the input is refused."""
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return caught.value.lines


# Settings.


def test_toml_and_yaml_say_the_same(tmp_path):
    wanted = {"wifi.ssid": "Home", "level.reorder_pct": 25, "device.serial": "0012"}
    files = {
        "a.toml": 'level.reorder_pct = 25\n[wifi]\nssid = "Home"\n[device]\nserial = "0012"\n',
        "b.toml": '"wifi.ssid" = "Home"\n"level.reorder_pct" = "25"\n"device.serial" = "0012"\n',
        "c.yaml": "wifi.ssid: Home\nlevel:\n  reorder_pct: 25\ndevice.serial: 0012\n",
        "d.yml": "\ufeffwifi: {ssid: Home}\nlevel: {reorder_pct: 25}\ndevice: {serial: 0012}\n",
    }
    for name, text in files.items():
        assert settings.settings(write(tmp_path / name, text)) == wanted, name


def test_yaml_makes_no_booleans_of_words(tmp_path):
    file = write(tmp_path / "a.yaml", "wifi.ssid: no\nslot.id: 1e3\nslot.unit: on\n")
    assert settings.settings(file) == {"wifi.ssid": "no", "slot.id": "1e3", "slot.unit": "on"}


@pytest.mark.parametrize(
    "text, parts",
    [
        ("level.reorder_pct: 61", ("level.reorder_pct", "from 1 to 60")),
        ("level.reorder_pct: many", ("level.reorder_pct", "from 1 to 60")),
        ("drs.host: https://x", ("drs.host", "no https://")),
        ("power.mode: solar", ("power.mode", "mains or battery")),
        ("wifi.sid: x", ("wifi.sid", "did you mean wifi.ssid?")),
        ("quite.different: x", ("quite.different", "'config' on a board lists them")),
        ("wifi.ssid: [a, b]", ("wifi.ssid", "0 to 32 printable")),
        ("wifi.ssid: a\nwifi:\n  ssid: b", ("wifi.ssid", "twice")),
        ("wifi.ssid: a\nwifi.ssid: b", ("wifi.ssid", "twice", "line 2")),
        ("wifi.ssid: 'a", ("line",)),
        ("- wifi.ssid", ("a name and a value",)),
    ],
)
def test_a_wrong_setting_is_one_line_with_file_name_limit_and_remedy(tmp_path, text, parts):
    file = write(tmp_path / "a.yaml", text)
    [line] = refused(settings.settings, file)
    assert line.startswith(f"{file}: ") and "\n" not in line
    for part in parts:
        assert part in line


def test_a_number_where_text_belongs_wants_quotes(tmp_path):
    [line] = refused(settings.settings, write(tmp_path / "a.toml", "device.serial = 12"))
    assert "device.serial" in line and "put it in quotes" in line


def test_everything_wrong_is_said_at_once(tmp_path):
    text = "level.reorder_pct = 99\nlevel.refill_pct = 1\nwifi.sid = 'x'\n"
    assert len(refused(settings.settings, write(tmp_path / "a.toml", text))) == 3


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert "No such file" in refused(settings.settings, tmp_path / "a.toml")[0]
    assert ".toml, .yaml" in refused(settings.settings, write(tmp_path / "a.json", "{}"))[0]
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    assert "UTF-8" in refused(settings.settings, tmp_path / "b.toml")[0]


def test_the_example_holds(tmp_path):
    found = settings.settings(EXAMPLE)
    assert found["device.model"] == "tidy-dispenser" and found.keys() <= set(names())


def test_the_report_beside_the_example_is_nothing_to_commit():
    name = provision._beside(EXAMPLE).name
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert any(fnmatch.fnmatch(name, line) for line in ignored), name


# Secrets.


def test_a_secret_in_the_file_of_settings_is_refused_with_the_remedy(tmp_path):
    file = write(tmp_path / "a.toml", '[wifi]\npassword = "hunter-22"\n')
    [line] = refused(settings.settings, file)
    assert "LOWTIDE_WIFI_PASSWORD" in line and "--secrets" in line and "hunter" not in line


def test_secrets_come_from_the_environment_and_a_private_file(tmp_path):
    file = write(
        tmp_path / "s.toml", 'wifi.password = "of the file"\nlwa.client_secret = "client-secret"\n'
    )
    environ = {"LOWTIDE_WIFI_PASSWORD": "of the environment", "LOWTIDE_WIFI_SSID": "no secret"}
    assert settings.secrets(None, environ) == {"wifi.password": "of the environment"}
    assert settings.secrets(file, {}) == {
        "wifi.password": "of the file",
        "lwa.client_secret": "client-secret",
    }
    assert settings.secrets(file, environ)["wifi.password"] == "of the environment"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_secrets_file_that_others_may_open_is_refused(tmp_path, mode):
    file = write(tmp_path / "s.toml", 'wifi.password = "hunter-22"\n', mode)
    [line] = refused(settings.secrets, file, {})
    assert f"{mode:04o}" in line and f"chmod 600 {file}" in line
    file.chmod(0o400)
    assert settings.secrets(file, {}) == {"wifi.password": "hunter-22"}


def test_a_secrets_file_of_somebody_else_is_refused(tmp_path, monkeypatch):
    file = write(tmp_path / "s.toml", 'wifi.password = "hunter-22"\n')
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(file).st_uid + 1)
    assert "somebody else" in refused(settings.secrets, file, {})[0]


def test_a_secrets_file_holds_nothing_else_and_must_be_there(tmp_path):
    file = write(tmp_path / "s.toml", 'wifi.ssid = "x"\n')
    assert "not a secret" in refused(settings.secrets, file, {})[0]
    assert "No such file" in refused(settings.secrets, tmp_path / "none.toml", {})[0]


def test_no_wrong_input_shows_a_secret(tmp_path):
    secret = "Atzr|IwEBIJ-very-long-and-secret"
    long = secret * 80
    texts = {
        "a.toml": [
            f'lwa.refresh_token = "{long}"',
            f'lwa.refresh_token = "{secret}',
            f"{secret}=",
        ],
        "a.yaml": [f"lwa.refresh_token: '{secret}", f"lwa.refresh_token: [{secret}]"],
    }
    for name, every in texts.items():
        for text in every:
            for line in refused(settings.secrets, write(tmp_path / name, text), {}):
                assert secret not in line
    for line in refused(settings.secrets, None, {"LOWTIDE_LWA_REFRESH_TOKEN": long}):
        assert secret not in line and "lwa.refresh_token" in line


# A batch.


def rows(tmp_path, text, mode=0o644):
    return batch.rows(write(tmp_path / "b.csv", text, mode))


def test_a_row_a_board_in_the_order_of_the_file(tmp_path):
    text = "device.serial,slot.capacity,slot.id\nB-2,80,\nA-1,,Paper\n\n,,\nC-3,90,\n"
    found = rows(tmp_path, text)
    assert list(found) == ["B-2", "A-1", "C-3"]
    assert found["B-2"] == {"device.serial": "B-2", "slot.capacity": 80}
    assert found["A-1"] == {"device.serial": "A-1", "slot.id": "Paper"}


def test_a_spreadsheets_semicolons_and_byte_order_mark_are_fine(tmp_path):
    assert rows(tmp_path, "\ufeffdevice.serial;slot.id\r\nA;Paper\r\n")["A"]["slot.id"] == "Paper"


@pytest.mark.parametrize(
    "text, parts",
    [
        ("device.serial\nA\nB\nA\n", ("line 4", "A is in line 2")),
        ("device.serial,slot.id\nA,x\n,y\n", ("line 3", "no device.serial")),
        ("device.serial\nA,x\n", ("line 2", "more cells")),
        ("device.serial,level.reorder_pct\nA,99\n", ("line 2", "level.reorder_pct", "1 to 60")),
        ("device.serial,wifi.sid\nA,x\n", ("line 2", "did you mean wifi.ssid")),
        ("serial\nA\n", ("first line", "device.serial")),
        ("A\nB\n", ("first line", "device.serial")),
        ("", ("first line", "device.serial")),
        ("device.serial,device.serial\nA,B\n", ("two columns",)),
        ("device.serial\n", ("no board",)),
        ('device.serial\n"A\n', ("not CSV",)),
    ],
)
def test_a_wrong_batch_is_one_line_with_file_and_line(tmp_path, text, parts):
    [line] = refused(rows, tmp_path, text)
    assert str(tmp_path / "b.csv") in line and "\n" not in line
    for part in parts:
        assert part in line


def test_a_batch_with_secrets_is_a_private_file(tmp_path):
    text = "device.serial,wifi.password\nA,hunter-22\n"
    [line] = refused(rows, tmp_path, text)
    assert "chmod 600" in line and "hunter" not in line
    assert rows(tmp_path, text, 0o600)["A"]["wifi.password"] == "hunter-22"


def test_boards_get_the_next_free_serial_number_and_keep_what_they_carry():
    given, refused = batch.allocate(
        ["A", "B", "C", "D"], {"p1": "", "p2": "B", "p3": "", "p4": ""}, {"A"}
    )
    assert given == {"p1": "C", "p2": "B", "p3": "D"}
    assert "no serial number is left" in refused["p4"]


def test_a_copy_and_a_stranger_are_refused():
    given, refused = batch.allocate(["A", "B"], {"p1": "A", "p2": "A", "p3": "Z"}, set())
    assert given == {} and "on two boards" in refused["p1"] == refused["p2"]
    assert "Z" in refused["p3"] and "factory-reset" in refused["p3"]


def test_no_run_of_runs_gives_a_serial_number_twice():
    """Boards come and go over many runs; some are cut off before the number arrived."""
    for seed in range(200):
        dice = random.Random(seed)
        serials = [f"S{n}" for n in range(12)]
        boards, taken = dict.fromkeys(range(15), ""), set()
        for _ in range(8):
            here = dice.sample(list(boards), dice.randint(1, 6))
            given, _ = batch.allocate(serials, {board: boards[board] for board in here}, taken)
            for board, serial in given.items():
                assert boards[board] in ("", serial)
                taken.add(serial)
                if dice.random() < 0.7:
                    boards[board] = serial
            carried = [serial for serial in boards.values() if serial]
            assert len(set(carried)) == len(carried)


# The report.


@pytest.fixture(params=["csv", "json"])
def path(request, tmp_path):
    return tmp_path / f"report.{request.param}"


def test_a_report_is_read_back_as_it_was_written(path):
    report = Report(path)
    report.put("S-1", "/dev/a", GOOD, 'said "no", then yes; fine', "0.1.0")
    report.put("S-2", "/dev/b", OPEN, "settings")
    report.put("S-2", "/dev/b", FAILED, "wifi, no such network")
    report.put("", "/dev/c", GOOD)
    kept = report.rows
    report.put("", "/dev/d", FAILED, "no such port")
    assert len(report.rows) == 4
    report.close()
    again = Report(path)
    assert again.rows == kept and len(kept) == 3
    assert again.result("S-1") == (GOOD, "0.1.0") and again.result("S-3") is None
    assert again.left_at("/dev/b") == "S-2" and again.left_at("/dev/a") == ""
    again.drop("S-2")
    again.put("S-4", "/dev/c", GOOD)
    again.close()
    assert [row["serial"] for row in Report(path).rows] == ["S-1", "S-4"]
    assert os.listdir(path.parent) == [path.name]


def test_a_report_is_for_one_run_at_a_time(path):
    first = Report(path)
    assert "another run" in refused(Report, path)[0]
    first.put("S-1", "/dev/a", GOOD)
    assert "another run" in refused(Report, path)[0]
    first.close()
    Report(path).close()


def test_a_power_cut_while_it_is_written_leaves_the_old_report(path, monkeypatch):
    report = Report(path)
    report.put("S-1", "/dev/a", GOOD)

    def cut(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", cut)
    with pytest.raises(OSError):
        report.put("S-2", "/dev/b", GOOD)
    report.close()
    assert [row["serial"] for row in Report(path).rows] == ["S-1"]


@pytest.mark.parametrize(
    "text", ["hello\n", "serial,port\nA,b\n", '{"a": 1}', "[1]", 'serial,port,"\n']
)
def test_what_is_no_report_is_left_alone(path, text):
    path.write_text(text)
    assert "not a report" in refused(Report, path)[0]
    assert path.read_text() == text


def test_a_serial_number_twice_in_a_report_is_refused(tmp_path):
    path = tmp_path / "r.json"
    row = {"serial": "A", "port": "p", "result": "good", "reason": "", "version": "", "time": ""}
    path.write_text(json.dumps([row, row]))
    assert "twice" in refused(Report, path)[0]
    assert "No such file" in refused(Report, tmp_path / "none" / "r.csv")[0]


# make.


@pytest.mark.parametrize(
    "given, asked",
    [((), "PORT="), (("PORT=/dev/x /dev/y",), "FILE="), (("FILE=x.toml",), "PORT=")],
)
def test_make_says_what_is_missing(given, asked):
    done = subprocess.run(
        ["make", "--no-print-directory", "provision", *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 2 and len(done.stdout.splitlines()) == 1 and asked in done.stdout
