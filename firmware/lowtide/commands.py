"""What the console's commands do: `do_NAME(app, rest)` returns the answer as a dict.

`app`: see `app.App`; `rest` is what was typed behind the name. ValueError: bad input, and nothing
changed. Dropped while a job runs, which needs the heap.
"""

import json

from lowtide import VERSION, dates
from lowtide.console import COMMANDS, JOBS, LEAVE


def do_help(app, rest):
    if not rest:
        return {"commands": " ".join((COMMANDS, JOBS, LEAVE)), "help": "help NAME"}
    from lowtide.settings import about

    return about(rest)


def do_log(app, rest):
    return {"log": app.log.lines}


def _level(app):
    # -> level (0.0 to 1.0), amount and fault, read now and for the eye only.
    config = app.config
    try:
        permille = app.gauge.read()
    except Exception as e:  # noqa: BLE001 - whatever a driver raises belongs on the screen
        return {"level": None, "amount": None, "fault": "gauge fault: %s" % e}
    amount = permille * config["slot.capacity"] // 1000
    return {
        "level": permille / 1000,
        "amount": "%d %s" % (amount, config["slot.unit"]),
        "fault": None,
    }


def do_status(app, rest):
    agent, orders, config = app.agent, app.agent.orders, app.config
    answer = _level(app)
    answer["fault"] = answer["fault"] or agent.doubt or config.fault
    answer.update(
        {
            "state": orders.state,
            "blocked": orders.block,
            "slot": config["slot.id"],
            "event_id": orders.event_id or None,
            "time": dates.iso(app.time_s()),
            "version": VERSION,
            "low": agent.level.low,
            "missing": config.missing(),
            "power": config["power.mode"],
            "safe_mode": agent.safe,
            "ordered": _iso(orders.ordered_at),
            "uplink": agent.trouble,
            "failures": agent.failures,
        }
    )
    return answer


def do_config(app, rest):
    config = app.config
    if not rest:
        return {"config": config}
    if rest[0] != "{":
        name, value = (rest.split(None, 1) + [None])[:2]
        answer = {"name": name}
        if value is not None:
            if value[0] == value[-1] == '"':
                value = value[1:-1]
            _store(app, {name: value}, answer)
        from lowtide.settings import shown

        answer["value"] = shown(config, name)
        return answer
    try:
        values = json.loads(rest)
    except ValueError:
        raise ValueError('want JSON: config {"NAME":VALUE,...}')
    answer = {}
    _store(app, values, answer)
    answer["set"] = sorted(values)
    return answer


def _store(app, values, answer):
    from lowtide.settings import change

    if change(app.config, values, app.config_changed):
        answer["forgotten"] = "lwa.refresh_token: register again"


def do_measure(app, rest):
    answer = _level(app)
    raws, levels = app.gauge.raws, app.gauge.levels
    outliers = 0
    for each in levels:
        outliers += abs(each - levels[4]) > 25
    answer["raw"] = " ".join(map(str, raws))
    answer["filtered"] = raws[4] if raws else None
    answer["outliers"] = outliers
    return answer


def do_calibrate(app, rest):
    from lowtide.calibrate import calibrate

    # A bin in somebody's hands orders nothing: low is confirmed anew from here.
    app.agent.level.fault()
    answer = calibrate(app.gauge, app.begun, rest)
    if "table" in answer:
        _store(app, {"gauge.table": answer["table"]}, answer)
    return answer


def request_order(agent, forced):
    """A person typed `order`, `order --now` (true) or `order --test` ("test"): confirm the level
    now, then judge.

    Return the verdict; where it may, the next `uplink_due()` says so.
    """
    agent.measure()
    while agent.level.low_count and not agent.level.low:
        agent.measure()
    verdict = agent.verdict(agent.time_s(), forced)
    if verdict.may:
        agent.forced = forced
        agent.retry_at = agent.uplinks = 0
    return verdict


def do_order(app, rest):
    kinds = {"": False, "--now": True, "--test": "test"}
    if rest not in kinds:
        raise ValueError("want order [--now|--test|--cancel]")
    verdict = request_order(app.agent, kinds[rest])
    if not verdict.may:
        if app.agent.orders.blocked:
            # The service may think otherwise by now: it is asked at once.
            app.agent.config_changed("")
        raise ValueError("not ordered: " + verdict.why)
    answer = {"order": "on its way", "why": verdict.why}
    if rest == "--test":
        answer["charged"] = "nothing: a test order"
    return answer


def do_why(app, rest):
    agent, level = app.agent, app.agent.level
    verdict = agent.verdict(app.time_s())
    forecast = None
    days = agent.forecast.days_left()
    if days is not None:
        late = agent.forecast.days_left(-1)
        forecast = "empty in %d days (%d to %s)" % (
            days, agent.forecast.days_left(1), "?" if late is None else late
        )  # fmt: skip
    confirm = app.config["level.confirm_count"]
    return {
        "why": "%s; %s" % (verdict.why, forecast or "no forecast"),
        "level": None if level.permille is None else level.permille / 1000,
        "measured": _iso(agent.measured_at),
        "threshold": app.config["level.reorder_pct"] / 100,
        "low_readings": "%d of %d" % (min(level.low_count, confirm), confirm),
        "forecast": forecast,
        "next_order": _iso(verdict.at_s),
    }


def do_time(app, rest):
    if rest:
        app.set_time(dates.parse_iso(rest))
    return {"time": dates.iso(app.time_s())}


def _iso(at_s):
    return dates.iso(at_s) if at_s else None
