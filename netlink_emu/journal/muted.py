"""The sockets that a journal leaves out: those that talk to a muted family only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from netlink_emu.journal.entry import Entry
from netlink_emu.protocol.genetlink import GENL_ID_CTRL

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.kernel import Kernel

Made = Callable[..., Entry]  # an entry, given its peer, number and time


class Muted:
    """``families`` are the numbers of the muted families: those that control the emulator.

    A socket is silent once it has sent such a family something. Until a socket sends anything,
    :meth:`wait` keeps what it did, and :meth:`heard` tells it if the socket is a client's.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel: Final = kernel
        self.families: Final[set[int]] = set()
        self._silent: set[NetlinkSock] = set()
        self._unsure: dict[NetlinkSock, list[tuple[int, Made]]] = {}
        self._known: set[NetlinkSock] = set()

    def is_silent(self, sk: NetlinkSock) -> bool:
        """Whether the socket has talked to a muted family."""
        return sk in self._silent

    def is_unsure(self, sk: NetlinkSock) -> bool:
        """Whether it is not known yet what the socket is for."""
        return bool(self.families) and sk not in self._known

    def wait(self, sk: NetlinkSock, made: Made) -> None:
        """Keep what an unsure socket did now."""
        now = self._kernel.machine.clock.monotonic_ns()
        self._unsure.setdefault(sk, []).append((now, made))

    def silence(self, sk: NetlinkSock) -> None:
        """The socket has sent something to a muted family."""
        self._silent.add(sk)

    def heard(self, sk: NetlinkSock) -> list[tuple[int, Made]]:
        """The socket is a client's: what it did before, each with its time."""
        self._silent.discard(sk)
        self._known.add(sk)
        return self._unsure.pop(sk, [])

    def closed(self, sk: NetlinkSock) -> None:
        """Forget the socket."""
        self._silent.discard(sk)
        self._known.discard(sk)
        self._unsure.pop(sk, None)

    def hides(self, sk: NetlinkSock, data: bytes) -> bool:
        """Whether a datagram for the socket is left out."""
        return sk in self._silent or (bool(self.families) and self._type(data) in self.families)

    def is_mute(self, data: bytes) -> bool:
        """Whether a datagram is for a muted family, or asks for the number of one."""
        if not self.families:
            return False
        kind = self._type(data)
        if kind in self.families:
            return True
        families = self._kernel.genl.families
        names = (families[number].name for number in self.families if number in families)
        return kind == GENL_ID_CTRL and any(name.encode() + b"\0" in data for name in names)

    def _type(self, data: bytes) -> int:
        return int.from_bytes(data[4:6], self._kernel.profile.arch.order.name)
