"""Any gauge on a battery: with too little supply it measures nothing, and so orders nothing."""

from lowtide import GaugeFault


class Battery:
    """A driver around a driver, for a board that can sense its supply.

    Args:
        driver: the gauge's own.
        read_uv: `() -> int`, the ADC on the supply's divider.
        divider: how many times more than that the supply is.
        least_mv: the limit, where the gauge and a flash write are still sound.
    """

    def __init__(self, driver, read_uv, divider, least_mv):
        self.driver, self.read_uv = driver, read_uv
        self.divider, self.least_mv = divider, least_mv

    def read(self):
        """Return the driver's sample.

        Raises:
            GaugeFault: supply below the limit; the driver's.
        """
        if self.read_uv() * self.divider < self.least_mv * 1000:
            raise GaugeFault("supply below %d mV" % self.least_mv)
        return self.driver.read()

    def __getattr__(self, name):
        return getattr(self.driver, name)
