"""Unix seconds to and from text, in integers: the ESP32's floats are too coarse for time."""

import time

# The ESP32 port counts from 2000, the unix port and CPython from 1970.
EPOCH_S = 946684800 if time.gmtime(0)[0] == 2000 else 0
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


def iso(unix_s):
    """Return `2026-11-23T20:00:00Z`."""
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % time.gmtime(unix_s - EPOCH_S)[:6]


def parse_iso(text):
    """Return Unix seconds of `2026-11-23T20:00:00Z`; `Z` may be `+00:00` or be left out.

    Raises:
        ValueError: anything else.
    """
    date, _, clock = text.partition("T")
    for zone in ("Z", "+00:00"):
        if clock.endswith(zone):
            clock = clock[: -len(zone)]
            break
    if len(clock) != 8:
        raise ValueError("want a UTC time such as 2026-11-23T20:00:00Z")
    return _unix(date.split("-"), clock.split(":"))


def parse_http(text):
    """Return Unix seconds of `Mon, 02 Jan 2017 22:35:53 GMT` (RFC 9110, 5.6.7).

    Raises:
        ValueError: any other form; the obsolete ones are not worth their bytes.
    """
    part = text.split()
    if len(part) != 6 or part[5] != "GMT" or len(part[2]) != 3:
        raise ValueError("not an HTTP date")
    month = _MONTHS.find(part[2]) // 3 + 1
    return _unix((part[3], str(month), part[1]), part[4].split(":"))


def _unix(date, clock):
    # Days since 1970-01-01, years counted from March (proleptic Gregorian), no time.mktime:
    # CPython's is in local time. An impossible date does not survive the way back.
    fields = [int(n) if n.isdigit() else -1 for n in list(date) + list(clock)]
    # gmtime() of a far year crashes the unix port, and the record holds times to 2106.
    if len(fields) == 6 and 1999 < fields[0] < 2106:
        year, month, day, hour, minute, second = fields
        year -= month < 3
        days = year * 365 + year // 4 - year // 100 + year // 400
        days += (153 * ((month + 9) % 12) + 2) // 5 + day - 719469
        unix_s = days * 86400 + hour * 3600 + minute * 60 + second
        if fields == list(time.gmtime(unix_s - EPOCH_S)[:6]):
            return unix_s
    raise ValueError("no such date or time")
