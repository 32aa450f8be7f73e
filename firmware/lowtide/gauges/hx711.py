"""Load cell through the HX711, a 24-bit ADC on two wires (Avia Semiconductor, datasheet)."""

from micropython import const

from lowtide import GaugeFault

# "Serial Interface", table 3: the pulses of a reading choose the input and gain of the next.
A_128 = const(25)
B_32 = const(26)
A_64 = const(27)
# "Key Electrical Characteristics": output settling time at 10 samples a second, after power-up,
# a change of input, or of gain.
_SETTLE_MS = const(400)
# A sample is due every 100 ms; the chip's own oscillator is not exact.
_READY_MS = const(250)
# Noise is 50 nV and a step 2.4 nV: so many equal samples in a row are none of the load cell's.
_STUCK = const(5)


class HX711:
    """A sample is the signed 24-bit count; what a count weighs is for the calibration to say.

    PD_SCK needs a pull-up (100 kOhm) to stay high, the chip asleep, while the board sleeps deeply;
    DOUT's own pull-up makes a chip that is not there one that is never ready.

    Args:
        clock: `(level)` sets PD_SCK.
        data: `() -> level` of DOUT.
        sleep_ms: `(ms)`.
        irq_off, irq_on: `() -> state` and `(state)`, around each pulse: one that an interrupt
            makes longer than 60 us powers the chip down in the middle of a sample.
        pulses: `A_128`, `B_32` or `A_64`.
    """

    below = "container lifted"
    keeps = 0

    def __init__(self, clock, data, sleep_ms, irq_off, irq_on, pulses=A_128):
        self.clock, self.data, self.sleep_ms = clock, data, sleep_ms
        self.irq_off, self.irq_on = irq_off, irq_on
        self.pulses = pulses
        self._awake = False
        self._last = self._same = 0

    def read(self):
        """Return one sample; the first after `sleep()` takes 0.4 s (0.9 s off `A_128`).

        Raises:
            GaugeFault: disconnected, saturated, stuck.
        """
        if not self._awake:
            # "Reset and Power-Down": PD_SCK low wakes the chip, at input A with gain 128.
            self.clock(0)
            self._awake = True
            self.sleep_ms(_SETTLE_MS)
            if self.pulses != A_128:
                self._shift_out()
                self.sleep_ms(_SETTLE_MS)
        raw = self._shift_out()
        if raw in (0x7FFFFF, -0x800000):
            raise GaugeFault("saturated")
        self._same = self._same + 1 if raw == self._last else 0
        self._last = raw
        if self._same >= _STUCK:
            raise GaugeFault("stuck")
        return raw

    def _shift_out(self):
        # "Serial Interface", figure 2: DOUT low is ready; a bit follows each rising edge.
        wait_ms = _READY_MS
        while self.data():
            if not wait_ms:
                raise GaugeFault("disconnected")
            wait_ms -= 1
            self.sleep_ms(1)
        raw = 0
        for _ in range(self.pulses):
            state = self.irq_off()
            self.clock(1)
            self.clock(0)
            self.irq_on(state)
            raw = raw << 1 | self.data()
        # The 25th pulse pulls DOUT high; a line that is stuck low goes on reading 0.
        over = self.pulses - 24
        if raw & ((1 << over) - 1) != (1 << over) - 1:
            raise GaugeFault("disconnected")
        return ((raw >> over) ^ 0x800000) - 0x800000

    def sleep(self):
        """Power down: PD_SCK high for longer than 60 us ("Reset and Power-Down")."""
        self.clock(1)
        self._awake = False
