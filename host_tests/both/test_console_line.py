"""The line to the console: editing, echo, JSON mode, junk; never a secret."""

from console_kit import COMMANDS, Terminal
from kit import POINTS, SECRETS, T0

from lowtide import dates
from lowtide.settings import SECRET


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
        b"config wifi.password s3cr3t-1",
        b"config  wifi.password  s3cr3t-1",
        b"  config wifi.password s3cr3t-1",
        b"config\twifi.password\ts3cr3t-1",
        b"config \t lwa.refresh_token s3cr3t-1 s3cr3t-1",
    ):
        terminal = Terminal(json_mode=False)
        assert "s3cr3t" not in terminal.send(line + b"\n"), line
        assert terminal.device.config.store.writes == 1


def test_odd_blanks_crash_nothing():
    for json_mode in (True, False):
        terminal = Terminal(json_mode=json_mode)
        for line in (b" ", b"   ", b"\t", b"config  ", b"  help", b"config  slot.id  x"):
            terminal.send(line + b"\n")
        assert terminal.device.config["slot.id"] == "x"


def test_an_overlong_line_is_one_error_and_changes_nothing():
    terminal = Terminal()
    error = terminal.ask(b"config wifi.ssid " + b"x" * 5000)["error"]
    assert "nothing done" in error and "2300" in error
    assert terminal.ask("time")["ok"]
    assert terminal.device.config.store.writes == 0


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
        assert terminal.device.config.store.writes == 0
        assert terminal.device.store.writes == 0
        assert terminal.console.leave is None
        assert "2030-" in terminal.send(b"time\n")
    terminal = Terminal()
    assert not terminal.ask(b"\xff\xfe")["ok"]
    assert not terminal.ask(b"config \xc3\x28 1")["ok"]


def test_backspace_takes_the_last_character_back():
    terminal = Terminal(json_mode=False)
    terminal.send(b"statush\x08\x7fs\x01\x08")
    assert "version" in terminal.send(b"s\n")


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


def test_arrow_and_function_keys_are_no_text():
    terminal = Terminal()
    for key in (b"\x1b[A", b"\x1bOB", b"\x1b[3~", b"\x1b[1;5C"):
        assert terminal.ask(b"sta" + key + b"tus")["ok"], key
    # A line's end is one, whatever came before.
    assert "unknown command" in terminal.ask(b"nonsense\x1b")["error"]
    assert terminal.ask("status")["ok"]
