"""The report: one row a board, CSV or JSON, and the memory of what was done.

It is whole after each change, so that whatever ends the tool, the next run knows which serial
number may be on a board. A row that is deleted by hand gives its serial number free again.
"""

import csv
import datetime
import fcntl
import io
import json
import os
import threading

from tools.provision.settings import InputError

FIELDS = ("serial", "port", "result", "reason", "version", "time")
GOOD, OPEN, FAILED = "good", "open", "failed"


class Report:
    """The report at `path`; nobody else may use it until `close`.

    Raises:
        InputError: it is in use, cannot be read, or is no report.
    """

    def __init__(self, path):
        self._path = path
        self._lock = threading.Lock()
        self._file = None
        try:
            self._file = self._open()
            rows = self._load(self._file.read())
        except OSError as e:
            raise InputError(f"{path}: {e.strerror}") from e
        except (ValueError, KeyError, TypeError, csv.Error) as e:
            raise InputError(f"{path}: not a report of this tool; move it away") from e
        # A board that got no serial number and is not good is as new, or was a wrong port.
        rows = [row for row in rows if row["serial"] or row["result"] == GOOD]
        self._rows = {self._key(row["serial"], row["port"]): row for row in rows}
        if len(self._rows) < len(rows):
            raise InputError(f"{path}: a serial number is in it twice; keep one row")

    def _open(self):
        # The lock is on the file itself, and `_save` puts another in its place: look again.
        while True:
            file = open(self._path, "a+", encoding="utf-8-sig", newline="")  # noqa: SIM115
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(file.fileno()), os.stat(self._path)):
                    file.seek(0)
                    return file
            except FileNotFoundError:
                pass
            except BlockingIOError as e:
                file.close()
                raise InputError(f"{self._path}: another run is using it; wait for it") from e
            file.close()

    def _load(self, text):
        if not text.strip():
            return []
        if self._path.suffix == ".json":
            rows = json.loads(text)
        else:
            reader = csv.DictReader(io.StringIO(text), strict=True)
            if tuple(reader.fieldnames) != FIELDS:
                raise ValueError("columns")
            rows = list(reader)
        rows = [{name: str(row[name]) for name in FIELDS} for row in rows]
        if any(row["result"] not in (GOOD, OPEN, FAILED) for row in rows):
            raise ValueError("result")
        return rows

    def _key(self, serial, port):
        # A board without a serial number is only known by where it was.
        return serial or ("port", port)

    @property
    def rows(self):
        """The rows, each a dict of `FIELDS`."""
        with self._lock:
            return [dict(row) for row in self._rows.values()]

    def result(self, serial):
        """Return result and firmware version for a serial number; None if no board has it."""
        with self._lock:
            row = self._rows.get(serial)
            return row and (row["result"], row["version"])

    def left_at(self, port):
        """Return the serial number of a board that was left unfinished on that port, or ""."""
        for row in self.rows:
            if row["port"] == port and row["result"] != GOOD:
                return row["serial"]
        return ""

    def put(self, serial, port, result, reason="", version=""):
        """Note what became of a board; on disk when this returns. An OSError is the caller's."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        values = (serial, port, result, reason, version, now.replace("+00:00", "Z"))
        with self._lock:
            self._rows.pop(("port", port), None)
            self._rows[self._key(serial, port)] = dict(zip(FIELDS, values, strict=True))
            self._save()

    def drop(self, serial):
        """Give a serial number free that certainly is on no board."""
        with self._lock:
            self._rows.pop(serial, None)
            self._save()

    def _save(self):
        tmp = self._path.with_name(self._path.name + ".tmp")
        file = open(tmp, "w", encoding="utf-8", newline="")  # noqa: SIM115 - it holds the lock
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        rows = list(self._rows.values())
        if self._path.suffix == ".json":
            json.dump(rows, file, indent=1)
            file.write("\n")
        else:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        file.flush()
        os.fsync(file.fileno())
        os.replace(tmp, self._path)
        self._file.close()
        self._file = file

    def close(self):
        """Let others use it."""
        self._file.close()
