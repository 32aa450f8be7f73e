"""What became of the bin between two readings: used, refilled or taken away; how long it lasts."""

import struct

from micropython import const

from lowtide import GaugeFault

_DAY_S = const(86400)
# In permille of the full bin: two readings that differ by no more than noise have settled; higher
# than before, by more, after a refill. A fall of so much from one reading to the next, down to
# nothing, is nobody's use: it is believed only when it has lasted half a day.
_NOISE = const(30)
_FALL = const(150)
_NOTHING = const(40)
# A day that begins with this ends higher than it began, and so teaches nothing.
_REFILLED = const(-2000)
_AWAY_S = const(43200)
# Days that the mean looks back on, those it takes before it says anything, the longest that one
# may be (past it, the clock was set), and the slowest use worth a forecast: 1000 days a bin.
_MEMORY_DAYS = const(16)
_LEARNED_DAYS = const(7)
_LONGEST_S = const(2592000)
_LEAST_PPM = const(1000)
# The count of days of a full memory: it counts down over a bin that stays empty, and what is left
# after two weeks of that is a short memory.
_FULL = const(30)
_PACK = const("<iIBIhhhI")


class Forecast:
    """The mean use of a day and its mean deviation, in millionths (ppm) of the full bin.

    A day is 24 h from one settled reading to another, so that what comes and goes with the time of
    day (a load cell in the afternoon sun) cancels; falls count as use and rises against it, so
    that noise does too. A day with a refill teaches nothing, one that ends empty only that the use
    was no less. Eight integers are all that is kept: a reading costs the same in the tenth year.
    """

    kept = (0,) * 8

    def reading(self, permille, now_s):
        """Take one reading in, at Unix seconds of the local clock.

        Raises:
            GaugeFault: container lifted: nothing left of much at once, not for half a day yet.
        """
        use_ppm, spread_ppm, days, since_s, start, settled, last, away_s = self.kept
        if permille < _NOTHING and permille < settled - _FALL:
            # Not the first of them, nor was the clock set since: then it lasts longer.
            away_s = away_s if 0 <= now_s - away_s < _LONGEST_S else now_s
            if now_s - away_s < _AWAY_S:
                self.kept = self.kept[:-1] + (away_s,)
                raise GaugeFault("container lifted")
            settled, since_s = permille, 0
        if abs(permille - last) <= _NOISE:
            if permille > settled + _NOISE:
                start = _REFILLED
            settled = permille
            day_s, fall = now_s - since_s, start - permille
            if not 0 <= day_s < _DAY_S:
                since_s, start = now_s, permille
                if 0 < day_s < _LONGEST_S and fall >= -_NOISE:
                    day_ppm = fall * 1000 * _DAY_S // day_s
                    if permille >= _NOTHING or day_ppm > use_ppm:
                        days = _FULL if days >= _MEMORY_DAYS else days + 1
                        over = min(days, _MEMORY_DAYS)
                        use_ppm += (day_ppm - use_ppm) // over
                        spread_ppm += (abs(day_ppm - use_ppm) - spread_ppm) // over
                    else:
                        days -= days >= _MEMORY_DAYS
        self.kept = (use_ppm, spread_ppm, days, since_s, start, settled, permille, 0)

    def days_left(self, wider=0):
        """Return the whole days until the bin is empty, None where nothing is known of that.

        That is on the safe side, by what the use of a week deviates from the mean. `wider` 1 is
        the early end of the range in which to expect it, -1 the late end.
        """
        use_ppm, spread_ppm, days, _, _, _, permille, _ = self.kept
        # One wild day weighs much in a short memory: until it is full, the late end counts.
        if days < _MEMORY_DAYS:
            wider -= 1
        # A week's mean use deviates by 1 / sqrt(7), 3/8, of what a day's does.
        use_ppm += spread_ppm * (wider * 8 or 3) // 8
        if days < _LEARNED_DAYS or use_ppm < _LEAST_PPM:
            return None
        return permille * 1000 // use_ppm

    def pack(self, kept=None):
        """Return what RTC memory is to keep, and flash.

        `kept`, what this gave some time ago, is returned itself if little was learned since: so
        flash is written once a day at most, and seldom.
        """
        if kept:
            use_ppm, _, days = struct.unpack(_PACK, kept)[:3]
            learned = min(self.kept[2], _MEMORY_DAYS)
            if days >= learned and abs(use_ppm - self.kept[0]) * 8 <= abs(use_ppm):
                return kept
        return struct.pack(_PACK, *self.kept)

    def resume(self, data):
        """Go on from what `pack()` gave; None is nothing."""
        if data:
            self.kept = struct.unpack(_PACK, data)
