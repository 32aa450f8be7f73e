"""Provisioning and registration of virtual boards, over the firmware's own console."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import browser
import pytest
from drs_sim_kit import START, Sim
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tools import image
from tools.device import Device
from tools.virtual_board import driver

MODEL, SLOT, PASSWORD = "dispenser", "PaperTowel", "correct horse battery"
EXAMPLE = image.ROOT / "tools" / "provision" / "example.toml"


class Factory:
    """The service, blank boards with the firmware on them, and the files of a batch."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "sim").mkdir()
        self.sim = Sim(folder / "sim", "--time", START)
        self.boards = []
        self._flash = folder / "flash.img"
        trusted = [Path(self.sim.ready["ca_der"])]
        driver.write_image(self._flash, image.compiled("host", trusted))
        self.report = folder / "batch-report.csv"

    def board(self):
        """Power a new board on, blank but for the firmware."""
        folder = self.folder / f"board-{len(self.boards)}"
        folder.mkdir()
        shutil.copy(self._flash, folder / "flash.img")
        (folder / "level").write_text("0.6\n")
        self.boards.append(self.power_on(folder))
        return self.boards[-1]

    def power_on(self, folder, **air):
        (folder / "air.json").write_text("{}")
        clock = f"--clock-from={self.sim.ready['control']}"
        board = driver.VirtualBoard(folder, clock, f"--air={folder / 'air.json'}")
        board.spoil_air(**air)
        return board

    def settings(self, text=""):
        """Write the file of settings: the example's, pointed at the service, and `text`."""
        host, _, port = self.sim.ready["drs"].removeprefix("https://").rpartition(":")
        ntp_host, _, ntp_port = self.sim.ready["ntp"].rpartition(":")
        places = f'drs.host = "{host}"\ndrs.port = {port}\n'
        places += f'ntp.host = "{ntp_host}"\nntp.port = {ntp_port}\n'
        example = EXAMPLE.read_text().replace("tidy-dispenser", MODEL)
        example = example.replace("[lwa]", f'[lwa]\nhost = "{host}"\nport = {port}\n{text}')
        path = self.folder / "settings.toml"
        path.write_text(places + example)
        return path

    def batch(self, serials):
        """Write the CSV file, with the account of each board; return its secrets."""
        names = ("client_id", "client_secret", "refresh_token")
        path, secrets = self.folder / "batch.csv", []
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["device.serial", "slot.id", *(f"lwa.{name}" for name in names)])
            for serial in serials:
                account = self.sim.post("/devices", model=MODEL, serial=serial, slots=[SLOT])
                writer.writerow([serial, SLOT, *(account[name] for name in names)])
                secrets += [account["client_secret"], account["refresh_token"]]
        path.chmod(0o600)
        return path, secrets

    def start(self, settings, *options):
        """Start the tool over all boards, as a process; its output is a file."""
        return subprocess.Popen(
            [sys.executable, "-m", "tools.provision", settings, *options]
            + ["--report", self.report, "--port", *(board.link for board in self.boards)],
            cwd=image.ROOT,
            env=os.environ | {"LOWTIDE_WIFI_PASSWORD": PASSWORD},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def rows(self):
        """Return the report as `{serial: row}`."""
        if not self.report.exists():
            return {}
        with open(self.report, newline="") as file:
            return {row["serial"]: row for row in csv.DictReader(file)}

    def close(self):
        for board in self.boards:
            board.power_off()
        self.sim.stop()


@pytest.fixture
def factory(tmp_path):
    factory = Factory(tmp_path)
    yield factory
    factory.close()


def serial_of(board):
    """Ask the board itself."""
    device = Device(str(board.link))
    try:
        return device.command("config device.serial")["value"]
    finally:
        device.close()


def test_ten_boards_one_unplugged_half_way_and_the_second_run_finishes_it(factory):
    serials = [f"LT-{number}" for number in range(10)]
    batch, secrets = factory.batch(serials)
    for _ in serials:
        factory.board()
    doomed = factory.boards[3]
    # Its access point is away, so that it is in the middle of its self-test for long enough.
    doomed.spoil_air(ap=False)
    settings = factory.settings()
    first = factory.start(settings, "--csv", batch)
    driver.eventually(lambda: factory.rows().get("LT-3", {}).get("reason") == "selftest")
    os.kill(doomed.process.pid, signal.SIGKILL)
    said = first.communicate(timeout=60)[0]
    assert first.returncode == 1 and f"1 of 10 not good: LT-3 on {doomed.link};" in said, said
    rows = factory.rows()
    assert list(sorted(rows)) == serials
    assert [serial for serial, row in rows.items() if row["result"] != "good"] == ["LT-3"]
    assert rows["LT-3"]["result"] == "failed" and "unplugged" in rows["LT-3"]["reason"]

    factory.boards[3] = factory.power_on(doomed.link.parent)
    second = factory.start(settings, "--csv", batch)
    more = second.communicate(timeout=60)[0]
    assert second.returncode == 0 and more.count("already, and unchanged") == 9, more
    again = factory.rows()
    assert again.pop("LT-3")["result"] == "good"
    assert again == {serial: rows[serial] for serial in again}

    assert [serial_of(board) for board in factory.boards] == serials
    for text in (said, more, factory.report.read_text()):
        assert PASSWORD not in text and not [secret for secret in secrets if secret in text]


@pytest.fixture
def chromium(tmp_path):
    driver = browser.start(tmp_path / "chromium")
    # The simulator's certificate is of a CA of its own, which no browser knows. Of the
    # connections that matter the board makes its own judgement.
    driver.execute_cdp_cmd("Security.setIgnoreCertificateErrors", {"ignore": True})
    yield driver
    driver.quit()


class Clerk:
    """Runs the tool with --register, and reads what it says."""

    def __init__(self, factory, settings, *options):
        self._process = factory.start(settings, "--register", "--redirect-port", "0", *options)
        self.said = ""

    def until(self, pattern):
        """Read on until the pattern comes; return the match."""
        start = len(self.said)
        while not (found := re.compile(pattern).search(self.said, start)):
            line = self._process.stdout.readline()
            assert line, self.said
            self.said += line
        return found

    def end(self):
        """Read the rest; return the exit status."""
        self.said += self._process.communicate(timeout=90)[0]
        return self._process.returncode


def answer(chromium, link, button, *without):
    """Open the link as the customer, press the button; return what the browser ends on."""
    chromium.get(link)
    for slot in without:
        chromium.find_element(By.CSS_SELECTOR, f"input[value='{slot}']").click()
    chromium.find_element(By.CSS_SELECTOR, f"button[value='{button}']").click()
    WebDriverWait(chromium, 90).until(lambda _: "/ap/oa" not in chromium.current_url)
    return chromium.find_element(By.TAG_NAME, "body").text


def test_boards_are_registered_in_a_browser_one_after_the_other(factory, chromium):
    client = factory.sim.post("/clients", model=MODEL, slots=[SLOT])
    (factory.folder / "batch.csv").write_text("device.serial\nLT-1\nLT-2\nLT-3\n")
    page = f'page = "{factory.sim.ready["drs"]}/ap/oa"\n'
    settings = factory.settings(page)
    text = re.sub(
        r'client_id = ".*"', f'client_id = "{client["client_id"]}"', settings.read_text()
    )
    settings.write_text(text)
    for _ in range(3):
        factory.board()
    batch = ("--csv", factory.folder / "batch.csv")
    clerk = Clerk(factory, settings, *batch)

    for serial in ("LT-1", "LT-2"):
        clerk.until(f"{serial}: open this link")
        link = clerk.until(r"https://\S+/ap/oa\?\S+")[0]
        if serial == "LT-1":
            text = answer(chromium, link, "allow")
            assert "Your device is registered" in text and f"orders {SLOT} by itself" in text
        else:
            text = answer(chromium, link, "deny")
            assert "Your device is not registered" in text and "access_denied" in text
    clerk.until("LT-3: open this link")
    text = answer(chromium, clerk.until(r"https://\S+/ap/oa\?\S+")[0], "allow", SLOT)
    assert f"Reordering of {SLOT} is off" in text
    assert clerk.end() == 1 and "1 of 3 not good: LT-2 on " in clerk.said
    assert "█" in clerk.said and f"1  {SLOT}  <- this one" in clerk.said
    rows = factory.rows()
    assert {serial: row["result"] for serial, row in rows.items()} == {
        "LT-1": "good",
        "LT-2": "failed",
        "LT-3": "good",
    }
    assert "access_denied" in rows["LT-2"]["reason"]

    again = Clerk(factory, settings, *batch)
    again.until("LT-2: open this link")
    text = answer(chromium, again.until(r"https://\S+/ap/oa\?\S+")[0], "allow")
    assert "Your device is registered" in text
    assert again.end() == 0 and again.said.count("open this link") == 1, again.said

    state = factory.sim.state()
    assert sorted(device["serial"] for device in state["devices"]) == ["LT-1", "LT-2", "LT-3"]
    everything = clerk.said + again.said + factory.report.read_text()
    assert "Atz" not in everything and "code=" not in everything and PASSWORD not in everything
