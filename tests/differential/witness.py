"""Sees every exit on the machine: whether others' tasks ended while a sequence was carried out.

Their events go to the sequence's listeners as well, and fill small buffers; a difference counts
only if there were none.
"""

from __future__ import annotations

import re
import socket
import struct
from typing import Final

from netlink_emu.conformance.cases.structure import stats_blocks
from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.genetlink import GENLMSGHDR, GenlMsgHdr
from netlink_emu.protocol.netlink import (
    AF_NETLINK,
    NETLINK_GENERIC,
    NLM_F_ACK,
    NLM_F_REQUEST,
    NLMSG_HDRLEN,
    NLMSGHDR,
    NlMsgHdr,
)
from netlink_emu.protocol.taskstats import TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, TASKSTATS_CMD_GET

_SO_RCVBUFFORCE: Final = 33
_ROOM: Final = 16 << 20  # bytes
_OURS: Final = re.compile(rb"fuzz-|c\d+\.t\d|main\0")  # what tasks of sequences are called


class Witness:
    """A listener of its own; open and close it with ``with``."""

    def __init__(self, family_id: int) -> None:
        self._sock = socket.socket(AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self._sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, struct.pack("=I", _ROOM))
        attributes = AttrWriter(HOST_ORDER)
        attributes.put_string(TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, "all")
        body = GENLMSGHDR[HOST_ORDER].encode(GenlMsgHdr(TASKSTATS_CMD_GET, 1, 0))
        body += bytes(attributes.data)
        flags = NLM_F_REQUEST | NLM_F_ACK
        header = NlMsgHdr(NLMSG_HDRLEN + len(body), family_id, flags, 1, 0)
        self._sock.send(NLMSGHDR[HOST_ORDER].encode(header) + body)
        self._sock.recv(4096)
        self._sock.settimeout(0)

    def __enter__(self) -> Witness:
        return self

    def __exit__(self, *exc: object) -> None:
        self._sock.close()

    def others(self) -> int:
        """How many tasks of others have ended since this was asked last."""
        count = 0
        while True:
            try:
                data = self._sock.recv(65536)
            except BlockingIOError:
                return count
            except OSError:  # ENOBUFS: more than there was room for
                count += 1
                continue
            for block in stats_blocks(data, HOST_ORDER):
                comm = block.layout.codec(HOST_ORDER).decode(data, block.offset).get("ac_comm")
                if not block.group and isinstance(comm, bytes) and not _OURS.match(comm):
                    count += 1
