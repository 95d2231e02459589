"""A stopped system call, as its handler sees it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from errno import EFAULT
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final

from netlink_emu.interpose.client.memory import ClientGone, ClientMemory, Noted, Sight
from netlink_emu.interpose.filter.seccomp import Notification
from netlink_emu.protocol.errors import NetlinkError


class Outcome(enum.Enum):
    """What a handler may return instead of the call's result."""

    PASS = "let the host's kernel do it"
    ANSWERED = "answered already"


_NEAR: Final = 512  # larger reads are exact
_FEW: Final = 8  # pieces


# Places of something by its address and size.
_NOWHERE: Final[Mapping[tuple[int, int], slice]] = MappingProxyType({})


class Trap:
    """One stopped call: its arguments as C types, and its thread's memory.

    The methods that touch memory raise NetlinkError(EFAULT), ClientGone or ClientSealed. A tid
    is some other's when its thread was killed meanwhile: ``is_waiting`` (of the call's id) is
    asked behind each read, whose bytes are of no use then, and before each write.

    A program that makes a call again mostly has its arguments where they were: what the last
    one read is read at once, in one transfer.
    """

    # Whether what is read serves nothing but a write, before which it is asked in any case.
    only_writes = False
    _sight: Sight | None = None
    _places: Mapping[tuple[int, int], slice] = _NOWHERE
    _seen = b""
    _discovered = False

    def __init__(
        self,
        notification: Notification,
        memory: ClientMemory,
        is_waiting: Callable[[int], bool] = lambda _id: True,
    ) -> None:
        self.id, self.tid, _, self.nr, self.arch, _, *self.args = notification
        # The first argument, as the descriptor that it is in most calls.
        self.fd: Final = ((self.args[0] & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000
        self._memory = memory
        self._is_waiting = is_waiting

    def int_arg(self, number: int) -> int:
        """An argument of type int."""
        return ((self.args[number] & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000

    def unsigned_arg(self, number: int) -> int:
        """An argument of type unsigned int."""
        return self.args[number] & 0xFFFFFFFF

    def long_arg(self, number: int) -> int:
        """An argument of type size_t, or a pointer."""
        return self.args[number]

    def read(self, address: int, size: int) -> bytes:
        """Read memory; what stands near an earlier read comes from that."""
        at = self._places.get((address, size))
        if at is None:
            if not size:
                return b""
            at = self._find(address, size)
        return self._seen[at]

    def _find(self, address: int, size: int) -> slice:
        """Where it is in what has been seen, or is seen now."""
        sight = self._sight
        if sight is not None:
            at = sight.find(address, size, len(self._seen))
            if at is not None:
                return at
        else:
            sight = self._memory.expected.get((self.tid, self.nr))
            at = None
            if sight is not None and (address, size) in sight.places:
                at = self._see(sight, address, size)
        if at is None:
            at = self._discover(address, size)
        if not self.only_writes:
            self._check()
        if at is None:
            raise NetlinkError(EFAULT)
        return at

    def recall(self, address: int) -> Any:
        """What the last such call of the thread has noted of ``address``; None if nothing.

        Nor if anything that it had read for that is not the same, or not there.
        """
        sight = self._memory.expected.get((self.tid, self.nr))
        if sight is None or sight.noted is None or self._sight is not None:
            return None
        noted_at, places, data, made = sight.noted
        if noted_at != address:
            return None
        self._look(sight)
        if not self.only_writes:
            self._check()
        same = self._places is not _NOWHERE and places(self._seen) == data
        return made if same else None

    def note(self, address: int, reads: Iterable[tuple[int, int]], made: object) -> None:
        """``made`` is what comes of ``address``, and follows from what was read there and here.

        Of each of the ``reads``, its address and size. Of a program that has its arguments
        elsewhere each time nothing is noted.
        """
        if self._discovered:
            return
        sight = self._sight
        places = [self._places.get(read) for read in reads if read[1]]
        if sight is not None and None not in places:
            fetch = itemgetter(*places)
            sight.noted = Noted(address, fetch, fetch(self._seen), made)

    def _discover(self, address: int, size: int) -> slice | None:
        """See it and what was seen before; or alone, where that is not there any more."""
        self._discovered = True
        span, known = self._memory.span(address, size), self._sight
        sight = Sight((span,)) if known is None else known.widened(span)
        at = self._see(sight, address, size)
        if at is None and known is not None:
            sight = Sight((span,))
            at = self._see(sight, address, size)
        self._memory.expect(self.tid, self.nr, sight)
        return at

    def _see(self, sight: Sight, address: int, size: int) -> slice | None:
        self._look(sight)
        return sight.find(address, size, len(self._seen))

    def _look(self, sight: Sight) -> None:
        self._sight = sight
        self._seen = seen = self._memory.look(self.tid, sight)
        self._places = sight.places if len(seen) == sight.size else _NOWHERE

    def forget(self) -> None:
        """What was read may have changed since: the call has waited."""
        self._sight = None
        self._places = _NOWHERE

    def gather(self, pieces: Sequence[tuple[int, int]]) -> bytes:
        """Read pieces of memory, one after the other."""
        if len(pieces) == 1 and pieces[0][1] <= _NEAR:
            return self.read(*pieces[0])
        if len(pieces) <= _FEW and sum(size for _, size in pieces) <= _NEAR:
            return b"".join([self.read(*piece) for piece in pieces])
        gathered = self._memory.gather(self.tid, pieces)
        self._check()
        return gathered

    def _check(self) -> None:
        if not self._is_waiting(self.id):
            self.forget()
            raise ClientGone

    def write(self, pieces: list[tuple[int, bytes]]) -> None:
        self._sight, self._places = None, _NOWHERE
        if not self._is_waiting(self.id):
            raise ClientGone
        self._memory.write(self.tid, pieces)

    def read_int(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), "little", signed=True)
