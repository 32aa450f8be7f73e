"""Distance from the lid down to the content: HC-SR04 ultrasonic ranger (ElecFreaks user guide)."""

from micropython import const

from lowtide import GaugeFault

# "Timing diagram": trigger for 10 us; over 60 ms a cycle, lest an old echo counts for a new one.
_TRIGGER_US = const(10)
_CYCLE_MS = const(60)
# "Electric Parameter": 2 cm to 4 m; the echo is 58 us for each centimetre.
_LEAST_US = const(116)
_MOST_US = const(23200)


class Distance:
    """A sample is the distance in mm at about 20 degrees C: 0.17 % longer for each degree less.

    ECHO is at 5 V: a divider brings it to the 3.3 V that the ESP32 bears.

    Args:
        trigger: `(level)` sets TRIG.
        echo: the pin, handed on to `pulse_us`.
        pulse_us: `machine.time_pulse_us`: `(pin, level, timeout_us) -> us`, -2 where the pulse
            did not begin and -1 where it did not end in time.
        sleep_us, sleep_ms: `(time)`.
    """

    sleep = None
    below = "container lifted"
    keeps = 0

    def __init__(self, trigger, echo, pulse_us, sleep_us, sleep_ms):
        self.trigger, self.echo, self.pulse_us = trigger, echo, pulse_us
        self.sleep_us, self.sleep_ms = sleep_us, sleep_ms

    def read(self):
        """Return one sample, after 60 ms.

        Raises:
            GaugeFault: disconnected, out of range (no echo), saturated (nearer than 2 cm).
        """
        self.trigger(0)
        self.sleep_ms(_CYCLE_MS)
        self.trigger(1)
        self.sleep_us(_TRIGGER_US)
        self.trigger(0)
        us = self.pulse_us(self.echo, 1, _MOST_US)
        if us == -2:
            raise GaugeFault("disconnected")
        if us < 0:
            raise GaugeFault("out of range")
        if us < _LEAST_US:
            raise GaugeFault("saturated")
        return us * 10 // 58
