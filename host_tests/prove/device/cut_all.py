"""Cuts the power at every flash operation of a life, and again at every one of the recovery.

Run by MicroPython; prints one JSON object. Arguments: how many kinds of second cuts (0 to 3), the
share of second cuts that is tried (1 in n), and the known-bad build to be, if any.
"""

import gc
import json
import sys

import bad_stores
from bin_and_service import Broken, World, boot
from ram_flash import ROOT, Flash, PowerCut, formatted, mount
from story_of_a_life import LIFE

from lowtide.orders import Orders
from lowtide.store import Store

COUNTS = {"operations": 0, "cut once": 0, "cut twice": 0, "boots": 0, "damaged": 0}


def check(step, world, flash):
    """Hold the books against the record at the end of a step."""
    mount(flash)
    payload = Store(ROOT + "/order.rec").load()
    if not payload:
        raise Broken("the record does not check out: %s" % payload)
    rec = Orders(None, payload)
    if world.made != step.made:
        word = "DUPLICATE" if world.made > step.made else "STUCK"
        raise Broken("%s: %d orders, not %d" % (word, world.made, step.made))
    if rec.state not in step.states:
        raise Broken("LOST: the record says " + rec.state)
    if rec.state not in ("none", "attempt") and rec.event_id != world.id_of(world.number):
        raise Broken("LOST: the record names another order")


def payloads_of(step, world, kept, image):
    """Run a step uncut; return every content that its record had, and the operations it took."""
    world.back(kept)
    flash = Flash(image)
    seen = []
    save = Store.save

    def noting(store, payload):
        if store.path.endswith("order.rec"):
            seen.append(bytes(payload))
        return save(store, payload)

    mount(flash)
    seen.append(Store(ROOT + "/order.rec").load())
    Store.save = noting
    try:
        step.live(world, flash)
    finally:
        Store.save = save
    return seen, flash.operations


def cut(step, world, flash, at, kind):
    """Live through a step with a cut; the flash as it is afterwards, None if it did not come."""
    flash.cut_at, flash.kind = flash.operations + at, kind
    try:
        step.live(world, flash)
    except PowerCut:
        world.power_off()
        return Flash(flash.data)
    return None


def old_or_new(flash, seen):
    """The record must be one that was there before or was written in this step."""
    COUNTS["boots"] += 1
    mount(flash)
    payload = Store(ROOT + "/order.rec").load()
    if payload not in seen:
        raise Broken("neither old nor new: %s" % payload)


def prove_step(number, kept, image, second, share):
    """Cut one step everywhere. Return the world and the image after it, uncut."""
    step, world = LIFE[number], World()
    world.back(kept)
    step.begin(world)
    begun = world.keep()
    seen, operations = payloads_of(step, world, begun, image)
    COUNTS["operations"] += operations
    for at in range(1, operations + 1):
        for kind in range(3):
            world.back(begun)
            flash = cut(step, world, Flash(image), at, kind)
            COUNTS["cut once"] += 1
            old_or_new(flash, seen)
            after, cut_image = world.keep(), bytes(flash.data)
            step.live(world, flash)
            check(step, world, flash)
            recovery = flash.operations
            go_on(number + 1, world, flash)
            cut_again(step, world, after, cut_image, recovery, second, share)
    world.back(begun)
    flash = Flash(image)
    step.live(world, flash)
    check(step, world, flash)
    return world.keep(), bytes(flash.data)


def cut_again(step, world, kept, image, operations, second, share):
    """Cut the recovery at every operation, and let it recover from that."""
    for at in range(1, operations + 1):
        for kind in range(second):
            if (at + kind + COUNTS["cut once"]) % share:
                continue
            world.back(kept)
            flash = cut(step, world, Flash(image), at, kind)
            if flash is None:
                raise Broken("the recovery took another way")
            COUNTS["cut twice"] += 1
            COUNTS["boots"] += 1
            mount(flash)
            if step is not LIFE[0] and not Store(ROOT + "/order.rec").load():
                raise Broken("the record is gone after a second cut")
            step.live(world, flash)
            check(step, world, flash)


def go_on(number, world, flash):
    """Live the rest of the life after a cut: nothing may come of it later."""
    for step in LIFE[number : number + 4]:
        step.begin(world)
        step.live(world, flash)
        check(step, world, flash)


def prove_damage(number, kept, image):
    """Flip bits of the record through the file system: it must count as doubt, never as `none`."""
    world = World()
    mount(Flash(image))
    with open(ROOT + "/order.rec", "rb") as f:
        good = f.read()
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1 << (at & 7)
        for content in (bytes(bad), good[:at]):
            flash = Flash(image)
            mount(flash)
            with open(ROOT + "/order.rec", "wb") as f:
                f.write(content)
            world.back(kept)
            world.power_off()
            rec = boot(world, flash).agent.orders
            COUNTS["damaged"] += 1
            if (rec.state, rec.attempt_at, rec.event_id) != ("attempt", 0, ""):
                raise Broken("damage at byte %d of step %d was believed" % (at, number))


def main(second, share, build):
    """Prove the life; print what was covered, or what broke."""
    gc.disable()
    if build:
        bad_stores.become(build)
    kept, image = World().keep(), bytes(formatted())
    failure = None
    number = 0
    try:
        for number in range(len(LIFE)):
            kept, image = prove_step(number, kept, image, second, share)
            if number > 1:
                prove_damage(number, kept, image)
    except Broken as e:
        failure = "%s: %s" % (LIFE[number].name, e)
    COUNTS["steps"] = len(LIFE)
    print(json.dumps({"counts": COUNTS, "failure": failure}))


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
