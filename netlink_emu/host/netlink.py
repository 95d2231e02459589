"""The host's own kernel, asked in the name of sockets of an emulated one, and noted.

Netlink answers a request while it is sent, and a dump as it is read: so when nothing is left to
read, all has been said but what comes by multicast.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from errno import EAGAIN
from typing import Final

from netlink_emu.cassettes import Answer, Bound, Event, Failed, Option, Request, Stream
from netlink_emu.cassettes.match import Rewriter
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.trace import Observer
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import SOL_NETLINK, NetlinkSockOpt

_BUFFER: Final = 1 << 20
_MOST_AT_ONCE: Final = 100_000  # datagrams: a group that never falls silent
_INT: Final = struct.Struct("=i")
# What a socket's options are here, which change what the kernel says.
_OPTIONS: Final = {
    NetlinkSockOpt.NETLINK_CAP_ACK: "cap_ack",
    NetlinkSockOpt.NETLINK_EXT_ACK: "ext_ack",
    NetlinkSockOpt.NETLINK_GET_STRICT_CHK: "strict_chk",
    NetlinkSockOpt.NETLINK_LISTEN_ALL_NSID: "listen_all_nsid",
}


class HostNetlink(Observer):
    """The host's sockets behind emulated ones: what a tape asks as its ``Live``."""

    def __init__(self) -> None:
        self._open: Final[dict[NetlinkSock, _Behind]] = {}
        self._all: Final[list[_Behind]] = []
        self._buffer: Final = bytearray(_BUFFER)

    def ask(self, sk: NetlinkSock, data: bytes) -> Sequence[Event]:
        """Send a request; all that came of it at once."""
        behind = self._behind(sk)
        behind.follow()
        if not behind.send(data):
            return behind.events[-1:]
        return [*behind.receive(self._buffer)]

    def news(self) -> Iterator[tuple[NetlinkSock, Event]]:
        """What has arrived by itself since; sockets that have joined groups are here from now."""
        for sk, behind in [*self._open.items()]:
            behind.follow()
            for event in behind.receive(self._buffer):
                yield sk, event

    def groups_changed(self, sk: NetlinkSock, joined: int, left: int) -> None:
        """See Observer. One that is a member in name only (Shadows) has no socket here."""
        if sk.groups or sk in self._open:
            self._behind(sk).follow()

    def socket_closed(self, sk: NetlinkSock) -> None:
        """See Observer."""
        behind = self._open.pop(sk, None)
        if behind is not None:
            behind.close()

    def close(self) -> None:
        """Close all of them."""
        for sk in [*self._open]:
            self.socket_closed(sk)

    @property
    def streams(self) -> tuple[Stream, ...]:
        """What has passed, a stream for each socket that asked or heard something."""
        return tuple(behind.stream for behind in self._all if behind.used)

    def _behind(self, sk: NetlinkSock) -> _Behind:
        behind = self._open.get(sk)
        if behind is None:
            behind = self._open[sk] = _Behind(sk)
            self._all.append(behind)
        return behind


class _Behind:
    """A socket of the host. ``events`` have its numbers, what it gives those of ``sk``."""

    def __init__(self, sk: NetlinkSock) -> None:
        self._sk: Final = sk
        self._comm: Final = "" if sk.creator.comm is None else sk.creator.comm()
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._sock: Final = socket.socket(socket.AF_NETLINK, kind, sk.protocol)
        self._sock.bind((0, 0))
        self._portid: Final[int] = self._sock.getsockname()[0]
        self._set: Final[set[int]] = set()
        self._joined: Final[list[int]] = []
        self._asked = time.monotonic()
        self.events: Final[list[Event]] = [Bound(self._portid)]

    def close(self) -> None:
        self._sock.close()

    @property
    def used(self) -> bool:
        return any(isinstance(event, Request | Answer) for event in self.events)

    @property
    def stream(self) -> Stream:
        return Stream(self._sk.protocol, self._sk.type, self._comm, tuple(self.events))

    def follow(self) -> None:
        """Take over the options and groups that the emulated socket has by now."""
        for option, attribute in _OPTIONS.items():
            if option not in self._set and getattr(self._sk, attribute):
                self._set.add(option)
                self._option(option, 1)
        groups = [g + 1 for g in range(self._sk.groups.bit_length()) if self._sk.groups >> g & 1]
        news = [group for group in groups if group not in self._joined]
        for group in news:
            self._joined.append(group)
            self._option(NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP, group)
        if news:
            low = tuple(sorted(group for group in self._joined if group <= 32))
            self.events.append(Bound(self._portid, low))

    def _option(self, option: int, value: int) -> None:
        with contextlib.suppress(OSError):  # the emulated socket has it, whoever may have it here
            self._sock.setsockopt(SOL_NETLINK, option, value)
            self.events.append(Option(SOL_NETLINK, option, _INT.pack(value)))

    def send(self, data: bytes) -> bool:
        """Whether it could be sent; else the last of ``events`` says why not."""
        own = Rewriter(HOST_ORDER, {self._sk.portid: self._portid}, {}).rewrite(data)
        self._asked = time.monotonic()
        self.events.append(Request(own))
        try:
            self._sock.send(own)
        except OSError as exc:
            self.events.append(Failed("sendto", exc.errno or 0))
            return False
        return True

    def receive(self, buffer: bytearray) -> Iterator[Event]:
        """What is there, for the emulated socket."""
        rewriter = Rewriter(HOST_ORDER, {self._portid: self._sk.portid}, {})
        for _ in range(_MOST_AT_ONCE):
            event: Event
            try:
                size, (portid, mask) = self._sock.recvfrom_into(buffer)
            except OSError as exc:
                if exc.errno == EAGAIN:
                    return
                event = Failed("recvmsg", exc.errno or 0)
                self.events.append(event)
                yield event
                continue
            data, group = bytes(buffer[:size]), self._group(mask)
            after = round((time.monotonic() - self._asked) * 1000) if group else 0
            self.events.append(Answer(data, portid, group, after))
            yield Answer(rewriter.rewrite(data), portid, group, after)

    def _group(self, mask: int) -> int:
        """The group that an address stands for: it has the number modulo 32."""
        bit = mask.bit_length()
        return next((group for group in self._joined if bit and (group - bit) % 32 == 0), bit)
