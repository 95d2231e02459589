"""Descriptor numbers: where in a client an emulated socket goes.

The filter looks at numbers of a few ranges, which are fixed when the client starts. The one step
that puts a descriptor at a number of our choice closes what is open there. We look before, and
another thread of the client may open something in between; so we choose a number which many
others are free below, for a kernel gives out the lowest.
"""

from __future__ import annotations

import heapq
import os
import resource
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from errno import EBADF, EBUSY, EMFILE
from typing import Final

from netlink_emu.host import proc
from netlink_emu.interpose.client.memory import ClientSealed
from netlink_emu.interpose.client.threads import Client, gone
from netlink_emu.interpose.errors import Unsupported
from netlink_emu.interpose.filter.ranges import FD_SETSIZE, SLOTS, Range, ranges
from netlink_emu.protocol.errors import NetlinkError

# So many free numbers shall lie below one of ours. Where a client has not so many left, its
# highest are taken, and the last not at all if several threads may open something.
_MARGIN: Final = 256
_LAST: Final = 64
# So many processes' tables are remembered.
_TABLES: Final = 1024
# What a supervisor and a few sockets take.
LEAST_FILES: Final = 32

# Puts the descriptor at a number. Raises OSError: EBUSY where the client is opening something
# at this very moment, EBADF or EMFILE from its RLIMIT_NOFILE on.
Put = Callable[[int], None]


def choose_high(soft_limit: int) -> int:
    """The lowest number for clients with this RLIMIT_NOFILE: room for theirs, and for ours."""
    return max(min(FD_SETSIZE - SLOTS, max(soft_limit // 2, soft_limit - SLOTS)), 1)


def open_files_limit() -> int:
    """Our own soft limit, which a client inherits."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return FD_SETSIZE if soft == resource.RLIM_INFINITY else soft


def raise_our_limit() -> None:
    """Every emulated socket takes one descriptor of ours, and one more while calls wait on it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def room() -> int:
    """How many descriptors this process can still open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (1 << 31 if soft == resource.RLIM_INFINITY else soft) - proc.count_descriptors(
        os.getpid()
    )


def need_files() -> None:
    """Raise Unsupported where we may not open what we need."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < LEAST_FILES:
        raise Unsupported(
            f"this process may open {hard} files at most (RLIMIT_NOFILE), and needs "
            f"{LEAST_FILES}: raise the limit, as with ulimit -Hn"
        )


class BeyondLimit(Exception):
    """A client has lowered its RLIMIT_NOFILE below all of our numbers."""


@dataclass(slots=True)
class _Table:
    """A client's table of descriptors, as far as it is ours.

    ``fresh`` is the lowest number that was never given, ``back`` a heap of those below it that
    are closed again. Both may be out of date: each number is looked at.
    """

    fresh: int
    back: list[int] = field(default_factory=list)


Given = tuple[int, int]  # a process, and the number of a descriptor there


class Numbers:
    """The numbers of emulated sockets in each process, ``high`` being the lowest."""

    def __init__(self, high: int) -> None:
        self.high: Final = high
        self._ranges: Final[tuple[Range, ...]] = ranges(high)
        self._margin = min(_MARGIN, high // 2)
        self._last = min(_LAST, high // 4)
        self._tables: dict[int, _Table] = {}

    @property
    def end(self) -> int:
        """The first number that no emulated socket has."""
        return self._ranges[-1][1]

    def place(self, client: Client, at_least: int, put: Put) -> Given:
        """Put a descriptor into the client by ``put``, at a number from ``at_least`` on.

        Raises NetlinkError(EMFILE) where none is left, BeyondLimit, ClientGone, and OSError as
        ``put``; ClientSealed before anything is done.
        """
        try:
            tgid = client.tgid
            count = proc.count_descriptors(client.tid)
        except PermissionError as exc:
            raise ClientSealed from exc
        except OSError as exc:
            raise gone(exc) from exc
        table = self._table(tgid)
        if at_least <= self.high:
            number = table.back[0] if table.back else table.fresh
            safe = number < self.end and number - count >= self._margin
            if safe and _is_free(client, number) and self._put(put, number) is None:
                self._take(table, number)
                return tgid, number
        number = self._search(client, table, max(at_least, self.high), count, put)
        return tgid, number

    def place_blindly(self, client: Client, at_least: int, put: Put) -> Given:
        """:meth:`place` in a client whose descriptors we may not see: no number is used twice."""
        table = self._table(client.tgid)
        while (number := max(self._take_fresh(table), at_least)) < self.end:
            refused = self._put(put, number)
            if refused is None:
                return client.tgid, number
            if refused != EBUSY:
                if number == self.high:
                    raise BeyondLimit
                break
        raise NetlinkError(EMFILE)

    def give_back(self, given: Iterable[Given]) -> None:
        """What was put there is closed."""
        for tgid, number in given:
            table = self._tables.get(tgid)
            if table is not None:
                heapq.heappush(table.back, number)

    def _table(self, tgid: int) -> _Table:
        table = self._tables.get(tgid)
        if table is None:
            if len(self._tables) >= _TABLES:
                self._tables.clear()
            table = self._tables[tgid] = _Table(self.high)
        return table

    def _take(self, table: _Table, number: int) -> None:
        """It is given now."""
        if table.back and table.back[0] == number:
            heapq.heappop(table.back)
        elif table.fresh == number:
            self._take_fresh(table)

    def _take_fresh(self, table: _Table) -> int:
        number = table.fresh
        table.fresh = next(self._upwards(number + 1), self.end)
        return number

    def _search(self, client: Client, table: _Table, at_least: int, count: int, put: Put) -> int:
        """Look at all that the client has open: what was remembered did not do."""
        try:
            used = proc.descriptors(client.tid)
        except PermissionError as exc:
            raise ClientSealed from exc
        except OSError as exc:
            raise gone(exc) from exc
        self._renew(table, used)
        limit = _soft_limit(client.tid, self.end)
        safe = max(at_least, count + self._margin)
        alone: bool | None = None
        for number in (*self._upwards(safe, limit), *self._downwards(safe, at_least)):
            if number >= limit or number in used:
                continue
            if number - count < self._last:
                if alone is None:
                    alone = client.status().threads == 1
                if not alone:
                    continue
            if not _is_free(client, number):
                continue
            refused = self._put(put, number)
            if refused is None:
                self._take(table, number)
                return number
            if refused != EBUSY:
                limit = number
        if limit <= self.high:
            raise BeyondLimit
        raise NetlinkError(EMFILE)

    def _renew(self, table: _Table, used: set[int]) -> None:
        """Remember what is free by a list of all that is not."""
        highest = max((n for n in used if self._is_ours(n)), default=self.high - 1)
        table.fresh = next(self._upwards(highest + 1), self.end)
        table.back = [n for n in self._upwards(self.high, table.fresh) if n not in used]

    def _is_ours(self, number: int) -> bool:
        return any(first <= number < end for first, end in self._ranges)

    def _upwards(self, at_least: int, below: int | None = None) -> Iterator[int]:
        """The numbers of the ranges, the lowest first."""
        for first, end in self._ranges:
            yield from range(max(first, at_least), end if below is None else min(end, below))

    def _downwards(self, below: int, at_least: int) -> Iterator[int]:
        for first, end in reversed(self._ranges):
            yield from range(min(end, below) - 1, max(first, at_least) - 1, -1)

    def _put(self, put: Put, number: int) -> int | None:
        """None if it is there now, else why another number must be tried."""
        try:
            put(number)
        except OSError as exc:
            if exc.errno in (EBUSY, EBADF, EMFILE):
                return exc.errno
            raise
        return None


def _is_free(client: Client, number: int) -> bool:
    try:
        os.close(client.duplicate(number))
    except OSError as exc:
        if exc.errno == EBADF:
            return True
        raise
    return False


def _soft_limit(tid: int, otherwise: int) -> int:
    """The client's RLIMIT_NOFILE; ``otherwise`` where it has none, or we may not ask."""
    try:
        soft, _ = resource.prlimit(tid, resource.RLIMIT_NOFILE)
    except OSError:
        return otherwise
    return otherwise if soft == resource.RLIM_INFINITY else min(soft, otherwise)
