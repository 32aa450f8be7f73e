"""The line is cut at every byte of every call, or slowed: the order comes out right all the same.

The shipping app, uplink to `https`, lives its wakes over real TLS on loopback, in CPython or in
MicroPython (`wire_board`), against a service with books and a judge (`wire_service`).
"""

import concurrent.futures
import contextlib
import itertools
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from host_tests.prove import wire_line
from host_tests.prove.service import DAY
from host_tests.prove.wire_board import CPYTHON, MICROPYTHON, Board
from host_tests.prove.wire_line import CLEAN, FIN, RESET, Cut, Line, Slow
from host_tests.prove.wire_service import REFRESH_TOKEN, SLOT, Broken, Service
from lowtide.orders import Orders
from lowtide.store import Store

INTERPRETERS = (CPYTHON, MICROPYTHON)
T0 = 22000 * DAY
_INTERVAL_S = 900
# More than a repeat, and the readings until the first question, is not settling.
_WAKES = 8
# What a wake fails of when nobody noticed the cut but the clock.
_BY_CLOCK = ("took more than", "no answer in")
_TICK_S = 0.05
# Of the 45 s of a wake: so many are left to one that is slowed.
_BUDGET_S, _LEFT_S = 45, 1


@dataclass
class Phase:
    """A wake to be cut: the world before it, and the exchanges it has, as `Line.trace`."""

    name: str
    before: tuple
    trace: list = field(default_factory=list)


class World:
    """A board, its line and its service, wake by wake; the calendar goes by the board's sleep."""

    def __init__(self, interpreter, build=""):
        self._scope = contextlib.ExitStack()
        self._folder = Path(self._scope.enter_context(tempfile.TemporaryDirectory()))
        self._interpreter, self._build = interpreter, build
        self.record_path = self._folder / "order.rec"
        (self._folder / "certs").mkdir()
        self.service = Service(str(self.record_path))
        context, root = wire_line.credentials()
        (self._folder / "certs" / "root.der").write_bytes(root)
        self.line = Line(context, self.service)
        self._scope.callback(self.line.close)
        self.service.now = T0
        self.rtc = self.why = ""
        self.level = 900
        self._configure()
        self._start()

    def close(self):
        """Stop everything."""
        self.line.board.close()
        self._scope.close()

    def _configure(self):
        host, port = "127.0.0.1", self.line.port
        settings = {
            "wifi.ssid": "home",
            "power.mode": "battery",
            "lwa.client_id": "amzn1.client",
            "lwa.refresh_token": REFRESH_TOKEN,
            "slot.id": SLOT,
            "measure.interval_s": _INTERVAL_S,
        }
        for name in ("drs", "lwa"):
            settings.update({f"{name}.host": host, f"{name}.port": port})
        Store(str(self._folder / "config.rec")).save(json.dumps(settings).encode())
        Store(str(self.record_path)).save(Orders(None).pack())

    def _start(self):
        self.line.board = Board(self._interpreter, self._folder, self._build)

    def keep(self):
        """Return all of it, to come back to."""
        kept = self.service.keep(), self.rtc, self.why, self.level
        return *kept, self.record_path.read_bytes()

    def back(self, kept):
        """Come back to what was kept."""
        books, self.rtc, self.why, self.level, record = kept
        self.service.back(books)
        self.record_path.write_bytes(record)

    def wake(self, plan=None, left_s=_BUDGET_S):
        """Live one wake, `left_s` of its budget left, and the sleep after it.

        Raises:
            Broken: what was promised is not so.
        """
        board = self.line.board
        board.wake(
            now=self.service.now,
            level=self.level,
            rtc=self.rtc,
            why=self.why,
            awake_s=_BUDGET_S - left_s,
        )
        said = self.line.wake(plan)
        self.rtc, self.why = said["rtc"], said["why"]
        if said["error"]:
            raise Broken("an exception ended the wake: " + said["error"])
        if said["radio"]:
            raise Broken("the radio is on after the wake")
        if board.open_sockets():
            raise Broken("a socket is open after the wake")
        late = [line for line in board.log if any(text in line for text in _BY_CLOCK)]
        if late and left_s == _BUDGET_S:
            raise Broken("the wake waited for a line that was cut: " + late[0])
        self.service.check()
        self.service.now += said["slept_s"]

    @property
    def settled(self):
        """Whether the record names the order, and nothing is due: no repeat, no question."""
        rec = self.service.record
        return rec.state == "confirmed" or (rec.state == "placed" and not self.why)

    def settle(self):
        """Live on until it is settled; then once more."""
        for _ in range(_WAKES):
            if self.settled:
                break
            self.wake()
        self.wake()
        if not self.settled:
            state = self.service.record.state
            raise Broken(f"STUCK: {state} after {_WAKES} wakes: {self.why}")
        if len(self.service.orders) != 1:
            raise Broken(f"{len(self.service.orders)} orders, not one")

    def recover(self):
        """Put a new board in the place of one that may be in the middle of anything."""
        self.line.board.close()
        self._start()


# -- the life that is cut ------------------------------------------------------------------------


def _until(world, call, name):
    # Live up to the wake that makes `call`: return that wake, as a phase.
    for _ in range(_WAKES):
        before = world.keep()
        world.wake()
        if call in [asked for asked, *_ in world.line.trace]:
            return Phase(name, before, world.line.trace)
    raise Broken(f"no wake with {call}")


def life(world):
    """Live it uncut; return the phases that `CALLS` names."""
    world.wake()
    world.level = 100
    reported = world.keep()
    order = _until(world, "replenish", "order")
    ask = _until(world, "order info", "question")
    world.settle()
    world.back(order.before)
    number = [name for name, *_ in order.trace].index("replenish")
    world.wake(Cut(number, "replenish", True, 0, FIN))
    repeat = _until(world, "replenish", "repeat")
    world.back(reported)
    # The report falls due with the third low reading: that wake makes every call but a question.
    world.service.now = T0 + DAY - 2 * _INTERVAL_S
    return order, repeat, ask, _until(world, "replenish", "daily")


# What is cut in which wake: an order with the token of the last wake, the repeat of one that was
# not answered, the question an hour after it, and an order that comes with the daily report.
CALLS = {
    "order": ("subscription", "replenish", "slot status"),
    "repeat": ("replenish",),
    "question": ("order info",),
    "daily": ("token", "device status"),
}


def cuts(phases, calls=CALLS, ways=2):
    """Yield `(phase, plan)`: a cut at every byte of the request and of the answer of `calls`.

    `ways` 2: each byte twice, cleanly (close_notify) and barely (FIN and RST in turn); 1: once,
    the three in turn.
    """
    for phase, number, call, sizes in _exchanges(phases, calls):
        # A request that is whole is answered, and an answer may be whole before the cut.
        for answer, size in enumerate((sizes[0], sizes[1] + 1)):
            for at in range(size):
                bare = (FIN, RESET)[at % 2]
                for how in (CLEAN, bare) if ways == 2 else ((CLEAN, FIN, RESET)[at % 3],):
                    yield phase, Cut(number, call, bool(answer), at, how)


def _exchanges(phases, calls):
    for phase in phases:
        for number, (call, *sizes) in enumerate(phase.trace):
            if call in calls.get(phase.name, ()):
                yield phase, number, call, sizes


def _live_cut(world, phase, plan):
    world.back(phase.before)
    world.wake(plan)
    world.settle()


# -- slowed --------------------------------------------------------------------------------------


def _head_for_ever(answer):
    yield answer.split(b"\r\n")[0] + b"\r\n"
    while True:
        yield b"X: y\r\n"


def _hints_for_ever(answer):
    while True:
        yield b"HTTP/1.1 100 Continue\r\n\r\n"


def _chunks_for_ever(answer):
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    while True:
        yield b"4\r\n    \r\n"


def _body_for_ever(answer):
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n"
    while True:
        yield b" " * 400


def _line_for_ever(answer):
    while True:
        yield b"H" * 400


ENDLESS = (_head_for_ever, _hints_for_ever, _chunks_for_ever, _body_for_ever, _line_for_ever)


def slows(phases, calls=CALLS, tick_s=_TICK_S, endless=ENDLESS):
    """Yield `(phase, plan)`: each of `calls` slowed to a byte a tick, or answered for ever."""
    for phase, number, *_ in _exchanges(phases, calls):
        yield phase, Slow(number, tick_s)
        yield phase, Slow(number, tick_s, request=True)
        for pieces in endless:
            yield phase, Slow(number, 0, endless=pieces)
    yield phases[0], Slow(0, 0, mute=True)


def _live_slow(world, phase, plan):
    # A machine that is busy may end the wake before its slow exchange: then with more time.
    for more in (1, 4, 16):
        world.back(phase.before)
        plan.used = False
        try:
            world.wake(plan, _LEFT_S * more)
            break
        except Broken:
            if plan.used:
                raise
            world.recover()
    if not plan.endless and "took more than" not in world.why:
        raise Broken("not the budget ended the wake: " + (world.why or "it did all"))
    world.settle()


# -- all of it -----------------------------------------------------------------------------------


def told(plan):
    """Return a plan in words."""
    if isinstance(plan, Cut):
        what = "answer" if plan.answer else "request"
        return f"{plan.call}, {what} cut at byte {plan.at} by {plan.how}"
    if plan.mute:
        return "no handshake"
    if plan.endless:
        return f"exchange {plan.number}, {plan.endless.__name__.strip('_').replace('_', ' ')}"
    return f"exchange {plan.number}, {'request' if plan.request else 'answer'} slowed"


def _lane(interpreter, build, kind, take, most):
    # One world after the other through its share: `take(plans)`. -> (count, violations).
    live = _live_cut if kind is cuts else _live_slow
    count, violations = 0, []
    with contextlib.closing(World(interpreter, build)) as world:
        try:
            phases = life(world)
        except Broken as e:
            return 0, [f"the life to be cut: {e}"]
        for phase, plan in take(kind, phases):
            count += 1
            try:
                live(world, phase, plan)
            except Broken as e:
                violations.append(f"{phase.name}: {told(plan)}: {e}")
                if len(violations) >= most:
                    break
                world.recover()
    return count, violations


def prove(interpreter, kind=cuts, build="", part=(0, 1), lanes=6, most=3, **which):
    """Live through the plans of `kind`: of `part` (i, n) each n-th, from the i-th on.

    `lanes` worlds go side by side: most of the time each waits for the other end of its line.
    Return `(how many, violations)`, at most `most` of those from each world.
    """
    first, step = part

    def share(lane):
        def take(kind, phases):
            return itertools.islice(kind(phases, **which), first + lane * step, None, step * lanes)

        return take

    wire_line.credentials()
    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        runs = [
            pool.submit(_lane, interpreter, build, kind, share(lane), most)
            for lane in range(lanes)
        ]
        results = [run.result() for run in runs]
    return sum(count for count, _ in results), [text for _, texts in results for text in texts]
