"""Delivers the topic's messages: each subscriber in its turn, none waiting for another."""

import asyncio
import json

import httpx

_TIMEOUT_S = 15.0
_LOOK_S = 0.1
_AT_ONCE = 16


class Courier:
    """One task at most for a subscriber; the calendar says when a retry is due."""

    def __init__(self, sim):
        self._sim = sim
        self._rounds = {}
        self._client = None

    async def run(self) -> None:
        """Deliver until the calendar is closed."""
        clock, topic = self._sim.clock, self._sim.topic
        async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S) as self._client:
            while not clock.closed:
                topic.queued.clear()
                for subscriber_id in topic.waiting(clock.now_ms()):
                    if subscriber_id not in self._rounds and len(self._rounds) < _AT_ONCE:
                        self._start(subscriber_id)
                await _wait(topic.queued)
            for task in self._rounds.values():
                task.cancel()
            await asyncio.gather(*self._rounds.values(), return_exceptions=True)

    def _start(self, subscriber_id):
        task = asyncio.get_running_loop().create_task(self._round(subscriber_id))
        self._rounds[subscriber_id] = task
        task.add_done_callback(lambda _: self._rounds.pop(subscriber_id, None))

    async def _round(self, subscriber_id):
        clock, topic = self._sim.clock, self._sim.topic
        while (delivery := topic.next_delivery(subscriber_id, clock.now_ms())) is not None:
            status, accepted = await self._post(delivery)
            with self._sim.step() as now_ms:
                topic.settle(delivery, status, accepted, now_ms)

    async def _post(self, delivery):
        """Return what came of one attempt: a word for it, and whether SNS takes it for a yes."""
        topic = self._sim.topic
        content = json.dumps(topic.message(delivery)).encode()
        headers = topic.press.headers(delivery)
        try:
            request = self._client.build_request(
                "POST", delivery["endpoint"], content=content, headers=headers
            )
            async with asyncio.timeout(_TIMEOUT_S):
                answer = await self._client.send(request, stream=True)
                await answer.aclose()  # nobody reads the body
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            return type(error).__name__, False
        return str(answer.status_code), 200 <= answer.status_code < 500


async def _wait(event):
    try:
        await asyncio.wait_for(event.wait(), _LOOK_S)
    except TimeoutError:
        return
