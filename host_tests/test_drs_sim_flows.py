"""The seed's flows at the simulator, and where an order may go from where it is."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from drs_sim_kit import HOUR_S


def seconds(text):
    return datetime.fromisoformat(text).timestamp()


def test_successful_flow(sim, device):
    order_id = device.order()
    [order] = device.orders()
    assert device.notified() == ["OrderPlaced"]
    assert device.book("emails", "kind") == ["order_created"]
    assert seconds(order["cancel_by"]) - seconds(order["confirmed_at"]) == 24 * HOUR_S
    info = device.order_info(order_id)
    assert info["status"] == "Processing" and info["expectedDeliveryDate"].endswith("Z")
    again = device.replenish().json()
    assert again == {"detailCode": "ORDER_INPROGRESS", "eventInstanceId": order_id}
    sim.advance(31)
    device.refresh()
    assert device.notified() == ["OrderPlaced", "ItemShipped"]
    assert device.order_info(order_id)["status"] == "Shipped"
    assert device.replenish().json()["detailCode"] == "ORDER_INPROGRESS"
    sim.advance(72)
    device.refresh()
    assert device.orders()[0]["outcome"] == "delivered"
    assert device.order() != order_id


def test_unresolved_problem_lapses_after_72_hours(sim, device):
    device.next_problem("payment")
    order_id = device.order()
    assert device.notified() == []
    assert device.book("emails", "kind") == ["order_resolution"]
    info = device.order_info(order_id)
    assert (info["status"], info["expectedDeliveryDate"]) == ("Processing", None)
    sim.advance(71)
    device.refresh()
    assert device.replenish().json()["detailCode"] == "ORDER_INPROGRESS"
    sim.advance(200)
    device.refresh()
    assert device.notified() == ["OrderCancelled"]
    assert device.book("emails", "kind")[-1] == "order_cancelled"
    [order] = device.orders()
    assert (order["outcome"], order["status"]) == ("lapsed", "Cancelled")
    assert order["cancelled_at"] == order["resolve_by"]  # its own time, not the jump's end
    assert order_id not in [row["id"] for row in sim.state()["purchases"]]
    assert device.order() != order_id


def test_resolved_problem_places_the_order(sim, device):
    device.next_problem("address")
    order_id = device.order()
    sim.advance(70)
    assert device.customer("resolve", order_id).json()["phase"] == "placed"
    assert device.notified() == ["OrderPlaced"]
    assert device.book("emails", "kind") == ["order_resolution", "order_created"]
    sim.advance(23)
    device.refresh()
    assert device.replenish().json()["detailCode"] == "ORDER_INPROGRESS"
    assert device.customer("cancel", order_id).json()["outcome"] == "cancelled"
    assert device.notified() == ["OrderPlaced", "OrderCancelled"]
    assert device.order() != order_id


def test_customer_may_cancel_instead_of_resolving(device):
    device.next_problem("stock")
    order_id = device.order()
    assert device.customer("ship", order_id).status_code == 409
    assert device.customer("cancel", order_id).json()["outcome"] == "cancelled"
    assert device.notified() == ["OrderCancelled"]
    assert device.order_info(order_id)["status"] == "Cancelled"


def test_what_falls_due_in_one_jump_happens_in_order(sim):
    slow, quick = sim.device(), sim.device()
    slow.next_problem("stock")
    slow.order()
    sim.advance(1)
    quick.refresh()
    quick.order()
    sim.advance(1000)
    times = [row["time"] for row in sim.state()["notifications"]]
    assert times == sorted(times)
    [order] = quick.orders()
    assert seconds(order["delivered_at"]) - seconds(order["confirmed_at"]) == 102 * HOUR_S


def test_orders_move_only_where_their_phase_allows(sim, device):
    order_id = device.order()
    assert device.customer("resolve", order_id).status_code == 409
    sim.advance(24)
    late = device.customer("cancel", order_id)
    assert late.status_code == 409 and "cancel window" in late.json()["error"]
    assert device.customer("deliver", order_id).json()["phase"] == "delivered"
    assert device.notified() == ["OrderPlaced", "ItemShipped"]
    for verb in ("ship", "deliver", "cancel", "resolve"):
        assert device.customer(verb, order_id).status_code == 409
    assert device.customer("ship", "nothing").status_code == 404


def test_test_device_orders_nothing_and_keeps_its_lock(sim):
    device = sim.device(test=True)
    answer = device.replenish().json()
    assert answer["detailCode"] == "TEST_ORDER_PLACED"
    assert device.notified() == ["OrderPlaced", "ItemShipped"]
    sim.advance(500)
    device.refresh()
    assert device.replenish().json()["detailCode"] == "ORDER_INPROGRESS"
    device.customer("cancel", answer["eventInstanceId"]).raise_for_status()
    assert device.replenish().json()["detailCode"] == "TEST_ORDER_PLACED"


def test_lock_holds_under_concurrent_calls(device):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: device.replenish().json(), range(16)))
    codes = [answer["detailCode"] for answer in answers]
    assert codes.count("STANDARD_ORDER_PLACED") == 1
    assert len({answer["eventInstanceId"] for answer in answers}) == 1
    assert len(device.orders()) == 1
