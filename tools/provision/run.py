"""A run over boards: who gets which serial number, what is done, what the report says of it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor, wait

from tools.device import DeviceError, Stopped
from tools.provision.batch import allocate
from tools.provision.board import IDENTITY, Board
from tools.provision.report import FAILED, GOOD, OPEN
from tools.provision.settings import SERIAL, is_secret

_TOKEN = "lwa.refresh_token"
# A battery board has its console for ten seconds after the last input: a word keeps it awake.
_WORD_S = 4


class Run:
    """One run. Afterwards `results` is `{port: (serial number, result, reason)}`.

    Args:
        wanted: the settings of every board; with `rows`, those of each serial number besides.
        report, show: where it is kept and shown.
        stop: a `threading.Event`; once set every board is left as it is, soon.
        registrar: registers each board; None: nobody does.
        again: what the report calls good is done anew too.
    """

    def __init__(self, wanted, report, show, stop, rows=None, registrar=None, again=False):
        self._wanted, self._report, self._show = wanted, report, show
        self._stop, self._rows, self._registrar, self._again = stop, rows, registrar, again
        self._boards, self._connecting, self._turns = {}, set(), {}
        self._connected = threading.Event()
        # The serial number under which the report has each port's board.
        self._at = {}
        self.results = {}
        every = [wanted, *(rows or {}).values()]
        secrets = {values[name] for values in every for name in values if is_secret(name)}
        secrets |= {json.dumps(secret, ensure_ascii=False)[1:-1] for secret in secrets}
        # The longest first, should one hold another.
        self._secrets = sorted(secrets - {""}, key=len, reverse=True)

    def run(self, ports):
        """Do it all. A KeyboardInterrupt stops it, and is raised once the boards are let go.

        Raises:
            OSError: the report cannot be written; nothing goes on without it.
        """
        for port in ports:
            self._boards[port] = Board(port, self._stop.is_set, self._heard(port))
        try:
            self._connecting = set(ports)
            self._each(self._connect, ports)
            given = self._given()
            if self._registrar:
                # A person can only allow one device at a time, and expects them in this order.
                self._turns = {port: threading.Event() for port in given}
                self._each(lambda port: self._work_in_turn(port, given[port]), given)
            else:
                self._each(lambda port: self._work(port, given[port]), given)
        finally:
            for board in self._boards.values():
                board.close()

    def _each(self, what, ports):
        with ThreadPoolExecutor(len(self._boards)) as pool:
            futures = [pool.submit(what, port) for port in ports]
            try:
                wait(futures)
            except BaseException:
                self._stop.set()
                raise
        for future in futures:
            future.result()

    def _heard(self, port):
        def heard(line):
            name, _, verdict = line.partition(": ")
            if verdict.startswith("ok"):
                self._show.step(port, f"selftest: {name}")

        return heard

    def _connect(self, port):
        board = self._boards[port]
        self._show.step(port, "connect")
        try:
            try:
                board.connect()
            finally:
                self._connecting.discard(port)
                if not self._connecting:
                    self._connected.set()
            self._show.name(port, board.serial)
            self._keep_awake(board, self._connected)
        except DeviceError as e:
            # If it does not say who it is: the one that was left open there, if one was.
            self._at[port] = board.serial or self._report.left_at(port)
            self._note(port, e)

    def _keep_awake(self, board, until):
        while not until.wait(_WORD_S):
            board.device.command("time")

    def _given(self):
        """Return `{port: serial number}` for the boards that there is one for."""
        carried = {
            port: board.serial for port, board in self._boards.items() if port not in self.results
        }
        if self._rows is None and SERIAL in self._wanted:
            return dict.fromkeys(carried, self._wanted[SERIAL])
        rows, taken = self._rows, {row["serial"] for row in self._report.rows}
        if rows is None:
            rows = dict.fromkeys(serial for serial in carried.values() if serial)
        given, refused = allocate(rows, carried, taken)
        if self._rows is None:
            # Nobody says what it is called, so it stays without a name.
            given |= {port: "" for port in refused if not carried[port]}
        for port, why in refused.items():
            if port not in given:
                self._note(port, DeviceError(why))
        return given

    def _work_in_turn(self, port, serial):
        ports = list(self._turns)
        before = ports[: ports.index(port)]
        try:
            if before:
                self._keep_awake(self._boards[port], self._turns[before[-1]])
            self._work(port, serial)
        except DeviceError as e:
            self._at[port] = self._boards[port].serial
            self._note(port, e)
        finally:
            self._turns[port].set()

    def _work(self, port, serial):
        board = self._boards[port]
        settings = self._wanted | (self._rows or {}).get(serial, {})
        self._at[port] = serial if board.serial == serial else ""
        self._show.name(port, serial)
        if self._is_good(board, serial, settings):
            self._done(port, GOOD, "already, and unchanged")
            return
        try:
            if self._stop.is_set():
                raise Stopped("interrupted")
            self._store(board, serial, settings)
            if self._registrar and (self._again or not board.is_set(_TOKEN)):
                self._registrar.register(board, settings.get("slot.id", ""))
            self._report_step(port, "selftest")
            self._note(port, note=board.selftest())
        except DeviceError as e:
            self._note(port, e)

    def _is_good(self, board, serial, settings):
        return (
            not self._again
            and self._report.result(serial) == (GOOD, board.version)
            and not board.differing(settings)
            and (not self._registrar or board.is_set(_TOKEN))
        )

    def _store(self, board, serial, settings):
        shown = board.differing(settings)
        name = next((name for name in IDENTITY if name in shown), "")
        if name and board.is_set(_TOKEN):
            # The registration it has is another device's.
            if not self._again:
                raise DeviceError(
                    f"{name}: it is registered with {shown[name] or 'none'}, not {settings[name]};"
                    " factory-reset it first, or AGAIN=1 (--again) forgets its registration"
                )
            self._show.line(
                f"{board.port}: its registration, serial number {board.serial or '-'}, is"
                " forgotten here and not at the service, which factory-reset would tell"
            )
            settings = {_TOKEN: ""} | settings
        known = board.serial == serial
        # From here on, until it is known better, the serial number may be on this board.
        self._at[board.port] = serial
        self._report_step(board.port, "settings")
        try:
            board.store(settings)
        except DeviceError:
            if not known and board.serial not in (serial, None):
                self._at[board.port] = ""
                self._report.drop(serial)
            raise

    def _report_step(self, port, what):
        self._show.step(port, what)
        self._report.put(self._at[port], port, OPEN, what, self._boards[port].version)

    def _note(self, port, error=None, note=""):
        if error is None:
            result = GOOD
        else:
            result = OPEN if isinstance(error, Stopped) else FAILED
            note = str(error).removeprefix(f"{port}: ")
            # The board shows none; should it ever, it ends here.
            for secret in self._secrets:
                note = note.replace(secret, "***")
        self._report.put(self._at.get(port, ""), port, result, note, self._boards[port].version)
        self._done(port, result, note)

    def _done(self, port, result, reason):
        done = (self._at.get(port, ""), result, reason)
        self.results[port] = done
        self._show.done(port, *done)
