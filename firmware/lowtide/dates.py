"""Unix seconds to and from text, in integers: the ESP32's floats are too coarse for time."""

import time

# The ESP32 port counts from 2000, the unix port and CPython from 1970.
EPOCH_S = 946684800 if time.gmtime(0)[0] == 2000 else 0


def iso(unix_s):
    """Return `2026-11-23T20:00:00Z`."""
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % time.gmtime(unix_s - EPOCH_S)[:6]


def parse_iso(text):
    """Return Unix seconds of `2026-11-23T20:00:00Z`; `Z` may be `+00:00` or be left out.

    Raises:
        ValueError: anything else, a date that does not exist, a year before 2000 or after 2105.
    """
    try:
        fields = text[:19].replace("T", "-").replace(":", "-").split("-")
        year, month, day, hour, minute, second = map(int, fields)
    except ValueError:
        year = 0
    # gmtime() of a far year crashes the unix port, and the record holds times to 2106.
    if 1999 < year < 2106 and text[19:] in ["", "Z", "+00:00"]:
        # Days since 1970-01-01, years counted from March (proleptic Gregorian), no time.mktime:
        # CPython's is in local time.
        year -= month < 3
        days = year * 365 + year // 4 - year // 100 + year // 400
        days += (153 * ((month + 9) % 12) + 2) // 5 + day - 719469
        unix_s = days * 86400 + hour * 3600 + minute * 60 + second
        # What is out of range, or not where it belongs, does not survive the way back.
        if iso(unix_s)[:19] == text[:19]:
            return unix_s
    raise ValueError("want UTC as 2026-11-23T20:00:00Z")


def parse_http(text):
    """Return Unix seconds of `Mon, 02 Jan 2017 22:35:53 GMT` (RFC 9110, 5.6.7).

    Raises:
        ValueError: any other form; the obsolete ones are not worth their bytes.
    """
    _, day, name, year, clock, zone = text.split(" ")
    month = "JanFebMarAprMayJunJulAugSepOctNovDec".find(name) // 3 + 1
    if len(name) != 3 or zone != "GMT":
        raise ValueError
    return parse_iso("%s-%02d-%sT%sZ" % (year, month, day, clock))
