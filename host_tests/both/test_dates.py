"""Unix seconds and text, in integers."""

from kit import raises

from lowtide import dates

KNOWN = (
    (0, "1970-01-01T00:00:00Z"),
    (946684800, "2000-01-01T00:00:00Z"),
    (951782400, "2000-02-29T00:00:00Z"),
    (1483396553, "2017-01-02T22:35:53Z"),
    (1709251199, "2024-02-29T23:59:59Z"),
    (2147483648, "2038-01-19T03:14:08Z"),
    (4107542400, "2100-03-01T00:00:00Z"),
    (4294967295, "2106-02-07T06:28:15Z"),
)


def test_known_times_both_ways():
    for unix_s, text in KNOWN:
        assert dates.iso(unix_s) == text
        if 946684800 <= unix_s < 4291747200:
            assert dates.parse_iso(text) == unix_s


def test_every_day_of_this_century_comes_back():
    for day in range(10957, 47482, 5):
        for unix_s in (day * 86400, day * 86400 + 86399):
            assert dates.parse_iso(dates.iso(unix_s)) == unix_s


def test_no_other_text_is_taken_for_a_time():
    for text in (
        "",
        "now",
        "2017-01-02",
        "2017-01-02 22:35:53",
        "2017-01-02T22:35:53+01:00",
        "2017-01-02T22:35:53Zx",
        "2017-01T22:35:53Z",
        "2017-01-02-03T22:35:53Z",
        "2017-13-01T00:00:00Z",
        "2017-00-01T00:00:00Z",
        "2017-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2017-04-31T00:00:00Z",
        "2017-01-00T00:00:00Z",
        "2017-01-02T24:00:00Z",
        "2017-01-02T22:60:53Z",
        "2017-01-02T22:35:60Z",
        "-017-01-02T22:35:53Z",
        "+017-01-02T22:35:53Z",
        "2017-01-02T 2:35:53Z",
    ):
        raises(ValueError, dates.parse_iso, text)


def test_utc_may_be_spelt_out_or_left_out():
    for zone in ("Z", "+00:00", ""):
        assert dates.parse_iso("2017-01-02T22:35:53" + zone) == 1483396553


def test_the_http_date_is_taken():
    assert dates.parse_http("Mon, 02 Jan 2017 22:35:53 GMT") == 1483396553
    for month in range(12):
        name = "JanFebMarAprMayJunJulAugSepOctNovDec"[3 * month : 3 * month + 3]
        assert dates.parse_http("Sun, 01 %s 2034 00:00:00 GMT" % name) == dates.parse_iso(
            "2034-%02d-01T00:00:00Z" % (month + 1)
        )


def test_no_other_text_is_taken_for_an_http_date():
    for text in (
        "",
        "Mon",
        "Mon, 02 Jan 2017 22:35:53",
        "Mon, 02 Jan 2017 22:35:53 UTC",
        "Mon, 02 jan 2017 22:35:53 GMT",
        "Mon, 02 %s 2017 22:35:53 GMT" % ("9" * 3),
        "Mon, 02 JanFeb 2017 22:35:53 GMT",
        "Mon, 32 Jan 2017 22:35:53 GMT",
        "Mon, 30 Feb 2017 22:35:53 GMT",
        "Mon, 02 Jan 2017 22:35 GMT",
        "Mon, 02 Jan 2017 25:35:53 GMT",
        "Mon, xx Jan 2017 22:35:53 GMT",
        "Mon, -2 Jan 2017 22:35:53 GMT",
        "Monday, 02-Jan-17 22:35:53 GMT",
        "Mon Jan  2 22:35:53 2017",
        "2017-01-02T22:35:53Z",
    ):
        raises(ValueError, dates.parse_http, text)


def test_years_that_the_record_cannot_hold_are_refused_and_crash_nothing():
    for year in ("0000", "1969", "2107", "9999", "99999", "9" * 12, "9" * 18, "9" * 30):
        raises(ValueError, dates.parse_iso, year + "-01-01T00:00:00Z")
        raises(ValueError, dates.parse_http, "Mon, 02 Jan %s 22:35:53 GMT" % year)
