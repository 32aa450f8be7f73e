"""The DRS client on a connection that answers from a script, for the tests of the client."""

from kit import T0, FakeClock, config, raises, run

from lowtide.drs import Drs

TOKEN = b'{"access_token":"Atza|one","expires_in":3600,"token_type":"bearer"}'
SUBSCRIBED = b'{"slotsSubscriptionStatus":{"PaperTowel":true,"Other":false}}'
DATE = "Mon, 02 Jan 2017 22:35:53 GMT"
DATE_S = 1483396553
INVALID_TOKEN = (400, {}, b'{"message":"Invalid token"}')
NOT_OBJECTS = (b"", b"no json", b"[]", b"7", b"null", b'"x"', b"{", b"\xff\xfe", b"[" * 100, b"{}")


class Service:
    """Opens connections that answer from one queue and note what was asked of whom."""

    def __init__(self, *answers, **changes):
        self.answers = list(answers)
        self.asked = []
        self.opened = []
        self.open_count = 0
        self.config = config(**changes)
        self.clock = FakeClock(T0)
        self.drs = Drs(self.config, self.connect, self.clock)

    def connect(self, host, port):
        """As the `connect` handed to `Drs`."""
        assert self.open_count == 0, "two connections at once"
        self.opened.append((host, port))
        self.open_count += 1
        return FakeConnection(self, host)

    def next(self, *asked):
        """Answer one request."""
        self.asked.append(asked)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeConnection:
    """As `https.Connection`."""

    def __init__(self, service, host):
        self._service, self._host = service, host
        self._closed = False

    async def request(self, method, target, headers, body=b""):
        """Answer as scripted."""
        assert not self._closed
        return self._service.next(self._host, method, target, dict(headers), body)

    def close(self):
        """Count the open ones."""
        if not self._closed:
            self._service.open_count -= 1
        self._closed = True


def ok(body, **headers):
    """Return a 200 as `https` gives it."""
    return 200, {name.replace("_", "-"): value for name, value in headers.items()}, body


def subscribed():
    """Return the answers of a good beginning."""
    return ok(TOKEN), ok(SUBSCRIBED, date=DATE)


def connected(*answers):
    """Return a service whose client has asked for its subscription, and what comes then."""
    service = Service(*(subscribed() + answers))
    run(service.drs.subscription())
    service.asked.clear()
    return service


def fails(kind, step):
    """Return the exception of `kind`, and no narrower, that driving `step` must raise."""
    e = raises(kind, run, step)
    assert type(e) is kind
    return e
