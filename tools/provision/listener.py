"""Where the browser comes back to: a page on loopback, for nobody else."""

import contextlib
import http.server
from urllib.parse import urlsplit

from tools.provision import page


class Listener(http.server.HTTPServer):
    """On `http://localhost:port/`; `handle_request` answers one request, if one is there.

    `take`: None, or `(address) -> (whether it is expected, page)`.

    Raises:
        OSError: the port is in use.
    """

    take = None
    timeout = 0
    # Two runs must not share a port: each would get some of the other's answers.
    allow_reuse_port = False

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request, client_address):
        """Say nothing: the traceback of a browser that went away helps nobody."""


class _Handler(http.server.BaseHTTPRequestHandler):
    # A browser opens connections that it never uses.
    timeout = 2

    def do_GET(self):
        """Take the browser's address; the answer is the page that it ends on."""
        taken, body = False, page.unexpected()
        if self.server.take and urlsplit(self.path).path == "/":
            taken, body = self.server.take(self.path)
        self.send_response(200 if taken else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        # The address holds the code: it goes to nobody, and the page loads nothing.
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header(
            "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"
        )
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, *_):
        """Log nothing: the address holds the code."""
