"""Drives lowtide.https in whichever interpreter runs it; the order comes as JSON, so do results.

Started by test_https.py with the firmware on the path. One line per step: `["ok", status, body]`
or `["Insecure" | "Fault", text]`; the first failure ends it.
"""

import asyncio
import json
import sys

from lowtide import https
from lowtide.outcome import Fault


def tell(*result):
    """Print one result."""
    print(json.dumps(result))


async def main(order):
    """Load the roots, connect, and send each request in turn."""
    connection = None
    try:
        context = https.load_roots(order["roots"])
        connection = https.Connection(context, order["host"], order["port"], order["timeout_s"])
        await connection.open()
        for method, target, body in order["requests"]:
            status, _, content = await connection.request(
                method, target, (("Authorization", "Bearer s3cr3t"),), body.encode()
            )
            tell("ok", status, content.decode())
    except Fault as e:
        tell(type(e).__name__, str(e))
    finally:
        if connection is not None:
            connection.close()


asyncio.run(main(json.loads(sys.argv[1])))
