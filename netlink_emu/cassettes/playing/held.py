"""Messages that wait: for room in the socket's buffer, for their turn, or for their time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from netlink_emu.cassettes.match import messages
from netlink_emu.cassettes.model import Answer, Failed
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.protocol.netlink import NLM_F_MULTI, nlmsg_align

_NS: Final = 1_000_000  # in a millisecond


@dataclass(frozen=True, slots=True)
class _News:
    """A multicast message that waits for its time, in ns on the machine's clock."""

    due_ns: int
    sk: NetlinkSock
    event: Answer
    data: bytes


class Held:
    """Multicast messages that wait: for :meth:`emit`, or for their time."""

    def __init__(self, arrive: Callable[[NetlinkSock, Answer, bytes], None]) -> None:
        self._arrive: Final = arrive
        self._waiting: Final[list[_News]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, sk: NetlinkSock, event: Answer, data: bytes, now_ns: int) -> None:
        """Keep a message, for as many milliseconds as it came after its request."""
        self._waiting.append(_News(now_ns + event.after * _NS, sk, event, data))

    def emit(self, count: int | None = None) -> int:
        """Deliver this many messages, or all; returns how many."""
        found = self._waiting[:count]
        del self._waiting[: len(found)]
        for news in found:
            if not news.sk.closed:
                self._arrive(news.sk, news.event, news.data)
        return len(found)

    @property
    def next_ns(self) -> int | None:
        """The time of the next message, on the machine's clock."""
        return min((news.due_ns for news in self._waiting), default=None)

    def run_due(self, now_ns: int) -> None:
        """Deliver the messages that are due."""
        self._waiting.sort(key=lambda news: news.due_ns)  # those of one time stay in order
        self.emit(sum(news.due_ns <= now_ns for news in self._waiting))


class Rest:
    """What a socket has no room for yet; it takes the place of a dump in progress."""

    def __init__(self, goodsize: int) -> None:
        self._goodsize: Final = goodsize
        self._left: Final[deque[tuple[Answer | Failed, bytes]]] = deque()

    def add(self, event: Answer | Failed, data: bytes = b"") -> None:
        self._left.append((event, data))

    def go_on(self, sk: NetlinkSock) -> None:
        """Queue what fits; the rest follows when the client receives something.

        An error, which a receive reports before what is queued, comes when all before it is read.
        """
        while self._left:
            event, data = self._left[0]
            if isinstance(event, Failed):
                if sk.receive_queue:
                    break
                self._left.popleft()
                sk.set_error(event.errno)
                continue
            if event.group:
                self._left.popleft()
                skb = SkBuff(
                    data, sk.kernel.skb.alloc_truesize(len(data)), event.portid, event.group
                )
                if not sk.deliver(skb):
                    sk.overrun()
                continue
            if sk.rmem_alloc and sk.rmem_alloc > sk.rcvbuf // 2:
                break
            self._left.popleft()
            for part in self._cut(data, max(self._goodsize, sk.max_recvmsg_len), sk):
                sk.queue_dump(SkBuff(part, sk.kernel.skb.alloc_truesize(len(part)), event.portid))
        sk.dump = self if self._left else None

    def _cut(self, data: bytes, room: int, sk: NetlinkSock) -> Sequence[bytes]:
        """Split a dump's datagram as a kernel does for a reader with small buffers."""
        if len(data) <= room:
            return (data,)
        parts, part = [], bytearray()
        for start, header in messages(data, sk.kernel.profile.arch.order):
            if not header.nlmsg_flags & NLM_F_MULTI:
                return (data,)
            message = data[start : start + nlmsg_align(header.nlmsg_len)]
            if part and len(part) + len(message) > room:
                parts.append(bytes(part))
                part = bytearray()
            part += message
        return (*parts, bytes(part)) if part else (data,)
