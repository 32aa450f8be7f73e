"""The way from the board through its Wi-Fi: bytes wait here while there is no link.

The board's look-ups answer with a port of this relay, so that what the air does happens to its
connections too. Only a board that was given `--air` goes this way.
"""

import asyncio
import socket
import struct
import threading

from tools.virtual_board.radio import Radio

_LOOK_S = 0.02
_UDP_S = 10  # how long an answer to a datagram may take


class Relay:
    """Runs in a thread of its own, for as long as the tool does."""

    def __init__(self, radio: Radio):
        self._radio = radio
        self._ports: dict[tuple[str, int, int], int] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="relay").start()

    def look_up(self, payload: bytes) -> bytes:
        """Answers `getaddrinfo`: milliseconds to block (-1: for ever), local port, error."""
        host, port, kind = payload.decode().split("\0")
        wait_ms, error = self._radio.look_up(host)
        local = 0 if error or wait_ms < 0 else self._port(host, int(port), int(kind))
        return b"%d %d %d" % (wait_ms, local, error)

    def _port(self, *target) -> int:
        if target not in self._ports:
            listening = asyncio.run_coroutine_threadsafe(self._listen(*target), self._loop)
            self._ports[target] = listening.result()
        return self._ports[target]

    async def _listen(self, host: str, port: int, kind: int) -> int:
        if kind == socket.SOCK_DGRAM:
            transport, _ = await self._loop.create_datagram_endpoint(
                lambda: _Datagrams(self._radio, (host, port)), local_addr=("127.0.0.1", 0)
            )
            return transport.get_extra_info("sockname")[1]

        async def serve(reader, writer):
            await self._connect(host, port, reader, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        return server.sockets[0].getsockname()[1]

    async def _connect(self, host, port, reader, writer) -> None:
        session = self._radio.session
        try:
            await self._link(session)
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            _reset(writer)
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(session, reader, far_writer))
                both.create_task(self._pump(session, far_reader, writer))
        except* OSError:
            _reset(writer)
            _reset(far_writer)
        writer.close()
        far_writer.close()

    async def _pump(self, session: int, reader, writer) -> None:
        while data := await reader.read(65536):
            while data:
                await self._link(session)
                size = self._radio.carry(len(data))
                writer.write(data[:size])
                await writer.drain()
                data = data[size:]
        await self._link(session)
        writer.write_eof()

    async def _link(self, session: int) -> None:
        """Waits for a link.

        Raises:
            ConnectionAbortedError: the radio was switched off, so the connection is no more.
        """
        while self._radio.session == session and not self._radio.is_through():
            await asyncio.sleep(_LOOK_S)
        if self._radio.session != session:
            raise ConnectionAbortedError


def _reset(writer) -> None:
    """Ends a connection with RST: an EOF would look like the end of an answer."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    """Datagrams that the air does not carry whole are lost."""

    def __init__(self, radio: Radio, target, back=None):
        self._radio = radio
        self._target = target  # where to pass datagrams on, from a socket to each sender,
        self._back = back  # or how to send an answer back
        self._tasks: set[asyncio.Task] = set()  # which asyncio itself does not keep

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, source) -> None:
        if self._radio.carry(len(data)) < len(data):
            return
        if self._back:
            self._back(data)
        else:
            task = asyncio.ensure_future(self._pass_on(data, source))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, data: bytes, source) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(
                self._radio, None, lambda answer: self._transport.sendto(answer, source)
            ),
            remote_addr=self._target,
        )
        transport.sendto(data)
        loop.call_later(_UDP_S, transport.close)
