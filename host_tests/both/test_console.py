"""The console: one answer to each command, no echo in JSON mode, never a secret."""

from console_kit import COMMANDS, Terminal
from kit import DAY, POINTS, SLOT, T0, Device

from lowtide import VERSION, dates
from lowtide.orders import BLOCKS

STATUS = ("level", "state", "blocked", "slot", "event_id", "time", "version")


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
    assert terminal.device.config.store.writes == 0
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
    assert terminal.device.config.store.writes == 0


def test_a_flash_that_cannot_be_written_is_an_error_and_no_crash():
    terminal = Terminal()
    terminal.device.config.store.broken = True
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


def test_a_command_that_takes_nothing_more_is_not_done_with_more():
    terminal = Terminal()
    for command in ("status", "measure", "why", "log", "selftest", "sleep", "reboot"):
        error = terminal.ask(command + " 60")["error"]
        assert error == "nothing goes behind " + command
    assert terminal.console.leave is None


def test_an_order_typed_while_blocked_has_the_service_asked_at_once():
    terminal = Terminal()
    terminal.device.talk()
    terminal.device.agent.orders.blocked = BLOCKS.index("unsubscribed")
    assert terminal.device.agent.uplink_due() is None
    assert "unsubscribed" in terminal.ask("order --now")["error"]
    assert terminal.device.agent.uplink_due() == "report"
    terminal.device.talk()
    assert terminal.ask("status")["blocked"] is None


def test_sleep_and_reboot_leave_the_loop():
    for command in ("sleep", "reboot"):
        terminal = Terminal()
        assert terminal.console.leave is None
        assert terminal.ask(command)["ok"]
        assert terminal.console.leave == command


def test_a_time_that_cannot_be_stored_is_refused():
    terminal = Terminal()
    for year in (b"1999", b"2107", b"9999"):
        assert not terminal.ask(b"time " + year + b"-01-01T00:00:00Z")["ok"], year
    assert terminal.device.clock() == T0


def test_why_names_the_rule_that_holds_an_order_back_a_day():
    terminal = Terminal(Device().order())
    terminal.device.refill().low()
    why = terminal.ask("why")
    assert why["why"].startswith("rule 8: ")
    assert why["next_order"] == dates.iso(T0 + DAY)
    assert "rule 8: " in terminal.ask("order")["error"]
    assert terminal.device.wait(DAY).low() and terminal.ask("why")["why"].startswith("rule 2: ")


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
        assert "no https://" in terminal.ask("config drs.host " + value)["error"], value


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
    assert terminal.device.config.store.writes == 1


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
