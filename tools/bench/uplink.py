"""What one uplink costs: handshakes, bytes, heap; beside `requests`, and beside the floor."""

from tools.bench.rig import STATES, rig
from tools.bench.summary import Row

BYTES_AIM = 1.15
_STEP = 512
_CLIENTS = ("bench_client", "bench_requests")
_MOST = 128 * 1024
_PROGRAMS = ("bench_floor", "bench_uplink", "bench_requests")
# What is measured, its program, and whether the code runs in place.
_HEAPS = (
    ("the interpreter alone", "bench_nothing", False),
    ("requests, frozen; the calls in place", "bench_requests", True),
    ("requests, frozen; the calls .mpy in the heap", "bench_requests", False),
    ("Lowtide's client, in place", "bench_client", True),
    ("Lowtide's client, .mpy in the heap", "bench_client", False),
    ("Lowtide's whole uplink wake, .mpy in the heap", "bench_uplink", False),
)
_WIRE = """\
One uplink: SubscriptionInfo, Replenish, SlotStatus, DeviceStatus, by the real MicroPython over
TLS to the simulator. Bytes: payload of TCP, both ways. Floor: the handshakes that the token makes
necessary, the same messages, and no header that the protocol does not ask for. `requests` makes a
connection a call, and verifies none of them.
"""
_HEAP = """
Python heap in bytes on the 64-bit host; on an ESP32 objects are half as big. TLS's own buffers lie
outside it. Loaded: in use before the first call. Needs: the smallest heap in which the uplink
completes. In place: bytecode outside the heap, functions and names in it; frozen: all outside.
The client: drs, https and what they import; the calls: to `requests` what drs is to https. The
whole: agent, record, orders, configuration, gauge, link and uplink too, but not what starts the
board (app, hal, file system).
"""


def measure() -> list[Row]:
    """Measure and print; return the rows of the table."""
    with rig() as ready:
        wire = {
            (program, state): ready.run(program, state)[1]
            for state in STATES
            for program in _PROGRAMS
        }
        _print_wire(wire)
        heaps = _print_heaps(ready)
        strange = [ready.orders_with_a_stranger(program) for program in _CLIENTS]
    _print_aims(wire, heaps)
    return _rows(wire, heaps, strange)


def smallest_heap(completes) -> int:
    """Return the smallest heap, in bytes, for which `completes(heap)`.

    Halved down to steps of 512 B. Fragmentation may let a size pass below one that fails: the
    two next larger ones must pass too.

    Raises:
        ValueError: 128 KiB are too few.
    """
    low, high = 0, _MOST
    if not completes(high):
        raise ValueError(f"does not complete in {high} bytes of heap")
    while high - low > _STEP:
        middle = (low + high) // 2
        if completes(middle):
            high = middle
        else:
            low = middle
    while not (completes(high + _STEP) and completes(high + 2 * _STEP)):
        high += _STEP
    return high


def _print_wire(wire):
    print(_WIRE)
    print(f"{'':<13}{'handshakes':^27}{'bytes on the wire':^27}{'bytes / floor':^18}")
    names = "".join(f"{name:>9}" for name in ("floor", "Lowtide", "requests"))
    print(f"{'access token':<13}{names}{names}{'Lowtide':>9}{'requests':>9}")
    for state in STATES:
        row = [wire[program, state] for program in _PROGRAMS]
        handshakes = "".join(f"{traffic.handshakes:>9}" for traffic in row)
        totals = "".join(f"{traffic.total:>9,}" for traffic in row)
        ratios = "".join(f"{traffic.total / row[0].total:>9.2f}" for traffic in row[1:])
        print(f"{state:<13}{handshakes}{totals}{ratios}", flush=True)


def _print_heaps(ready):
    print(_HEAP)
    print(f"{'':<48}{'loaded':>8}{'needs: valid':>13}{'rejected':>9}")
    heaps = {}
    for text, program, in_place in _HEAPS:
        loaded = ready.run(program, in_place=in_place)[0]["loaded"]
        needs = [_needs(ready, program, state, in_place) for state in (STATES[0], STATES[-1])]
        heaps[program, in_place] = needs
        print(f"{text:<48}{loaded:>8,}{needs[0]:>13,}{needs[1]:>9,}", flush=True)
    return heaps


def _needs(ready, program, state, in_place):
    return smallest_heap(lambda heap: ready.run(program, state, heap, in_place)[0] is not None)


def _print_aims(wire, heaps):
    ours = [wire["bench_uplink", state] for state in STATES]
    theirs = wire["bench_requests", "valid"].handshakes
    ratio = max(wire["bench_uplink", s].total / wire["bench_floor", s].total for s in STATES)
    most_open = max(traffic.most_open for traffic in ours)
    heap = {name: [heaps[name, in_place][0] for in_place in (True, False)] for name in _CLIENTS}
    handshakes = [traffic.handshakes for traffic in ours]
    print()
    _aim(f"1 handshake with a valid token (requests: {theirs}), 2 expired, 3 rejected",
         handshakes == [1, 2, 3], ", ".join(map(str, handshakes)))  # fmt: skip
    _aim("never two connections open at once", most_open == 1, f"{most_open} at most")
    _aim(f"bytes within {BYTES_AIM} of the floor", ratio <= BYTES_AIM, f"{ratio:.2f}")
    (place, loaded), (place_theirs, loaded_theirs) = heap.values()
    _aim("the client needs less heap than requests", place < place_theirs,
         f"in place {place:,} to {place_theirs:,}, .mpy {loaded:,} to {loaded_theirs:,}",
    )  # fmt: skip


def _rows(wire, heaps, strange):
    peer, rows = "requests", []
    for state in STATES:
        least, ours, theirs = (wire[program, state] for program in _PROGRAMS)
        what = f"uplink, token {state}"
        rows += [
            Row(what, "TLS handshakes", ours.handshakes, theirs.handshakes, peer),
            Row(what, "bytes on the wire", ours.total, theirs.total, peer),
            Row(
                what,
                "bytes / floor",
                ours.total / least.total,
                BYTES_AIM,
                "aimed at",
                is_limit=True,
            ),
        ]
    for in_place, how in ((True, "code in place"), (False, ".mpy in the heap")):
        ours, theirs = (heaps[program, in_place][0] for program in _CLIENTS)
        rows.append(Row(f"client, {how}", "bytes of heap needed", ours, theirs, peer))
    rows.append(Row("client, server of an unknown CA", "orders placed there", *strange, peer))
    return rows


def _aim(text, is_met, figure):
    print(f"aim: {text}: {'met' if is_met else 'MISSED'} ({figure})")
