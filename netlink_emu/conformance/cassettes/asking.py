"""A socket of this machine's kernel that asks what a recorded one asked."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Sequence
from typing import Final

from netlink_emu.cassettes import Answer, Bound, Event, Failed, Option, Request, Stream
from netlink_emu.cassettes.match import Rewriter, messages
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import (
    NLM_F_MULTI,
    NLMSG_DONE,
    NLMSG_ERROR,
    SOL_NETLINK,
    NetlinkSockOpt,
)

_LONGEST: Final = 1 << 20
_MOST_AT_ONCE: Final = 100_000  # datagrams
_PATIENCE: Final = 5.0  # seconds for an answer that was recorded
# What changes the kernel's answers. The rest of a client's options is between it and its socket.
_OPTIONS: Final = frozenset(
    {
        NetlinkSockOpt.NETLINK_CAP_ACK,
        NetlinkSockOpt.NETLINK_EXT_ACK,
        NetlinkSockOpt.NETLINK_GET_STRICT_CHK,
    }
)


class Asking:
    """One socket; ``events`` are what passes on it, as a recorder notes it."""

    def __init__(self, stream: Stream) -> None:
        kind = stream.type | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._sock: Final = socket.socket(socket.AF_NETLINK, kind, stream.protocol)
        self._sock.bind((0, 0))
        self._portid: Final[int] = self._sock.getsockname()[0]
        recorded = [event.portid for event in stream.events if isinstance(event, Bound)]
        self._rewriter: Final = Rewriter(HOST_ORDER, dict.fromkeys(recorded, self._portid), {})
        self.events: Final[list[Event]] = [Bound(self._portid)]

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._sock.close()

    def option(self, option: Option) -> None:
        """Set it, if it changes what the kernel answers."""
        if option.level == SOL_NETLINK and option.name in _OPTIONS:
            with contextlib.suppress(OSError):  # an older kernel has it not, and answers so
                self._sock.setsockopt(option.level, option.name, option.value)
                self.events.append(option)

    def ask(self, data: bytes, *, answered: bool) -> Sequence[Event]:
        """What came of a request; where it was ``answered`` once, an answer is waited for."""
        own = self._rewriter.rewrite(data)
        before = len(self.events) + 1
        self.events.append(Request(own))
        try:
            self._sock.send(own)
        except OSError as exc:
            self.events.append(Failed("sendto", exc.errno or 0))
            return self.events[before:]
        deadline = time.monotonic() + _PATIENCE
        for _ in range(_MOST_AT_ONCE):
            try:
                self.events.append(Answer(*self._receive()))
            except BlockingIOError:
                if not answered or _is_whole(self.events[before:]):
                    break
                left = deadline - time.monotonic()
                if left <= 0 or not self._wait(left):
                    break
            except OSError as exc:
                self.events.append(Failed("recvmsg", exc.errno or 0))
        return self.events[before:]

    def _receive(self) -> tuple[bytes, int, int]:
        data, (portid, mask) = self._sock.recvfrom(_LONGEST)
        return data, portid, int(mask).bit_length()

    def _wait(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(seconds * 1000))


def _is_whole(events: Sequence[Event]) -> bool:
    """Whether there is an answer, and a dump has its end."""
    found = [
        header
        for event in events
        if isinstance(event, Answer)
        for _, header in messages(event.data, HOST_ORDER)
    ]
    many = any(header.nlmsg_flags & NLM_F_MULTI for header in found)
    ended = any(header.nlmsg_type in (NLMSG_DONE, NLMSG_ERROR) for header in found)
    return bool(found) and (ended or not many)
