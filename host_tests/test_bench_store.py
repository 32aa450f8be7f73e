"""The stores that `make bench` compares, on the real littlefs: costs, power cuts, damage."""

import pytest

from tools.bench import store


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The bench's programs, the peers' code with them."""
    return store.prepare(tmp_path_factory.mktemp("bench"))


def run(programs, name):
    """Return what a store did on Lowtide's mount and on the stock image's."""
    return [store.run(name, readsize, programs, cut=8) for readsize in (128, 32)]


def test_lowtide_s_store_is_cheap_loses_nothing_and_believes_no_damage(programs):
    own, stock = run(programs, "lowtide")
    assert own.erases <= 0.35 < stock.erases
    for done in (own, stock):
        assert done.cuts > 3 * 8 * 2
        assert (done.lost, done.believed, done.unchanged) == (0, 0, 0)
        assert done.dead_flash == "an error"


def test_the_peers_are_measured_alike(programs):
    for name in ("kvstore", "json"):
        own, stock = run(programs, name)
        assert own.erases < stock.erases
        assert own.lost == stock.lost == 0
        assert own.believed == stock.believed > 0


def test_the_cuts_catch_a_store_that_loses(programs):
    assert all(done.lost > 0 for done in run(programs, "removing"))
