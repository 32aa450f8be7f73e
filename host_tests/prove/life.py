"""One device's world, wake by wake: each is a fresh start from flash and RTC memory."""

from host_tests.prove.ledger import Ledger
from host_tests.prove.service import DAY, Service
from host_tests.prove.wake import FULL, LOW, SETTINGS, PowerCut, Wake
from lowtide.orders import Orders

T0 = 22000 * DAY
YEARS = 10 * 365 * DAY


class World:
    """Everything: calendar, bin, flash, RTC memory, service, books. Copied by the search."""

    def __init__(self, in_progress_id="open", mains=False):
        self.now = T0
        self.offset = 0
        self.payload = Orders(None).pack()
        self.status = 0
        self.rtc = b""
        self.level = FULL
        self.network = True
        self.service = Service(in_progress_id)
        self.ledger = Ledger(T0)
        # On mains one agent lives on from wake to wake, until the power goes (no copies then).
        self.mains = mains
        self.agent = None
        self.wakes = 0

    def copy(self):
        """Return a copy that shares nothing that changes."""
        other = World.__new__(World)
        other.__dict__.update(self.__dict__)
        other.service = self.service.copy()
        other.ledger = self.ledger.copy()
        return other

    @property
    def rec(self):
        """The record in flash."""
        return Orders(None, self.payload)

    def lose_rtc(self):
        """Power is gone for a moment: RTC memory is empty, the clock stands in 2000."""
        self.agent = None
        self.rtc = b""
        self.offset = 946684800 - self.now
        self.ledger.rows_lost()
        self.ledger.pending = None

    def fill(self):
        """Someone loads the bin: the depletion is over."""
        if self.level < FULL:
            self.level = FULL
            self.ledger.refilled()

    def wait(self, seconds):
        """Let the calendar run, asleep."""
        self.now += seconds
        self.service.catch_up(self.now)

    def wake(self, plan=None):
        """Run one wake. `plan`: at which point what goes wrong. Return the points it passed."""
        wake = Wake(self, plan)
        self.wakes += 1
        try:
            wake.run()
        except PowerCut:
            self.lose_rtc()
        self.ledger.pending = None
        self._check()
        return wake.points

    def _check(self):
        ledger, service = self.ledger, self.service
        waits = self.level != LOW or not self.network or service.locked is not None
        waits = waits or service.revoked or not service.subscribed or ledger.waits_for_refill
        if self.status == 0:
            rec = self.rec
            ledger.check_kept(rec)
            waits = waits or rec.block in ("revoked", "no_such_slot")
        ledger.check_idle(self.now, waits, SETTINGS["level.confirm_count"])
