"""Sensors as their datasheets have them, on pin level: a timing violation is an AssertionError."""

PIN_NS = 1500  # what a call of a pin takes on the ESP32, about
HX711_GAINS = {25: "A 128", 26: "B 32", 27: "A 64"}


class Time:
    """The world's time in ns. `storm_us` is an interrupt that comes whenever it may."""

    def __init__(self):
        self.now_ns = 0
        self.storm_us = 0
        self.masked = False

    def spend(self, ns):
        """Let it pass, interrupts included."""
        self.now_ns += ns + (0 if self.masked else self.storm_us * 1000)

    def sleep_ms(self, ms):
        """As MicroPython's."""
        self.spend(ms * 1000000)

    def sleep_us(self, us):
        """As MicroPython's."""
        self.spend(us * 1000)

    def ticks_ms(self):
        """As MicroPython's, wrapping soon."""
        return self.now_ns // 1000000 % 1024

    def ticks_diff(self, end, start):
        """As MicroPython's."""
        return (end - start + 512) % 1024 - 512

    def irq_off(self):
        """As `machine.disable_irq`."""
        was, self.masked = self.masked, True
        return was

    def irq_on(self, state):
        """As `machine.enable_irq`."""
        self.masked = state


class HX711Chip:
    """The HX711 behind PD_SCK (`clock`) and DOUT (`data`).

    A conversion is done every 100 ms; what it shows in the first 400 ms after power-up and after
    a change of gain is not settled, here `UNSETTLED`. `sample(gain)` gives the settled ones.
    """

    UNSETTLED = 0x2AAAAA
    PERIOD_NS = 100000000
    SETTLE_NS = 400000000

    def __init__(self, time, sample):
        self._time, self._sample = time, sample
        self._sck = 1
        self._edge_ns = -1000000
        self.asleep = True
        self.dout = None  # a line that is stuck at this level
        self.given = []
        self._reset()

    def _reset(self):
        self._gain = "A 128"
        self._since_ns = self._settling_ns = self._time.now_ns
        self._taken = 0
        self._pulses = 0
        self._bits = 0

    def _done(self):
        # -> conversions done since `_since_ns`.
        return (self._time.now_ns - self._since_ns) // self.PERIOD_NS

    def _look(self):
        """Let happen what has happened up to now."""
        now_ns = self._time.now_ns
        if self._sck and now_ns - self._edge_ns > 60000:
            self.asleep = True
            self._pulses = 0
        if self._pulses and self._done() > self._taken:
            assert self._pulses in HX711_GAINS, "read-out of %d pulses" % self._pulses
            gain = HX711_GAINS[self._pulses]
            if gain != self._gain:
                self._gain = gain
                self._since_ns = self._settling_ns = self._taken_ns
                self._taken = 0
            self._pulses = 0

    def clock(self, level):
        """PD_SCK is set."""
        self._time.spend(PIN_NS)
        self._look()
        lasted_ns = self._time.now_ns - self._edge_ns
        if level == self._sck:
            return
        assert lasted_ns >= 200, "T3, T4: PD_SCK high and low for at least 0.2 us"
        self._sck, self._edge_ns = level, self._time.now_ns
        if self.asleep:
            if not level:
                self.asleep = False
                self._reset()
        elif level:
            self._shift()
        else:
            # Only now is it a pulse, and not the beginning of a sleep.
            assert lasted_ns <= 50000, "T3: PD_SCK high for 50 us at most, 60 power down"
            assert self._pulses <= 27, "more than 27 pulses"

    def _shift(self):
        if not self._pulses:
            done = self._done()
            if done <= self._taken:
                return  # not ready: the edge of a power-down
            at_ns = self._since_ns + done * self.PERIOD_NS
            settled = at_ns >= self._settling_ns + self.SETTLE_NS
            value = self._sample(self._gain) if settled else self.UNSETTLED
            self.given.append((self._gain, value))
            self._bits = value & 0xFFFFFF
            self._taken, self._taken_ns = done, self._time.now_ns
        self._pulses += 1

    def data(self):
        """DOUT is read."""
        self._time.spend(PIN_NS)
        self._look()
        if self.dout is not None:
            return self.dout
        if self.asleep:
            return 1
        if self._pulses:
            return self._bits >> (24 - self._pulses) & 1 if self._pulses <= 24 else 1
        return 0 if self._done() > self._taken else 1


class HCSR04:
    """The HC-SR04 behind TRIG (`trigger`) and ECHO (`pulse_us`, as `machine.time_pulse_us`).

    `mm` is how far it is, None too far; `dead` never echoes.
    """

    LATENCY_NS = 450000  # eight cycles of 40 kHz, and its own time

    def __init__(self, time, mm=100):
        self._time, self.mm = time, mm
        self.dead = False
        self._level = 0
        self._edge_ns = self._fired_ns = -(10**9)
        self._echo = (0, 0)

    def trigger(self, level):
        """TRIG is set."""
        self._time.spend(PIN_NS)
        now_ns = self._time.now_ns
        if level == self._level:
            return
        self._level = level
        if level:
            self._edge_ns = now_ns
            return
        assert now_ns - self._edge_ns >= 10000, "trigger for at least 10 us"
        assert now_ns - self._fired_ns >= 60000000, "a cycle of at least 60 ms"
        assert now_ns >= self._echo[1], "triggered into its own echo"
        self._fired_ns = now_ns
        if not self.dead:
            begin_ns = now_ns + self.LATENCY_NS
            width_ns = 38000000 if self.mm is None else self.mm * 5800
            self._echo = (begin_ns, begin_ns + width_ns)

    def pulse_us(self, pin, level, timeout_us):
        """ECHO is timed."""
        assert pin == "echo" and level == 1
        now_ns, timeout_ns = self._time.now_ns, timeout_us * 1000
        begin_ns, end_ns = self._echo
        if end_ns <= now_ns or begin_ns > now_ns + timeout_ns:
            self._time.spend(timeout_ns)
            return -2
        begin_ns = max(begin_ns, now_ns)
        if end_ns > begin_ns + timeout_ns:
            self._time.now_ns = begin_ns + timeout_ns
            return -1
        self._time.now_ns = end_ns
        return (end_ns - begin_ns) // 1000


class SwitchPin:
    """A pin with a contact to ground."""

    IRQ_FALLING = 2

    def __init__(self, time):
        self._time = time
        self._handler = None

    def irq(self, handler, trigger):
        """As `machine.Pin`."""
        assert trigger == self.IRQ_FALLING
        self._handler = handler

    def press(self, bounces=0, after_ms=300):
        """Fall once, and a few times more while the contact bounces: within 5 ms."""
        self._time.sleep_ms(after_ms)
        for _ in range(1 + bounces):
            self._handler(self)
            self._time.sleep_us(5000 // (1 + bounces))
