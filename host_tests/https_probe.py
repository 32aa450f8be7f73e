"""Drives lowtide.https in whichever interpreter runs it; cases come as JSON, so do results.

Started by tls_kit.run with the firmware on the path: see there.
"""

import asyncio
import json
import sys

from lowtide import Fault, https

connect = asyncio.open_connection
addresses = {}


def resolved(host, port, **how):
    """Connect to where the case on this port says that its host is."""
    return connect(addresses[port] or host, port, **how)


async def tried(case):
    """Load the roots, connect, send each request in turn; return what came of each."""
    addresses[case["port"]] = case["address"]
    results = []
    connection = None
    try:
        context = https.load_roots(case["roots"])
        connection = https.Connection(context, case["host"], case["port"], case["timeout_s"])
        for method, target in case["requests"]:
            status, _, body = await connection.request(
                method, target, (("Authorization", "Bearer s3cr3t"),)
            )
            results.append(("ok", status, body.decode()))
    except Fault as e:
        results.append((type(e).__name__, str(e)))
    finally:
        if connection is not None:
            connection.close()
    return results


async def main(cases, at_once):
    """Print one line a case."""
    for first in range(0, len(cases), at_once):
        batch = [tried(case) for case in cases[first : first + at_once]]
        for results in await asyncio.gather(*batch):
            print(json.dumps(results))


https.asyncio.open_connection = resolved
asyncio.run(main(*json.loads(sys.stdin.read())))
