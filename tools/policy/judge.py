"""What a policy did, by what was truly in the bin. Every count is defined here, and only here.

The *lead time* is 7 days, what Amazon asks for. *Due*: an order is due while the truth is at or
below the reorder point, or the bin runs out within the lead time: either by the use that truly
comes, or by the true use of the past 28 days going on. Days on which the bin was dry are not
among those 28: nothing was taken out, whatever the household would have taken.

orders       new orders in the service's books
false        an order that was far from due: more than 5 points above the reorder point (the band
             that the ordering contract itself leaves), and both run-outs more than 14 days away,
             and that by the past 7 days: who is back from four weeks' leave uses as before
early        an order that was not due, but less far from it: more than a point, the gauge's
             accuracy, above the reorder point, and both run-outs more than 8 days away
beside_pack  an order while a pack lay there of which nothing had been loaded since it came
dry          stock-outs: the bin ran dry, and no pack lay beside it
avoidable    of those: an order when one was known to be due, after the readings in a row that
             confirm it (three; after a load in a depletion the six that confirm the refill, before
             which the contract knows of no other order), would have brought a parcel in time.
             Known to be: a point, the gauge's accuracy, below the reorder point or, once the
             device has lived for 28 days, below what lasts for the lead time by both run-outs. Not
             where that order comes to nothing (cancelled, or a problem left unsolved), nor where
             one did that the device heard of after the last refill: rules 5 and 6 held it back
clearly      of those: an order a day later would have done, too
dry_beside   the bin ran dry beside a pack: whoever loads it was late, not the order
refills      loads in a depletion, as the device sees it, that are a refill by the contract: 15
             points above the true lowest level and 5 above the reorder point, 2 more for the
             gauge's sake, and so for a day
missed       of those: the device's depletion went on for that day
phantom      depletions with an order that ended though nothing was loaded (one without an order
             a power cut takes: low is confirmed anew, and nothing is bought twice)
hoard        what lies beside the bin in the end, in permille of a bin
"""

from tools.policy.usage import DAY, HOUR, T0, WARM_DAYS

COUNTS = (
    *("orders", "false", "early", "beside_pack", "dry", "avoidable", "clearly"),
    *("dry_beside", "refills", "missed", "phantom", "hoard"),
)
CASES = ("false", "clearly", "avoidable", "missed", "phantom", "early")
BINS = 20  # of the truth at an order, 5 points each
_LEAD_DAYS = 7
_HISTORY_S = WARM_DAYS * DAY  # what the use of the past is known from
_ACCURACY, _BAND, _GAUGE = 10, 50, 20
_NEAR_S, _FAR_S = DAY, 7 * DAY


class Judge:
    """Counts over one bin under one policy: `counts`, `at_orders` (a histogram), `cases`.

    A case is (what, time, why): what somebody will want to look at. `orders` is (time, truth in
    permille) of each order.
    """

    def __init__(self, house, service, people, settings):
        self._house, self._service, self._people = house, service, people
        self._reorder = settings["level.reorder_pct"] * 10
        self._refill = settings["level.refill_pct"] * 10
        interval_s = settings["measure.interval_s"]
        self._confirm_s = settings["level.confirm_count"] * interval_s
        self._confirm_refill_s = settings["level.refill_count"] * interval_s
        self._free_s = 0  # not before is another order possible
        self.counts = dict.fromkeys(COUNTS, 0)
        self.at_orders = [0] * BINS
        self.cases = []
        self.orders = []
        self._lowest = 1000.0  # the true lowest of the depletion
        self._loaded_s, self._loaded = 0, 0.0  # the last load: when, and what was in then
        self._refilled_s = 0  # the last one that freed the device of what came before
        self._is_dry = False
        self._dry = []  # (from, to): when nothing could be taken out
        self._pending = None  # a load that the device must see: (since when, both marks)
        self._loaded_in_depletion = False
        self._in_depletion = self._ordered_in_depletion = False

    def begin(self, now_s, permille):
        """The device starts over a bin that holds this."""
        self._loaded_s, self._loaded = now_s, permille
        self._refilled_s = now_s

    def _count(self, what, now_s, why):
        self.counts[what] += 1
        if what in CASES:
            self.cases.append((what, now_s, why))

    def sent(self):
        """A Replenish was answered, by a new order or the open one."""
        self._ordered_in_depletion = True

    def ordered(self, now_s, permille):
        """A new order was placed."""
        self.counts["orders"] += 1
        self.orders.append((now_s, permille))
        self.at_orders[min(int(permille) * BINS // 1000, BINS - 1)] += 1
        if self._people.untouched:
            self.counts["beside_pack"] += 1
        come_s, past_s = self._left(now_s, permille)
        over, beyond_s = permille - self._reorder, min(come_s, past_s) - _LEAD_DAYS * DAY
        week_s = self._lasts_s(now_s, permille, 7 * DAY) - _LEAD_DAYS * DAY
        why = "%.1f %%, lasts %.1f days by what comes, %.1f by the past" % (
            *(permille / 10, come_s / DAY, past_s / DAY),
        )
        if over > _BAND and min(beyond_s, week_s) > _FAR_S:
            self._count("false", now_s, why)
        elif over > _ACCURACY and beyond_s > _NEAR_S:
            self._count("early", now_s, why)

    def _left(self, now_s, permille):
        # -> seconds until this is used up: by the use to come, by that of the past 28 days.
        come_s = self._house.run_out_s(now_s, permille) - now_s
        return come_s, self._lasts_s(now_s, permille, _HISTORY_S)

    def _lasts_s(self, now_s, permille, over_s):
        per_day = self._per_day(now_s, over_s)
        return permille / per_day * DAY if per_day else 999 * DAY

    def _per_day(self, now_s, over_s=_HISTORY_S):
        # What was taken out of late, in permille a day, without the days of a dry bin.
        used, days_s, end_s = 0.0, 0, now_s
        for dry_s, loaded_s in [*reversed(self._dry), (0, T0 - _HISTORY_S)]:
            start_s = max(loaded_s, end_s - over_s + days_s)
            if start_s < end_s:
                used += self._house.used_permille(end_s) - self._house.used_permille(start_s)
                days_s += end_s - start_s
            end_s = min(end_s, dry_s)
        return used / days_s * DAY

    def level(self, now_s, permille):
        """The truth at a wake, before the device reads it."""
        if permille > 0 or self._is_dry:
            return
        self._is_dry = True
        self._dry_s = now_s
        if self._people.shelf:
            self.counts["dry_beside"] += 1
            return
        self.counts["dry"] += 1
        if self._service.came_to_nothing(self._refilled_s):
            return
        due_s, parcel_s = self._due(now_s)
        if not 0 < parcel_s <= now_s:
            return
        why = "was due %.1f days before, a parcel would have been there %.1f days before" % (
            *((now_s - due_s) / DAY, (now_s - parcel_s) / DAY),
        )
        self._count("avoidable", now_s, why)
        if 0 < self._due(now_s, DAY)[1] <= now_s:
            self._count("clearly", now_s, why)

    def _due(self, dry_s, late_s=0):
        # -> when an order was known to be due since the last load, and when its parcel would come.
        house, at_s = self._house, self._loaded_s
        used = house.used_permille(at_s)
        known_s = max(T0 + _HISTORY_S, dry_s - _LEAD_DAYS * DAY)
        while True:
            left = self._loaded - (house.used_permille(at_s) - used) + _ACCURACY
            if left <= self._reorder or (
                at_s >= known_s and left <= _LEAD_DAYS * self._per_day(at_s)
            ):
                return at_s, self._service.parcel_s(
                    max(at_s + self._confirm_s, self._free_s) + late_s
                )
            at_s += HOUR

    def loaded(self, now_s, after):
        """Somebody filled the bin up to `after`, in permille."""
        if self._is_dry:
            self._dry.append((self._dry_s, now_s))
            self._is_dry = False
        self._loaded_s, self._loaded = now_s, after
        if not self._in_depletion:
            self._refilled_s = now_s
            return
        self._loaded_in_depletion = True
        self._free_s = now_s + self._confirm_refill_s
        mark = max(self._lowest + self._refill, self._reorder + _BAND) + _GAUGE
        if after >= mark:
            self._refilled_s = now_s
            if self._pending is None:
                self._pending = (now_s, mark)

    def read(self, now_s, permille, in_depletion):
        """The device read its gauge; `in_depletion` is what it holds since."""
        if in_depletion != self._in_depletion:
            self._in_depletion = in_depletion
            if in_depletion:
                self._lowest = permille
            else:
                self._ended(now_s, permille)
                self._ordered_in_depletion = False
            self._loaded_in_depletion = False
        self._lowest = min(self._lowest, permille)
        if self._pending is not None:
            since_s, mark = self._pending
            if permille < mark:
                self._pending = None
            elif now_s >= since_s + DAY:
                self._pending = None
                self.counts["refills"] += 1
                self._count("missed", since_s, f"loaded, {permille / 10:.1f} % a day later")

    def _ended(self, now_s, permille):
        if self._pending is not None:
            self.counts["refills"] += 1
            self._pending = None
        elif self._ordered_in_depletion and not self._loaded_in_depletion:
            self._count("phantom", now_s, f"{permille / 10:.1f} %, and nothing was loaded")

    def end(self):
        """The time is over."""
        self.counts["hoard"] = round(self._people.shelf)
