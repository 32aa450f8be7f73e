"""The console: one answer to each command, no echo in JSON mode, never a secret."""

import io
import json

from kit import DAY, POINTS, SECRETS, SLOT, T0, Device

from lowtide import VERSION, dates
from lowtide.console import Console
from lowtide.log import Log
from lowtide.orders import BLOCKS
from lowtide.settings import SECRET

COMMANDS = ("help", "status", "config", "measure", "order", "why", "log", "time", "reboot")
STATUS = ("level", "state", "blocked", "slot", "event_id", "time", "version")


class Line(io.IOBase):
    """A text stream that keeps what was written: JSON comes byte by byte on MicroPython."""

    def __init__(self):
        self.said = bytearray()

    def write(self, data):
        self.said.extend(data.encode() if isinstance(data, str) else data)
        return len(data)

    def clear(self):
        self.said = bytearray()

    def text(self, since=0):
        return self.said[since:].decode()


class Terminal:
    """A person, or a script, at the serial line of a `Device`."""

    def __init__(self, device=None, json_mode=True):
        self.device = device or Device()
        self.out = Line()
        device = self.device
        self.log = Log(device.clock, self.out.write)
        device.agent.log = self.log
        self.changed = []
        self.begun = {}
        # What the console needs of `app.App`.
        self.agent, self.config, self.gauge = device.agent, device.config, device.gauge
        self.time_s, self.set_time = device.clock, device.clock.set
        self.config_changed = self.changed.append
        self.console = Console(self, None)
        self.stopped = 0
        if json_mode:
            self.send(b"json on\r\n")
            self.out.clear()

    def send(self, data):
        """Type bytes; return all that came back."""
        before = len(self.out.said)
        for at in range(len(data)):
            try:
                self.console.feed(data[at : at + 1])
            except KeyboardInterrupt:
                self.stopped += 1
        return self.out.text(before)

    def ask(self, line):
        """Send one command in JSON mode; return its one answer."""
        if isinstance(line, str):
            line = line.encode()
        lines = self.send(line + b"\n").split("\n")
        assert lines.pop() == ""
        answers = [text for text in lines if text.startswith("{")]
        assert len(answers) == 1, lines
        answer = json.loads(answers[0])
        assert isinstance(answer["ok"], bool)
        assert answer["ok"] or set(answer) == {"ok", "error"}
        if not answer["ok"]:
            assert "\n" not in answer["error"] and len(answer["error"]) < 160
        return answer


def test_every_command_gives_exactly_one_answer():
    for command in COMMANDS:
        Terminal().ask(command)


def test_help_names_every_command():
    text = str(Terminal().ask("help"))
    for command in COMMANDS:
        assert command in text


def test_status_holds_what_scripts_rely_on():
    terminal = Terminal(Device(permille=420))
    status = terminal.ask("status")
    for key in STATUS:
        assert key in status, key
    assert abs(status["level"] - 0.42) < 0.001
    assert status["state"] == "none"
    assert status["blocked"] is None
    assert status["slot"] == SLOT
    assert status["event_id"] is None
    assert status["time"] == dates.iso(T0)
    assert status["version"] == VERSION


def test_status_of_an_order_and_of_a_block():
    terminal = Terminal(Device().order())
    terminal.device.agent.orders.blocked = BLOCKS.index("unsubscribed")
    status = terminal.ask("status")
    assert status["state"] == "placed"
    assert status["event_id"] == "order-1"
    assert status["blocked"] == "unsubscribed"


def test_status_with_a_gauge_fault_has_no_level():
    terminal = Terminal(Device(permille=None))
    assert terminal.ask("status")["level"] is None
    assert terminal.ask("status")["fault"] == "gauge fault: out of range"
    assert terminal.ask("status")["amount"] is None


def test_status_and_measure_show_the_amount_in_the_products_unit():
    terminal = Terminal(Device(permille=290))
    terminal.ask('config {"slot.capacity":2500,"slot.unit":"g"}')
    assert terminal.ask("status")["amount"] == terminal.ask("measure")["amount"] == "725 g"


def test_quotes_around_a_value_are_not_of_it():
    terminal = Terminal()
    table = "84000:0 200000:400 512000:1000"
    assert terminal.ask('config gauge.table "%s"' % table)["value"] == table
    assert terminal.ask('config gauge.table ""')["value"] == ""
    assert terminal.ask('config wifi.ssid "half')["value"] == '"half'


def test_status_shows_a_fault_that_only_the_last_deciding_reading_saw():
    terminal = Terminal(Device(permille=700))
    terminal.device.agent.doubt = "gauge fault: container lifted"
    assert terminal.ask("status")["fault"] == "gauge fault: container lifted"
    terminal.device.agent.measure()
    assert terminal.ask("status")["fault"] is None


def test_looking_at_the_level_decides_nothing_and_writes_nothing():
    terminal = Terminal(Device(permille=100))
    for _ in range(10):
        terminal.ask("status")
        terminal.ask("measure")
    assert terminal.device.agent.level.low_count == 0
    assert terminal.device.store.writes == 0


def test_unknown_commands_change_nothing():
    terminal = Terminal()
    for line in ("x", "HELP", "orders", "order now", "order --now --now", "{", '{"ok":true}', "?"):
        assert not terminal.ask(line)["ok"], line
    for line in ("json", "json maybe", "json on off", "time now", "time 2030-01-01", "config x"):
        assert not terminal.ask(line)["ok"], line
    assert terminal.device.store.writes == 0
    assert terminal.device.config._store.writes == 0
    assert not terminal.device.agent.forced


def test_config_shows_sets_and_reports_a_change():
    terminal = Terminal()
    answer = terminal.ask("config level.reorder_pct")
    assert answer == {"ok": True, "name": "level.reorder_pct", "value": 20}
    answer = terminal.ask("config level.reorder_pct 25")
    assert answer == {"ok": True, "name": "level.reorder_pct", "value": 25}
    assert terminal.device.config["level.reorder_pct"] == 25
    assert terminal.changed == ["level.reorder_pct"]


def test_config_values_may_hold_spaces_and_be_emptied():
    terminal = Terminal()
    terminal.ask("config wifi.ssid my home network")
    assert terminal.device.config["wifi.ssid"] == "my home network"
    terminal.ask('config wifi.password ""')
    assert terminal.device.config["wifi.password"] == ""


def test_config_out_of_range_names_the_field_and_changes_nothing():
    terminal = Terminal()
    error = terminal.ask("config level.reorder_pct 99")["error"]
    assert "level.reorder_pct" in error and "1 to 60" in error
    assert not terminal.ask("config no.such 1")["ok"]
    assert terminal.changed == []
    assert terminal.device.config._store.writes == 0


def test_a_flash_that_cannot_be_written_is_an_error_and_no_crash():
    terminal = Terminal()
    terminal.device.config._store.broken = True
    assert not terminal.ask("config slot.id other")["ok"]
    assert terminal.device.config["slot.id"] == SLOT


def test_order_and_order_now():
    terminal = Terminal(Device(permille=900))
    assert "low" in terminal.ask("order")["error"]
    assert "low" in terminal.ask("order --now")["error"]
    terminal.device.gauge.permille = 100
    assert terminal.ask("order")["ok"]
    assert terminal.device.agent.uplink_due() == "order"
    terminal.device.talk()
    assert "open" in terminal.ask("order --now")["error"]


def test_why_explains_level_threshold_forecast_rule_and_next_time():
    terminal = Terminal(Device().order((None, None)).wait(13 * 3600))
    terminal.device.low().talk()
    why = terminal.ask("why")
    assert why["why"].startswith("rule 7")
    assert why["level"] == 0.1
    assert why["threshold"] == 0.2
    assert "forecast" in why
    assert why["next_order"] == dates.iso(T0 + 10 * DAY)


def test_time_is_shown_and_set():
    terminal = Terminal()
    assert terminal.ask("time")["time"] == dates.iso(T0)
    assert terminal.ask("time 2031-02-03T04:05:06Z")["time"] == "2031-02-03T04:05:06Z"
    assert dates.iso(terminal.device.clock()) == "2031-02-03T04:05:06Z"


def test_sleep_and_reboot_leave_the_loop():
    for command in ("sleep", "reboot"):
        terminal = Terminal()
        assert terminal.console.leave is None
        assert terminal.ask(command)["ok"]
        assert terminal.console.leave == command


def test_the_log_is_shown_and_is_told_from_answers():
    terminal = Terminal()
    assert not terminal.send(b"").startswith("{")
    terminal.log("something happened")
    assert "something happened" in terminal.ask("log")["log"][-1]
    assert not any(line.startswith("{") for line in terminal.log.lines)


def test_json_mode_has_no_echo_and_no_prompt():
    terminal = Terminal()
    assert terminal.send(b"stat") == ""
    assert terminal.send(b"us") == ""
    answer = terminal.send(b"\r\n")
    assert answer.startswith("{") and answer.endswith("}\n") and answer.count("\n") == 1
    assert terminal.send(b"\r\n\r\n\n") == ""


def test_switching_json_on_and_off_is_itself_answered_in_json():
    terminal = Terminal(json_mode=False)
    on = terminal.send(b"json on\r\n")
    assert [line for line in on.split("\n") if line.startswith("{")] == ['{"ok":true,"json":true}']
    off = terminal.send(b"json off\n").split("\n")
    assert '{"ok":true,"json":false}' in off
    assert "lowtide>" in terminal.send(b"time\n")


def test_every_line_end_ends_one_command():
    for end in (b"\n", b"\r", b"\r\n"):
        terminal = Terminal()
        assert terminal.send(b"time" + end).count("{") == 1


def test_text_mode_echoes_and_prompts():
    terminal = Terminal(json_mode=False)
    out = terminal.send(b"time\r")
    assert out.startswith("time\n")
    assert dates.iso(T0) in out
    assert out.endswith("lowtide> ")
    assert "error: " in terminal.send(b"nonsense\r")


def test_secrets_are_set_and_never_come_back():
    for json_mode in (True, False):
        terminal = Terminal(json_mode=json_mode)
        for name, point in POINTS.items():
            if point[0] == SECRET:
                terminal.send(b"config %s s3cr3t-value\n" % name.encode())
                assert terminal.device.config[name] == "s3cr3t-value"
                terminal.send(b"config %s\n" % name.encode())
                terminal.send(b"config %s %s\n" % (name.encode(), b"s3cr3t" * 350))
        for command in COMMANDS:
            terminal.send(command.encode() + b"\n")
        out = terminal.out.text()
        assert "s3cr3t" not in out
        for secret in SECRETS:
            assert secret not in out


def test_secrets_are_not_echoed_however_the_words_are_parted():
    for line in (
        b"config wifi.password s3cr3t",
        b"config  wifi.password  s3cr3t",
        b"  config wifi.password s3cr3t",
        b"config\twifi.password\ts3cr3t",
        b"config \t lwa.refresh_token s3cr3t s3cr3t",
    ):
        terminal = Terminal(json_mode=False)
        assert "s3cr3t" not in terminal.send(line + b"\n"), line
        assert terminal.device.config._store.writes == 1


def test_odd_blanks_crash_nothing():
    for json_mode in (True, False):
        terminal = Terminal(json_mode=json_mode)
        for line in (b" ", b"   ", b"\t", b"config  ", b"  help", b"config  slot.id  x"):
            terminal.send(line + b"\n")
        assert terminal.device.config["slot.id"] == "x"


def test_an_overlong_line_is_one_error_and_changes_nothing():
    terminal = Terminal()
    error = terminal.ask(b"config wifi.ssid " + b"x" * 5000)["error"]
    assert "longer" in error
    assert terminal.ask("time")["ok"]
    assert terminal.device.config._store.writes == 0


def test_the_longest_token_fits_a_line():
    terminal = Terminal()
    assert terminal.ask("config lwa.refresh_token Atzr|" + "x" * 2043)["ok"]
    assert len(terminal.device.config["lwa.refresh_token"]) == 2048


def test_binary_junk_crashes_nothing_and_changes_nothing():
    junk = bytes(range(256)) * 3 + b"\xff\xfe\xc3\x28\xed\xa0\x80" + b"\x00" * 50
    for json_mode in (True, False):
        terminal = Terminal(json_mode=json_mode)
        terminal.send(junk + b"\n")
        for byte in junk:
            terminal.send(bytes([byte]))
        terminal.send(b"\n")
        assert terminal.device.config._store.writes == 0
        assert terminal.device.store.writes == 0
        assert terminal.console.leave is None
        assert "2030-" in terminal.send(b"time\n")
    terminal = Terminal()
    assert not terminal.ask(b"\xff\xfe")["ok"]
    assert not terminal.ask(b"config \xc3\x28 1")["ok"]


def test_a_time_that_cannot_be_stored_is_refused():
    terminal = Terminal()
    for year in (b"1999", b"2107", b"9999"):
        assert not terminal.ask(b"time " + year + b"-01-01T00:00:00Z")["ok"], year
    assert terminal.device.clock() == T0


def test_backspace_takes_the_last_character_back():
    terminal = Terminal(json_mode=False)
    terminal.send(b"statush\x08\x7fs\x01\x08")
    assert "version" in terminal.send(b"s\n")


def test_why_names_no_time_in_the_past():
    terminal = Terminal()
    terminal.device.low()
    assert terminal.ask("why")["next_order"] == dates.iso(terminal.device.clock())


def test_a_failed_uplink_shows_in_status_until_one_succeeds():
    terminal = Terminal()
    terminal.device.fail("no Wi-Fi")
    assert terminal.ask("status")["uplink"] == "no Wi-Fi"
    terminal.device.talk()
    assert terminal.ask("status")["uplink"] is None


def test_order_reads_the_level_again_though_it_was_low():
    terminal = Terminal()
    terminal.device.low()
    terminal.device.gauge.permille = 900
    assert "rule 3" in terminal.ask("order --now")["error"]


def test_a_host_is_a_name_and_no_url():
    terminal = Terminal()
    for value in ("https://example.org", "example.org:443", "a b"):
        assert "without https://" in terminal.ask("config drs.host " + value)["error"], value


def test_ctrl_u_and_ctrl_c_drop_the_line_and_ctrl_c_alone_leaves():
    terminal = Terminal(json_mode=False)
    for key in (b"\x15", b"\x03"):
        assert "lowtide> " in terminal.send(b"reboot" + key)
        assert "version" in terminal.send(b"status\n")
    assert terminal.stopped == 0 and terminal.console.leave is None
    # What follows a secret's name was hidden; the next line is not.
    terminal.send(b"config wifi.password abc\x15")
    assert "time" in terminal.send(b"time")
    terminal.send(b"\n\x03")
    assert terminal.stopped == 1


def test_a_character_of_several_bytes_is_taken_back_whole():
    terminal = Terminal(json_mode=False)
    out = terminal.send(b"config wifi.ssid caf\xc3\xa9\x08e\n")
    assert "\b" not in out
    assert terminal.device.config["wifi.ssid"] == "cafe"


def test_several_settings_in_one_line_are_set_all_or_none():
    terminal = Terminal()
    answer = terminal.ask('config {"wifi.ssid":"my  net", "slot.capacity":250}')
    assert answer == {"ok": True, "set": ["slot.capacity", "wifi.ssid"]}
    assert terminal.device.config["wifi.ssid"] == "my  net"
    assert sorted(terminal.changed) == ["slot.capacity", "wifi.ssid"]
    error = terminal.ask('config {"wifi.ssid":"other","slot.capacity":0}')["error"]
    assert error.startswith("slot.capacity: want ")
    assert terminal.device.config["wifi.ssid"] == "my  net"
    for line in ("config {", 'config {"a"', 'config {"wifi.ssid":"x"} y', 'config {"no":1}'):
        assert not terminal.ask(line)["ok"], line
    assert terminal.device.config._store.writes == 1


def test_a_change_of_the_stage_says_that_the_registration_is_forgotten():
    terminal = Terminal()
    answer = terminal.ask("config device.stage test")
    assert "register again" in answer["forgotten"]
    assert terminal.device.config["lwa.refresh_token"] == ""
    answer = terminal.ask('config {"device.stage":"live"}')
    assert answer == {"ok": True, "set": ["device.stage"]}


def test_config_shows_a_table_that_marks_what_is_not_the_default():
    terminal = Terminal()
    answer = terminal.ask("config")
    assert answer["config"]["wifi.password"] == "set"
    terminal.send(b"json off\n")
    lines = terminal.send(b"config\n").split("\n")
    assert "* wifi.ssid = home" in lines
    assert "* wifi.password = set" in lines
    assert "  level.reorder_pct = 20" in lines
    assert not any("changed" in line for line in lines)


def test_help_tells_of_every_command_and_setting():
    terminal = Terminal()
    for name in POINTS:
        answer = terminal.ask("help " + name)
        assert answer["default"] == POINTS[name][1], name
        assert answer["want"] and answer["help"] and answer["example"], name
    for name in terminal.ask("help")["commands"].split():
        assert terminal.ask("help " + name)["example"].startswith(name)
    assert "no such" in terminal.ask("help me")["error"]


def test_test_orders_are_for_test_devices_and_need_no_low_level():
    terminal = Terminal(Device(permille=900))
    assert "device.stage is not test" in terminal.ask("order --test")["error"]
    terminal = Terminal(Device(permille=None, device__stage="test"))
    answer = terminal.ask("order --test")
    assert answer["charged"].startswith("nothing")
    terminal.device.talk()
    assert terminal.device.state == "placed"
    assert len(terminal.device.api.sent) == 1
    assert "open" in terminal.ask("order --test")["error"]
    # The answer was that of a real order, and that is said.
    assert any("A REAL ORDER" in line for line in terminal.log.lines)


def test_a_test_order_that_waits_is_not_sent_for_a_device_that_is_none_any_more():
    terminal = Terminal(Device(permille=900, device__stage="test"))
    assert terminal.ask("order --test")["ok"]
    terminal.ask('config {"device.stage":"live","lwa.refresh_token":"Atzr|another"}')
    terminal.device.talk()
    assert terminal.device.api.sent == []


def test_arrow_and_function_keys_are_no_text():
    terminal = Terminal()
    for key in (b"\x1b[A", b"\x1bOB", b"\x1b[3~", b"\x1b[1;5C"):
        assert terminal.ask(b"sta" + key + b"tus")["ok"], key
    # A line's end is one, whatever came before.
    assert "unknown command" in terminal.ask(b"nonsense\x1b")["error"]
    assert terminal.ask("status")["ok"]
