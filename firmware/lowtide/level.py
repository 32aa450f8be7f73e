"""From readings to *low* and *refill* (README, "The rules by which it buys")."""


class Level:
    """Counts readings in a row. All levels in permille of the full bin.

    `low` is true while the slot is confirmed low by the latest readings; `lowest_permille` is the
    lowest level of the running depletion, None outside one. The counts live in RTC memory: losing
    them costs a few more readings, never an order.
    """

    def __init__(self, config, lowest_permille=None):
        self.config = config
        self.lowest_permille = lowest_permille
        self.low_count = self.refill_count = 0
        self.permille = None

    @property
    def low(self):
        """The latest readings, in a row, confirm that the slot is low now."""
        return self.low_count >= self.config["level.confirm_count"]

    def resume(self, low_count, refill_count, lowest_permille):
        """Go on after a sleep with the counts kept in RTC memory."""
        self.low_count, self.refill_count = low_count, refill_count
        self.lowest_permille = lowest_permille

    def fault(self):
        """Note a failed reading: it breaks every row (rule 9)."""
        self.permille = None
        self.low_count = self.refill_count = 0

    def reading(self, permille, days_left=None):
        """Take one reading in, with the forecast's days until empty where there is one.

        Return True if it completes a refill, which ends the depletion.
        """
        config = self.config
        reorder = config["level.reorder_pct"] * 10
        self.permille = permille
        low = permille < reorder or (
            days_left is not None and days_left < config["level.lead_days"]
        )
        self.low_count = min(self.low_count + 1, 255) if low else 0
        if self.lowest_permille is None:
            if self.low:
                self.lowest_permille = permille
            return False
        self.lowest_permille = min(self.lowest_permille, permille)
        refilled = permille >= max(
            self.lowest_permille + config["level.refill_pct"] * 10, reorder + 50
        )
        self.refill_count = self.refill_count + 1 if refilled else 0
        if self.refill_count < config["level.refill_count"]:
            return False
        self.lowest_permille = None
        self.refill_count = 0
        # Low by the lead time even so: the next reading confirms it, and begins a depletion of its
        # own before an order goes out.
        self.low_count = min(self.low_count, config["level.confirm_count"] - 1)
        return True
