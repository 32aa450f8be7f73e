"""Years of use of one device, a wake each six hours: heap, files, wear, cost, drift.

Run by MicroPython with the number of wakes; prints one JSON object.
"""

import gc
import json
import os
import sys

from bin_and_service import HOUR, SETTINGS, Broken, World, boot
from ram_flash import ROOT, Flash, formatted, mount

from lowtide.orders import Orders
from lowtide.store import Store


class Use:
    """What happens to the device: a bin that empties in 50 days, people, a service, accidents."""

    def __init__(self, world):
        self.world = world
        self.loads = self.fate = self.since = 0

    def wake(self, number):
        """Move the world on before a wake."""
        world = self.world
        world.wait(6 * HOUR)
        world.level = max(60, world.level - 4)
        world.lose_answer = number % 11 == 0
        if number % 97 == 0:
            world.power_off()
        if number % 400 == 0:
            world.token = "Atzr|" + "%0360d" % number
        if world.number != self.fate:
            self.fate, self.since = world.number, number
        self._order(number - self.since)

    def _order(self, age):
        world = self.world
        cancels = self.fate % 5 == 4 and age == 2
        if world.phase == "placed" and age == 5:
            world.phase = "shipped"
        elif (world.phase == "placed" and cancels) or (world.phase == "resolution" and age == 12):
            world.phase = "cancelled"
        elif world.phase == "shipped" and age == 17:
            world.phase = "delivered"
        elif world.phase == "delivered" and age == 21:
            world.level = 940
            world.problem = self.fate % 7 == 3
            self.loads += 1


class Meter:
    """Counts what the wakes cost at the block device."""

    def __init__(self, flash):
        self.flash = flash
        self.changes = self.quiet = self.quiet_cost = self.change_erases = 0
        self.before = (0, b"")

    def wake(self):
        """Attribute what was done since the last call to a change, or to a quiet wake."""
        flash = self.flash
        mount(flash)
        content = Store(ROOT + "/order.rec").load()
        config = Store(ROOT + "/config.rec").load()
        operations, before = self.before
        if content == before and config == self.config:
            self.quiet += 1
            self.quiet_cost += flash.operations - operations
        self.before = (flash.operations, content)
        self.config = config


def count_changes(meter):
    """Count the record's writes and their erases at the store."""
    save = Store.save

    def counting(store, payload):
        erases = meter.flash.erases
        written = save(store, payload)
        if written and store.path.endswith("order.rec"):
            meter.changes += 1
            meter.change_erases += meter.flash.erases - erases
        return written

    Store.save = counting


def main(wakes):
    """Live; print the figures."""
    flash, world = Flash(formatted()), World()
    meter, use = Meter(flash), Use(world)
    meter.config = b""
    device = boot(world, flash)
    for name, value in SETTINGS:
        device.config.update({name: value})
    count_changes(meter)
    heap = 0
    for number in range(1, wakes + 1):
        use.wake(number)
        device = None
        device = boot(world, flash)
        device.wake()
        meter.wake()
        if number == wakes // 4:
            device = None
            gc.collect()
            heap = gc.mem_alloc()
    device = None
    gc.collect()
    growth = gc.mem_alloc() - heap
    rec = Orders(None, Store(ROOT + "/order.rec").load())
    if rec.state not in ("none", "attempt") and rec.event_id != world.id_of(world.number):
        raise Broken("LOST: the record names another order")
    print(
        json.dumps(
            {
                "wakes": wakes,
                "years": round(wakes / 4 / 365.25, 2),
                "orders": world.made,
                "loads": use.loads,
                "changes": meter.changes,
                "erases per change": round(meter.change_erases / max(1, meter.changes), 3),
                "programs": flash.programs,
                "erases": flash.erases,
                "most worn block": max(flash.worn),
                "quiet wakes": meter.quiet,
                "flash operations in quiet wakes": meter.quiet_cost,
                "heap growth": growth,
                "files": sorted(os.listdir(ROOT)),
                "state": rec.state,
            }
        )
    )


main(int(sys.argv[1]))
