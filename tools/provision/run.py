"""A run over boards: who gets which serial number, what is done, what the report says of it."""

import json
from concurrent.futures import ThreadPoolExecutor, wait

from tools.device import DeviceError, Stopped
from tools.provision.batch import allocate
from tools.provision.board import Board
from tools.provision.report import FAILED, GOOD, OPEN
from tools.provision.settings import SERIAL, is_secret

# What the service knows a device by: whoever changes it registers anew.
_IDENTITY = (SERIAL, "device.model", "lwa.client_id")
_TOKEN = "lwa.refresh_token"


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
        self._boards = {}
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
            self._each(self._connect, ports, len(ports))
            given = self._given()
            # A person can only allow one device at a time.
            workers = 1 if self._registrar else len(ports)
            self._each(lambda port: self._work(port, given[port]), given, workers)
        finally:
            for board in self._boards.values():
                board.close()

    def _each(self, what, ports, workers):
        with ThreadPoolExecutor(workers) as pool:
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
            board.connect()
        except DeviceError as e:
            # It does not say who it is: the one that was left open there, if one was.
            self._at[port] = self._report.left_at(port)
            self._note(port, e)
        else:
            self._show.name(port, board.serial)

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

    def _work(self, port, serial):
        board = self._boards[port]
        settings = self._wanted | (self._rows or {}).get(serial, {})
        self._at[port] = serial if board.serial == serial else ""
        self._show.name(port, serial)
        if self._is_good(board, serial, settings):
            self._done(port, GOOD, "already, and unchanged")
            return
        try:
            self._show.step(port, "settings")
            self._store(board, serial, settings)
            if self._registrar and not board.is_set(_TOKEN):
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
        if board.differing(settings).keys() & set(_IDENTITY) and board.is_set(_TOKEN):
            # The registration it has is another device's.
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
