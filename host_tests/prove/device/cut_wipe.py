"""Cuts the power at the flash operations of a factory reset, and lets it be typed again.

Run by MicroPython; prints one JSON object. Argument: the share of operations that is tried (1 in
n), beside the first ones, which remove the files; and "bad" for a build that removes the order
record before the settings.
"""

import gc
import json
import sys

from bin_and_service import SETTINGS, Broken, World, boot
from ram_flash import ROOT, Flash, PowerCut, formatted

from lowtide import wipe as module
from lowtide.store import Store
from lowtide.wipe import wipe

PIECE = 8
REMOVING = 20
SECRET = "Atzr|" + "".join("%04x" % (n * 7919 & 0xFFFF) for n in range(90))
COUNTS = {"operations": 0, "cut": 0, "still whole": 0, "blank": 0}


def configured():
    """Return the image of a device with settings, an open order and use of its own."""
    flash = Flash(formatted())
    world = World()
    device = boot(world, flash)
    for name, value in SETTINGS:
        device.config.update({name: value})
    device.config.update({"lwa.refresh_token": SECRET})
    device.agent.orders.sending(world.now, False, 100)
    device.agent.orders.answered("STANDARD_ORDER_PLACED", world.id_of(1), world.now, False)
    device.agent.persist()
    Store(ROOT + "/use.rec").save(bytes(range(20)))
    return bytes(flash.data)


def reset(flash):
    """Type `factory-reset` at a device with this flash."""
    device = boot(World(), flash)
    wipe(device.config, flash, lambda: None, ROOT + "/")


def hold(flash):
    """Start after a cut: all is there still, or there are no settings and nothing is bought."""
    device = boot(World(), flash)
    if device.config.fault:
        raise Broken(device.config.fault)
    if device.config.present:
        if device.config["lwa.refresh_token"] != SECRET or device.agent.orders.state != "placed":
            raise Broken("settings or order in part")
        COUNTS["still whole"] += 1
        return
    if not device.config.missing() or device.agent.verdict(device.time_s(), True).may:
        raise Broken("without its settings it would order")
    COUNTS["blank"] += 1


def clean(flash):
    """Look for the token in the raw flash, a piece at a time."""
    for at in range(len(SECRET) - PIECE + 1):
        if SECRET[at : at + PIECE].encode() in flash.data:
            raise Broken("a piece of the token is left")


def main(share):
    """Prove it; print what was covered, or what broke."""
    gc.disable()
    image, failure, at, kind = configured(), None, 0, 0
    flash = Flash(image)
    if SECRET[:PIECE].encode() not in flash.data:
        raise Broken("there was nothing to wipe")
    try:
        reset(flash)
        clean(flash)
        COUNTS["operations"] = flash.operations
        for at in range(1, COUNTS["operations"] + 1):
            for kind in range(3) if at <= REMOVING or not at % share else ():
                flash = Flash(image)
                flash.cut_at, flash.kind = at, kind
                try:
                    reset(flash)
                except (PowerCut, OSError):
                    # `with` closes the file on the dead flash, which may be another error.
                    if not flash.dead:
                        raise
                if not flash.dead:
                    raise Broken("it took another way")
                COUNTS["cut"] += 1
                flash = Flash(flash.data)
                hold(flash)
                reset(flash)
                clean(flash)
    except (Broken, OSError) as e:
        failure = "operation %d, kind %d: %s" % (at, kind, e)
    print(json.dumps({"counts": COUNTS, "failure": failure}))


if sys.argv[2:] == ["bad"]:
    module.sorted = lambda names: sorted(names, reverse=True)
main(int(sys.argv[1]))
