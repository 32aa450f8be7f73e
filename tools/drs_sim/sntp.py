"""SNTP (RFC 4330) from the virtual calendar."""

import asyncio
import struct

_NTP_EPOCH_S = 2_208_988_800  # 1900-01-01 to 1970-01-01
_PACKET = struct.Struct("!BBbb11I")
_MODE_CLIENT = 3
_MODE_SERVER = 4


class SntpServer(asyncio.DatagramProtocol):
    """Answers client packets as a stratum 1 server; ignores everything else."""

    def __init__(self, now_ms):
        self._now_ms = now_ms
        self._transport = None

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, addr):
        packet = answer(data, self._now_ms())
        if packet is not None:
            self._transport.sendto(packet, addr)


def answer(request: bytes, now_ms: int) -> bytes | None:
    """Return the answer to one packet, or None if it is not a client's."""
    if len(request) < _PACKET.size or request[0] & 7 != _MODE_CLIENT:
        return None
    version = request[0] >> 3 & 7
    originate = struct.unpack_from("!II", request, 40)
    # Seconds count from 1900 and wrap in 2036 (era 1), as real servers' do.
    now = ((now_ms // 1000 + _NTP_EPOCH_S) & 0xFFFFFFFF, (now_ms % 1000 << 32) // 1000)
    reference_id = int.from_bytes(b"LOCL")
    head = (version << 3 | _MODE_SERVER, 1, request[2] & 0x7F, -10)
    return _PACKET.pack(*head, 0, 0, reference_id, *now, *originate, *now, *now)
