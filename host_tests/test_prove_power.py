"""Power cuts, cost and ten years on the real interpreter's littlefs; all of it in `make prove`."""

import pytest

from host_tests.prove import interpreter


def test_power_cut_at_every_flash_operation_leaves_old_or_new_and_one_order():
    counts, failure = interpreter.power_cuts(second=1, share=5)
    assert failure is None
    assert counts["cut once"] == 3 * counts["operations"] >= 250
    assert counts["cut twice"] > 300
    assert counts["damaged"] > 5000


def test_a_factory_reset_cut_anywhere_leaves_all_or_a_blank_board_and_a_second_one_ends_it():
    counts, failure = interpreter.wipe_cuts(share=25)
    assert failure is None
    assert counts["cut"] == counts["still whole"] + counts["blank"] >= 90
    assert counts["still whole"] and counts["blank"]


def test_a_factory_reset_that_removes_the_order_first_is_caught():
    _, failure = interpreter.wipe_cuts(share=1000, build="bad")
    assert "settings or order in part" in failure


@pytest.mark.parametrize("build", interpreter.BAD_STORES)
def test_the_power_cuts_catch_a_known_bad_build(build):
    _, failure = interpreter.power_cuts(second=1, share=2, build=build)
    assert failure is not None


@pytest.fixture(scope="module")
def years():
    return interpreter.decade(3000)


def test_a_state_change_with_the_longest_id_costs_at_most_a_third_of_an_erase(years):
    assert years["changes"] > 80
    assert years["erases per change"] <= 0.35


def test_a_measure_wake_without_change_does_nothing_to_the_flash(years):
    assert years["quiet wakes"] > 2500
    assert years["flash operations in quiet wakes"] == 0


def test_years_of_wakes_grow_neither_heap_nor_files_and_wear_nothing_out(years):
    assert years["heap growth"] <= 0
    assert years["files"] == ["config.rec", "order.rec"]
    assert years["most worn block"] < 100
    assert years["orders"] >= years["loads"] > 10
