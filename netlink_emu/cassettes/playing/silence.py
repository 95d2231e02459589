"""Notice clients that wait for something unrecorded, and end their waits after a time."""

from __future__ import annotations

from collections.abc import Iterator
from errno import ETIMEDOUT
from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.trace import Observer

if TYPE_CHECKING:
    from netlink_emu.cassettes.playing.tape import Tape
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.skbuff import SkBuff


class Silence(Observer):
    """Whether anything has happened on the sockets that a cassette answers.

    It has no clock: its owner calls :meth:`broken` at intervals.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape: Final = tape
        self._protocols: Final = tape.protocols
        self._open: Final[dict[NetlinkSock, int]] = {}
        self._happened = True

    def socket_opened(self, sk: NetlinkSock, current: Current) -> None:
        """See Observer."""
        if sk.protocol in self._protocols:
            self._open[sk] = current.tgid_vnr
            self._happened = True

    def socket_closed(self, sk: NetlinkSock) -> None:
        """See Observer."""
        self._open.pop(sk, None)
        self._happened = True

    def sent(self, sk: NetlinkSock, skb: SkBuff, portid: int) -> None:
        """See Observer."""
        self._happened = True

    def queued(self, sk: NetlinkSock, skb: SkBuff) -> None:
        """See Observer."""
        self._happened = True

    def broken(self) -> bool:
        """Whether something has happened since the last call, or nobody can be waiting."""
        happened, self._happened = self._happened, False
        return happened or not any(self._waits(sk) for sk in self._open)

    def _waits(self, sk: NetlinkSock) -> bool:
        """Whether a socket has nothing to read, so that its client may be waiting."""
        return sk.bound and not sk.receive_queue and not sk.sk_err and not self._tape.held

    def end(self) -> Iterator[str]:
        """End the waits with ETIMEDOUT; returns a sentence for each."""
        for sk, pid in [*self._open.items()]:
            if self._waits(sk):
                yield f"process {pid} waits for more than was recorded: {self._tape.next_of(sk)}"
                sk.set_error(ETIMEDOUT)
