"""The TLS front: uvicorn's protocol, with a handle for answers that go wrong below HTTP."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "drs_sim.front"
_LINGER_S = 0.5  # for a peer that never answers the TLS close


class Front(HttpToolsProtocol):
    """One connection. A request finds it in `scope["extensions"]`; that is its whole cost."""

    def on_message_begin(self):
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: self}

    def shutdown(self):
        """End the connection with the server, a scripted delay included."""
        if self.cycle is None or self.cycle.response_complete:
            super().shutdown()
        else:
            self.drop()

    @property
    def gone(self) -> bool:
        """Whether the connection is closed or closing, by either side."""
        return self.transport.is_closing() or self.cycle.disconnected

    @property
    def is_free(self) -> bool:
        """Whether nothing else is in the way: no request behind this one, nobody slow to read."""
        return not self.pipeline and not self.flow.write_paused and not self.cycle.response_started

    def answer(self, data: bytes) -> None:
        """Give a whole answer in one write, where `is_free`; the connection goes on."""
        if not self.cycle.disconnected:
            self.transport.write(data)
        self.finish(self.cycle)

    def finish(self, cycle) -> None:
        """End an answer that is written; the connection goes on, if the client wants it to."""
        cycle.response_started = cycle.response_complete = True
        if cycle.disconnected:
            return
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def write(self, data: bytes) -> None:
        """Put bytes on the wire that HTTP knows nothing of; `finish` or `drop` afterwards."""
        self.transport.write(data)

    def drop(self) -> None:
        """Close the connection; what was not written by now is never sent."""
        self.cycle.disconnected = True  # uvicorn then misses no answer
        self.transport.close()
        self.loop.call_later(_LINGER_S, self.transport.abort)
