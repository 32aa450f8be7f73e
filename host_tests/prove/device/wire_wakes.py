"""A board on the wire, in either interpreter: each line on stdin is one wake of the shipping app.

`app.run()` runs whole, from start to sleep; only `hal` and `board` are not the real ones, SNTP is
answered here, and `/` is the folder of the first argument. The second names a known-bad build.
Prints one line of JSON per wake; every other line is the board's log.
"""

import asyncio
import gc
import json
import sys

FOLDER = sys.argv[1]


class Slept(BaseException):
    """The wake is over."""


class Radio:
    """As `hal.Radio`, on air at once; `on` outlives a wake that forgets it."""

    on = False

    def start(self, address):
        """As `hal.Radio`."""
        self.on, self.wlan = True, self

    def strongest(self, ssid):
        """As `hal.Radio`."""
        return b"\1\2\3\4\5\6"

    def connect(self, ssid, password, bssid):
        """As `hal.Radio`."""

    def isconnected(self):
        """As the port's WLAN."""
        return self.on

    def stop(self):
        """As `hal.Radio`."""
        self.on = False


class Hal:
    """As the module `hal`: a wake from deep sleep. The calendar stands still in it."""

    radio = Radio()

    def begin(self, order):
        """Take what the world is like in this wake."""
        self.clock, self.level = order["now"], order["level"]
        self.why, self.rtc = order["why"], bytes.fromhex(order["rtc"])
        self.awake_s = order["awake_s"]
        self.slept_s, self.error = None, None

    def time_s(self):
        """As `hal`."""
        return self.clock

    def set_time(self, unix_s):
        """As `hal`."""
        self.clock = unix_s

    def boot(self):
        """As `hal`."""
        return 0

    ticks_ms = boot

    def seconds_since(self, ticks_ms):
        """As `hal`: what is left of a wake's budget is what the order says."""
        return self.awake_s

    def started_by(self):
        """As `hal`."""
        return "sleep"

    def kept(self):
        """As `hal`."""
        return self.why, self.rtc

    def keep(self, data, why, radio=False):
        """As `hal`."""
        self.why, self.rtc = why, data

    def clean_end(self):
        """As `hal`."""

    def watchdog(self, seconds):
        """As `hal`."""
        return self.clean_end

    def random(self, n):
        """As `hal`: no luck in back-off, and little of it."""
        return min(n, 30)

    def adc_read_uv(self, pin):
        """As `hal`."""
        return lambda: self.level

    def deepsleep_s(self, seconds):
        """As `hal`, but the radio stays as it is: to be looked at."""
        self.slept_s = seconds
        raise Slept

    def rescue(self, e, seconds):
        """As `hal`: an exception that nobody caught."""
        self.error = "%s: %s" % (type(e).__name__, e)
        self.deepsleep_s(seconds)


class Board:
    """As the module `board`."""

    TABLE = "0:0 1000:1000"

    @staticmethod
    def gauge(hal):
        """As the board's file: a microvolt is a permille here."""
        from lowtide.gauges.analogue import Analogue

        return Analogue(hal.adc_read_uv(0), 0, 1000)


def shipping_app(hal):
    """Return the module `app`, its files in `FOLDER`."""
    sys.modules["hal"], sys.modules["board"] = hal, Board
    import app

    from lowtide import https, link

    store, load_roots = app.Store, https.load_roots
    app.Store = lambda path: store(FOLDER + path)
    https.load_roots = lambda folder: load_roots(FOLDER + folder)

    async def sntp(host, port, since_s):
        return hal.time_s()

    link.sntp = sntp
    return app


def said_of(hal):
    """Return how a wake ended; the radio is off in the next."""
    rtc = "".join(["%02x" % b for b in hal.rtc])
    on, hal.radio.on = hal.radio.on, False
    return {"slept_s": hal.slept_s, "error": hal.error, "why": hal.why, "radio": on, "rtc": rtc}


def main():
    """Wake as often as told."""
    hal = Hal()
    app = shipping_app(hal)
    if len(sys.argv) > 2:
        import bad_lines

        bad_lines.become(sys.argv[2])
    if hasattr(gc, "freeze"):
        # What CPython has loaded is much, and `https` collects before every connection.
        gc.freeze()
    for line in sys.stdin:
        hal.begin(json.loads(line))
        try:
            app.run()
        except Slept:
            woke = said_of(hal)
        if hasattr(asyncio, "core"):
            # A wake is a fresh start: MicroPython's one loop would go on with what was cancelled.
            asyncio.new_event_loop()
        print(json.dumps(woke))
        if hasattr(sys.stdout, "flush"):
            sys.stdout.flush()


main()
