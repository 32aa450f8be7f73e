"""The fleet's judge: what counts as a false order, an avoidable stock-out, a missed refill."""

import pytest

from tools.policy.device import Settings
from tools.policy.judge import Judge
from tools.policy.supply import Order
from tools.policy.usage import DAY, HOUR, T0

NOW = T0 + 30 * DAY


class House:
    """The same use every day, past and to come, in permille."""

    def __init__(self, per_day):
        self._per_day = per_day

    def used_permille(self, now_s):
        return self._per_day * (now_s - T0) / DAY

    def run_out_s(self, now_s, permille):
        return now_s + permille / self._per_day * DAY


class Service:
    """Brings a parcel so long after an order; 0 for none at all."""

    ended_s = 0  # when an order came to nothing

    def __init__(self, after_s):
        self._after_s = after_s

    def parcel_s(self, at_s):
        return at_s + self._after_s if self._after_s else 0

    def came_to_nothing(self, since_s):
        return self.ended_s >= since_s


class People:
    shelf = 0
    untouched = False


def judge(per_day=10, parcel_days=3):
    """Return a judge of a bin that holds everything at T0."""
    found = Judge(House(per_day), Service(parcel_days * DAY), People(), Settings())
    found.begin(T0, 1000)
    return found


def counted(found):
    """Return what is not zero."""
    return {name: count for name, count in found.counts.items() if count}


@pytest.mark.parametrize(
    ("permille", "per_day", "verdict"),
    [
        (900, 10, "false"),
        (251, 10, "false"),
        (250, 10, "early"),  # inside the contract's band of 5 points
        (600, 45, "early"),  # 13 days: inside the margin of a week
        (211, 10, "early"),
        (210, 10, None),  # inside the gauge's accuracy
        (199, 10, None),  # below the reorder point
        (600, 100, None),  # six days left
    ],
)
def test_an_order_is_judged_by_the_truth(permille, per_day, verdict):
    found = judge(per_day)
    found.ordered(NOW, permille)
    assert counted(found) == {"orders": 1} | ({verdict: 1} if verdict else {})


def test_an_order_beside_an_unopened_pack_is_counted():
    found = judge()
    found._people.untouched = True
    found.ordered(NOW, 100)
    assert counted(found) == {"orders": 1, "beside_pack": 1}


def dry(per_day, parcel_days, shelf=0, from_s=NOW):
    """Return what is counted of a bin that is full at `from_s` and runs dry without an order."""
    found = judge(per_day, parcel_days)
    found.begin(from_s, 1000)
    found._people.shelf = shelf
    for now_s in (from_s + 1000 // per_day * DAY, from_s + 1000 // per_day * DAY + HOUR):
        found.level(now_s, 0)
    return counted(found)


def test_a_stock_out_is_avoidable_if_a_parcel_could_have_been_there():
    # 20 permille a day: 190, a point below the reorder point, are left 9.5 days before the end.
    assert dry(20, parcel_days=8) == {"dry": 1, "avoidable": 1, "clearly": 1}
    assert dry(20, parcel_days=9) == {"dry": 1, "avoidable": 1}
    assert dry(20, parcel_days=10) == {"dry": 1}
    assert dry(20, parcel_days=0) == {"dry": 1}


def test_the_known_use_counts_as_well_as_the_reorder_point():
    # 50 permille a day: a point less than seven days' use is left 6.8 days before the end.
    assert dry(50, parcel_days=6.5) == {"dry": 1, "avoidable": 1}
    assert dry(50, parcel_days=5.5) == {"dry": 1, "avoidable": 1, "clearly": 1}
    assert dry(50, parcel_days=8) == {"dry": 1}


def test_a_device_without_history_is_held_to_the_reorder_point_alone():
    assert dry(50, parcel_days=2, from_s=T0) == {"dry": 1, "avoidable": 1, "clearly": 1}
    assert dry(50, parcel_days=3, from_s=T0) == {"dry": 1, "avoidable": 1}
    assert dry(50, parcel_days=6, from_s=T0) == {"dry": 1}


@pytest.mark.parametrize(("in_depletion", "avoidable"), [(False, 1), (True, 0)])
def test_after_a_load_in_a_depletion_no_order_is_possible_before_the_refill_is_confirmed(
    in_depletion, avoidable
):
    # Loaded so little that an order is due at once; three readings are 45 minutes, six are 90.
    found = judge(50, parcel_days=190 / 50 - 1 / 24)
    found.read(NOW, 100, in_depletion)
    found.loaded(NOW, 190)
    found.level(NOW + 190 * DAY // 50, 0)
    assert found.counts["avoidable"] == avoidable


@pytest.mark.parametrize(
    ("after_load", "verdict"),
    [
        (900, {"dry": 1, "avoidable": 1, "clearly": 1}),  # a refill: the device was free again
        (330, {"dry": 1}),  # no refill: rule 5 still held
    ],
)
def test_a_stock_out_is_the_customers_until_a_refill_after_an_order_came_to_nothing(
    after_load, verdict
):
    found = judge(50, parcel_days=1)
    found.read(NOW, 190, True)
    found._service.ended_s = NOW + HOUR
    found.loaded(NOW + DAY, after_load)
    if after_load > 330:
        found.read(NOW + DAY, after_load, False)
    found.level(NOW + DAY + after_load // 50 * DAY, 0)
    assert {name: counted(found).get(name) for name in verdict} == verdict
    assert found.counts["avoidable"] == verdict.get("avoidable", 0)


def test_an_order_by_the_pace_before_a_dry_spell_is_not_false():
    class Idle(House):
        # 50 a day; nobody there from NOW to NOW + 20 days, and again from NOW + 26 days.
        def used_permille(self, now_s):
            away_s = min(max(now_s - NOW, 0), 20 * DAY) + max(now_s - NOW - 26 * DAY, 0)
            return 50 * (now_s - T0 - away_s) / DAY

        def run_out_s(self, now_s, permille):
            return now_s + 40 * DAY

    # Without the dry spell it is early: the past week, at least, was busy.
    for is_dry, verdict in ((True, {}), (False, {"early": 1})):
        found = judge(50)
        found._house = Idle(50)
        if is_dry:
            found.level(NOW, 0)
            found.loaded(NOW + 20 * DAY, 650)
        before = counted(found)
        found.ordered(NOW + 26 * DAY, 350)
        assert counted(found) == before | {"orders": 1} | verdict


def test_a_bin_that_runs_dry_beside_a_pack_is_no_stock_out():
    assert dry(50, parcel_days=1, shelf=1000) == {"dry_beside": 1}


def test_a_load_in_a_depletion_must_end_it_within_a_day():
    for seen, verdict in ((True, {"refills": 1}), (False, {"refills": 1, "missed": 1})):
        found = judge()
        found.read(NOW, 190, True)
        found.loaded(NOW, 700)
        found.read(NOW, 700, True)
        found.read(NOW + 2 * HOUR, 700, not seen)
        found.read(NOW + DAY, 690, not seen)
        assert counted(found) == verdict


def test_a_load_too_small_to_be_a_refill_need_not_end_the_depletion():
    found = judge()
    found.read(NOW, 190, True)
    found.loaded(NOW, 330)
    for hours in range(30):
        found.read(NOW + hours * HOUR, 330, True)
    assert counted(found) == {}


def test_a_depletion_that_ends_though_nothing_was_loaded_is_counted():
    found = judge()
    found.sent()
    found.read(NOW, 190, True)
    found.read(NOW + HOUR, 190, False)
    assert counted(found) == {"phantom": 1}


def test_a_depletion_without_an_order_may_be_forgotten():
    found = judge()
    found.sent()
    found.read(NOW, 190, True)
    found.loaded(NOW + HOUR, 700)
    found.read(NOW + 2 * HOUR, 700, False)
    found.read(NOW + 3 * HOUR, 700, True)
    found.read(NOW + 4 * HOUR, 700, False)
    assert counted(found) == {"refills": 1}


def test_an_order_locks_the_slot_until_its_parcel_or_its_end():
    class Fate:
        delivered_s, ended_s = 3 * DAY, None

    assert Order(0, NOW, Fate).closed_s() == NOW + 3 * DAY
    Fate.delivered_s, Fate.ended_s = None, DAY
    assert Order(0, NOW, Fate).closed_s() == NOW + DAY
