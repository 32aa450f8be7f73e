"""Every proof, whole, with its counts: `python -m host_tests.prove [--quick]`."""

import argparse
import collections
import multiprocessing
import sys
import time

from host_tests.prove import interpreter, life, search, wire
from host_tests.prove.bad_builds import BUILDS, bad

OPTIONS = ("open", "fresh", "none")


class _Make:
    """Makes worlds in a worker process."""

    def __init__(self, in_progress_id, mains=False):
        self.in_progress_id, self.mains = in_progress_id, mains

    def __call__(self):
        return life.World(self.in_progress_id, self.mains)


def _told(found):
    best = search.shrink(found)
    return f"COUNTEREXAMPLE ({len(best)} moves)\n{search.story(found.make, best)}"


def _search(option, depth, budget):
    try:
        return f"search, id {option}", search.exhaust(_Make(option), depth, budget)
    except search.Found as found:
        return f"search, id {option}", _told(found)


def _walk(option, depletions, seed):
    try:
        return "walk", search.walk(_Make(option, mains=seed % 2 == 1), depletions, seed)
    except search.Found as found:
        return f"walk, id {option}, seed {seed}", _told(found)


def _bad_build(name):
    with bad(name):
        try:
            for seed in range(8):
                search.walk(_Make("open"), 1000, seed)
        except search.Found as found:
            return f"known-bad: {name}", f"caught: {found}"
    return f"known-bad: {name}", "COUNTEREXAMPLE: not caught"


def _cuts(build):
    counts, failure = interpreter.power_cuts(build=build, share=7 if build else 1)
    if build:
        said = f"caught: {failure}" if failure else "COUNTEREXAMPLE: not caught"
        return f"known-bad: {build}", said
    if failure:
        return "power cuts", f"COUNTEREXAMPLE: {failure}"
    return "power cuts", " ".join(f"{name}={count}" for name, count in counts.items())


def _wipe_cuts(share):
    counts, failure = interpreter.wipe_cuts(share)
    if failure:
        return "power cuts of a factory reset", f"COUNTEREXAMPLE: {failure}"
    said = " ".join(f"{name}={count}" for name, count in counts.items())
    return "power cuts of a factory reset", said


def _wire(board, what, part, ways=2):
    if what == "slowed":
        count, violations = wire.prove(board, wire.slows, part=part)
    else:
        count, violations = wire.prove(board, part=part, ways=ways)
    name = f"wire, {board}, {what}, part {part[0] + 1} of {part[1]}"
    for text in violations:
        print(f"{name}: COUNTEREXAMPLE: {text}", flush=True)
    return name, collections.Counter({what: count, "violations": len(violations)})


def _decade(wakes):
    figures = interpreter.decade(wakes)
    well = (
        figures["flash operations in quiet wakes"] == 0
        and figures["erases per change"] <= 0.35
        and figures["heap growth"] <= 0
        and len(figures["files"]) == 2
    )
    said = ", ".join(f"{name} {value}" for name, value in figures.items())
    return "decade", said if well else f"COUNTEREXAMPLE: {said}"


def _job(job):
    function, *arguments = job
    return globals()[function](*arguments)


def _jobs(quick):
    depth, walks, each = (3, 4, 2500) if quick else (4, 12, 9000)
    yield ("_cuts", "")
    yield ("_wipe_cuts", 20 if quick else 1)
    for option in OPTIONS:
        yield ("_search", option, depth, 2)
    if not quick:
        yield ("_search", "open", 6, 1)
    for number in range(walks):
        yield ("_walk", OPTIONS[number % 3], each, number)
    yield ("_decade", 14610)
    yield from _wire_jobs(quick)
    for build in interpreter.BAD_STORES:
        yield ("_cuts", build)
    for build in BUILDS:
        yield ("_bad_build", build)


def _wire_jobs(quick):
    # MicroPython is what ships: there each byte is cut cleanly and barely, in CPython in turn.
    parts = 40 if quick else 6
    for number in range(1 if quick else parts):
        yield ("_wire", wire.MICROPYTHON, "cuts", (number, parts), 2)
        yield ("_wire", wire.CPYTHON, "cuts", (number, parts), 1)
    for board in wire.INTERPRETERS:
        yield ("_wire", board, "slowed", (0, 1))


def main():
    """Run the jobs on two cores; 1 if anything broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute's worth")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    start, broken = time.monotonic(), 0
    walked, depletions, wired = search.Space(), 0, collections.Counter()
    jobs = list(_jobs(options.quick))
    with multiprocessing.Pool(options.processes) as pool:
        for job, (name, result) in zip(jobs, pool.imap(_job, jobs), strict=True):
            if name == "walk":
                walked.add(result)
                depletions += job[2]
                continue
            if isinstance(result, search.Space):
                result = f"depth {job[2]}, {job[3]} adversities: {_figures(result)}"
            if isinstance(result, collections.Counter):
                wired.update(result)
                broken += result["violations"]
                result = _counts(result)
            broken += "COUNTEREXAMPLE" in result
            print(f"{name}: {result}", flush=True)
    print(f"walk: {depletions} depletions, {_figures(walked)}")
    print(f"wire: {_counts(wired)}")
    print(f"prove: broken={broken} seconds={time.monotonic() - start:.0f}")
    return 1 if broken else 0


def _counts(counter):
    return ", ".join(f"{what} {counter[what]}" for what in sorted(counter))


def _figures(space):
    rules = ", ".join(f"{rule} {count}" for rule, count in sorted(space.rules.items()))
    states = f"{space.states} states, " if space.states else ""
    return f"{states}{space.moves} moves, {space.wakes} wakes, orders by rule: {rules}"


if __name__ == "__main__":
    sys.exit(main())
