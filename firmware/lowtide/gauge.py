"""From raw samples to a level that can be trusted, or a fault with a name."""

from micropython import const

from lowtide import GaugeFault

_BURST = const(9)
_MIDDLE = const(4)
# In permille of the full bin: what is more than noise, within a burst and past the table's ends.
_SPREAD = const(50)
_BEYOND = const(50)


class Gauge:
    """A driver (see `gauges`) with its calibration.

    `raws` holds the samples of the latest burst, sorted, `levels` the same in permille: for the
    eye, and for `calibrate`.

    Args:
        config: `gauge.table` is the calibration: two points or more, written `raw:permille` with
            blanks between, and straight lines from one to the next.
        table: the same as the board's file has it, for as long as `gauge.table` is empty.
    """

    def __init__(self, driver, config, table):
        self.driver = driver
        self.config, self.table = config, table
        self.raws: list[int] = []
        self.levels: list[int] = []

    def points(self):
        """Return the calibration as a sorted list of `[raw, permille]`.

        Raises:
            ValueError: it is none.
        """
        points = []
        for point in (self.config["gauge.table"] or self.table).split():
            points.append(list(map(int, point.split(":"))))
        return sorted(points)

    def sample(self):
        """Take a burst of samples into `raws`; the sensor sleeps again when this returns.

        Raises:
            GaugeFault: the driver's.
        """
        raws: list[int] = []
        self.raws = self.levels = []
        missed = 0
        try:
            while len(raws) < _BURST:
                try:
                    raws.append(self.driver.read())
                except GaugeFault:
                    # A single missed echo is an outlier like others.
                    missed += 1
                    if missed > 1:
                        raise
        except OSError:
            # A bus on which nobody answers.
            raise GaugeFault("disconnected")
        finally:
            if self.driver.sleep:
                self.driver.sleep()
        self.raws = sorted(raws)

    def read(self):
        """Return the level in permille (0 to 1000): the middle one of a burst.

        Raises:
            GaugeFault: the driver's, or moving, out of range, container lifted, not calibrated.
        """
        self.sample()
        self.levels = levels = []
        try:
            points = self.points()
            for raw in self.raws:
                # On the line through the points around it; past an end, on the last line.
                i = 1
                while raw > points[i][0] and i < len(points) - 1:
                    i += 1
                (raw_0, level_0), (raw_1, level_1) = points[i - 1], points[i]
                levels.append(level_0 + (raw - raw_0) * (level_1 - level_0) // (raw_1 - raw_0))
        except (ValueError, IndexError, ZeroDivisionError):
            raise GaugeFault("not calibrated")
        permille = levels[_MIDDLE]
        # One outlier at either end is none of its business; a second one is something that moves.
        if abs(levels[-2] - levels[1]) > _SPREAD:
            raise GaugeFault("moving")
        if permille > 1000 + _BEYOND:
            raise GaugeFault("out of range")
        if permille < -_BEYOND and self.driver.below:
            raise GaugeFault(self.driver.below)
        return min(1000, max(0, permille))
