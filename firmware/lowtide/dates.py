"""Unix seconds to and from text, in integers: the ESP32's floats are too coarse for time."""

_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


def _days(year, month, day):
    # Days since 1970-01-01 in the proleptic Gregorian calendar, years counted from March.
    year -= month < 3
    era = year // 400
    yoe = year - era * 400
    doy = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468


def civil(unix_s):
    """Return `(year, month, day, hour, minute, second)` in UTC."""
    days, rest = divmod(unix_s, 86400)
    days += 719468
    era, doe = divmod(days, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    return (
        era * 400 + yoe + (month < 3),
        month,
        doy - (153 * mp + 2) // 5 + 1,
        rest // 3600,
        rest // 60 % 60,
        rest % 60,
    )


def unix(year, month, day, hour=0, minute=0, second=0):
    """Return Unix seconds of a UTC date.

    Raises:
        ValueError: a field is out of its range.
    """
    unix_s = _days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    if civil(unix_s) != (year, month, day, hour, minute, second):
        raise ValueError("no such date or time")
    return unix_s


def iso(unix_s):
    """Return `2026-11-23T20:00:00Z`."""
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % civil(unix_s)


def parse_iso(text):
    """Return Unix seconds of `2026-11-23T20:00:00Z` (fractions dropped; UTC only).

    Raises:
        ValueError: anything else.
    """
    if len(text) < 19 or text[4] + text[7] + text[10] + text[13] + text[16] != "--T::":
        raise ValueError("want a UTC time such as 2026-11-23T20:00:00Z")
    tail = text[19:]
    if tail.startswith("."):
        tail = tail[1:].lstrip("0123456789")
    if tail not in ("", "Z", "+00:00"):
        raise ValueError("want UTC: end the time with Z")
    return unix(
        *[_number(text[i:j]) for i, j in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))]
    )


def parse_http(text):
    """Return Unix seconds of `Mon, 02 Jan 2017 22:35:53 GMT` (RFC 9110, 5.6.7).

    Raises:
        ValueError: any other form; the obsolete ones are not worth their bytes.
    """
    part = text.split()
    if len(part) != 6 or part[5] != "GMT" or len(part[2]) != 3:
        raise ValueError("not an HTTP date")
    month, rest = divmod(_MONTHS.find(part[2]), 3)
    clock = part[4].split(":")
    if rest or len(clock) != 3:
        raise ValueError("not an HTTP date")
    return unix(_number(part[3]), month + 1, _number(part[1]), *[_number(c) for c in clock])


def _number(text):
    if not text.isdigit():
        raise ValueError("not a date: " + text)
    return int(text)
