"""The serial port that the outside world opens: a pty behind a link, with a UART's manners."""

import errno
import os
import select
import termios
import tty
from pathlib import Path

_BUFFER_MAX = 256 * 1024


class SerialPort:
    """Never blocks. What nobody listens to is lost; a slow listener loses the oldest."""

    def __init__(self, link: Path):
        self.fd, slave = os.openpty()
        tty.setraw(slave)
        self.name = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self.fd, False)
        self.is_open = False
        self._pending = bytearray()
        self._link = link
        # Aside and renamed: whoever waits for the link never sees it missing or half made.
        making = link.with_name(f"{link.name}.{os.getpid()}.new")
        making.symlink_to(self.name)
        making.replace(link)

    @property
    def wants_to_send(self) -> bool:
        return bool(self._pending)

    def look(self) -> bool:
        """Finds out whether somebody has the port open; True when there is input to read."""
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        events = dict(poller.poll(0)).get(self.fd, 0)
        self.is_open = not events & select.POLLHUP
        return bool(events & select.POLLIN)

    def read(self) -> bytes:
        """Returns the input that is there; notices when the other side closed."""
        try:
            return os.read(self.fd, 4096)
        except BlockingIOError:
            return b""
        except OSError as exc:
            if exc.errno != errno.EIO:
                raise
        self.is_open = False
        self._pending.clear()
        # Else the next one to open the port would find this one's settings and unread bytes.
        slave = os.open(self.name, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(slave, termios.TCSAFLUSH)
        os.close(slave)
        return b""

    def send(self, data: bytes) -> None:
        if not self.is_open:
            self.look()
        if self.is_open:
            self._pending += data
            self.flush()

    def flush(self) -> None:
        try:
            while self._pending:
                del self._pending[: os.write(self.fd, self._pending)]
        except BlockingIOError:
            del self._pending[:-_BUFFER_MAX]

    def close(self) -> None:
        os.close(self.fd)
        if self._link.is_symlink() and os.readlink(self._link) == self.name:
            self._link.unlink()
