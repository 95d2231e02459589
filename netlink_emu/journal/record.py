"""What a journal has recorded, and questions about it."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar

from netlink_emu.journal.entries import (
    Datagram,
    Dropped,
    Entry,
    Faulted,
    Listener,
    MessageKind,
    MessageView,
    Overrun,
    Queued,
    Sent,
)
from netlink_emu.journal.found import Found
from netlink_emu.journal.match import Match, UnknownName
from netlink_emu.protocol.reading.describe import FamilyDesc
from netlink_emu.protocol.reading.printable import printable

LIMIT: Final = 100_000
LIMIT_BYTES: Final = 64 << 20

E = TypeVar("E", bound=Entry)


class Record:
    """Entries, the oldest first.

    The last ``limit`` are kept (None: all), as long as their datagrams have no more than
    ``limit_bytes``; ``forgotten`` counts the others. ``families`` are described by name,
    ``started_ns`` is the time of the machine's clock when the record begins.
    """

    def __init__(
        self,
        *,
        families: Mapping[str, FamilyDesc],
        started_ns: int,
        limit: int | None = LIMIT,
        limit_bytes: int | None = LIMIT_BYTES,
    ) -> None:
        self.families: Final = families
        self.started_ns: Final = started_ns
        self._entries: deque[Entry] = deque()
        self._limit: Final = sys.maxsize if limit is None else limit
        self._most_bytes: Final = sys.maxsize if limit_bytes is None else limit_bytes
        self._bytes = 0  # of the entries' datagrams
        self._number = 0

    def next_number(self) -> int:
        """The number of the entry that is made now."""
        self._number += 1
        return self._number

    def keep(self, entry: Entry) -> None:
        """Add an entry; the oldest go where there are too many."""
        entries = self._entries
        entries.append(entry)
        self._bytes += entry.size
        while self._bytes > self._most_bytes or len(entries) > self._limit:
            self._bytes -= entries.popleft().size

    def clear(self) -> None:
        """Forget all entries; their numbers go on."""
        self._entries.clear()
        self._bytes = 0

    @property
    def entries(self) -> list[Entry]:
        """What is kept, the oldest first."""
        return list(self._entries)

    @property
    def forgotten(self) -> int:
        """How many entries are kept no more."""
        return self._number - len(self._entries)

    @property
    def number(self) -> int:
        """The number of the newest entry, 0 before the first: a mark for ``since``."""
        return self._number

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries))

    def newest_first(self) -> Iterator[Entry]:
        """The entries, the newest first; nothing may be added while they are looked at."""
        return reversed(self._entries)

    def of(self, kind: type[E], *, since: int = 0) -> list[E]:
        """The entries of one class with numbers above ``since``."""
        return [e for e in self.entries if isinstance(e, kind) and e.number > since]

    def lines(self, entries: Iterable[Entry] | None = None) -> Iterator[str]:
        """The entries as text: seconds since the journal began, then what happened."""
        return text_lines(self._entries if entries is None else entries, self.started_ns)

    # --- questions

    def match(self, **criteria: Any) -> Match:
        """A :class:`Match` with names that exist; other keywords are taken as ``attrs``.

        Raises UnknownName for a command, family, kind, errno or attribute that there is not.
        """
        return self._match(self.families, **criteria)

    def _match(self, families: Mapping[str, FamilyDesc], **criteria: Any) -> Match:
        attrs = dict(criteria.pop("attrs", None) or {})
        known = frozenset(field.name for field in fields(Match))
        for name in criteria:
            if not name.isupper() and name not in known:
                raise UnknownName("criterion", name, known)
        for name in [name for name in criteria if name.isupper()]:
            attrs[name] = criteria.pop(name)
        match = Match(attrs=attrs, **criteria)
        match.check_names(families)
        return match

    def find(self, what: str, match: Match, views: Iterable[MessageView]) -> Found:
        """The views that match; :class:`Found` can say what comes near."""
        return Found(what, match, list(views))

    def views(
        self, kind: type[Datagram] | tuple[type[Datagram], ...], *, since: int = 0
    ) -> Iterator[MessageView]:
        """The messages of datagrams of one class, in order."""
        for entry in self.entries:
            if isinstance(entry, kind) and type(entry) is not Faulted and entry.number > since:
                yield from entry.views()

    def requests(self, *, since: int = 0, **criteria: Any) -> Found:
        """What clients asked the kernel. See :class:`Match` for the criteria.

        An attribute can be given by its name: ``requests(TASKSTATS_CMD_ATTR_PID=4242)``.
        """
        match = self.match(**criteria)
        sent = (v for v in self.views(Sent, since=since) if v.kind is MessageKind.REQUEST)
        return self.find("request", match, sent)

    def answers(self, *, since: int = 0, **criteria: Any) -> Found:
        """What was queued for clients: replies, dumps, acks, errors and events."""
        match = self.match(**criteria)
        queued = (v for v in self.views(Queued, since=since) if type(v.entry) is Queued)
        return self.find("answer", match, queued)

    def events(self, *, since: int = 0, **criteria: Any) -> Found:
        """What nobody asked for: exit events, and notifications to groups."""
        match = self.match(**criteria)
        queued = (
            v
            for v in self.views(Queued, since=since)
            if type(v.entry) is Queued and v.kind is MessageKind.EVENT
        )
        return self.find("event", match, queued)

    def drops(self, *, since: int = 0, **criteria: Any) -> Found:
        """What did not get to its socket."""
        match = self.match(**criteria)
        return self.find("loss", match, self.views(Dropped, since=since))

    def faults(self, *, since: int = 0) -> list[Faulted]:
        """The faults that were applied."""
        return self.of(Faulted, since=since)

    def prunes(self, *, since: int = 0) -> list[Listener]:
        """Listeners that were forgotten because their portid is gone."""
        return [e for e in self.of(Listener, since=since) if e.action == "pruned"]

    def overruns(self, *, since: int = 0) -> list[Overrun]:
        """Sockets that lost something and are told so by ENOBUFS."""
        return self.of(Overrun, since=since)

    # --- assertions

    def assert_request(self, *, times: int | None = None, **criteria: Any) -> Found:
        """Raise AssertionError unless there was such a request, exactly ``times`` if given."""
        __tracebackhide__ = True
        found = self.requests(**criteria)
        if times is None and not found:
            raise AssertionError(found.explain())
        if times is not None and len(found) != times:
            raise AssertionError(f"wanted {times}, found {found.explain()}")
        return found

    def assert_no_request(self, **criteria: Any) -> None:
        """Raise AssertionError if there was such a request."""
        __tracebackhide__ = True
        found = self.requests(**criteria)
        if found:
            listed = "\n".join(f"  {view}" for view in found[:10])
            raise AssertionError(f"{found.summary()}, wanted none:\n{listed}")

    def assert_no_errors(self) -> None:
        """Raise AssertionError if a request was answered with an errno."""
        __tracebackhide__ = True
        found = self.answers(kind=MessageKind.ERROR)
        if found:
            listed = "\n".join(f"  {view} (to {view.answers})" for view in found[:10])
            raise AssertionError(f"{found.summary()}, wanted none:\n{listed}")


def text_lines(entries: Iterable[Entry], started_ns: int) -> Iterator[str]:
    """Entries as text, with the seconds since ``started_ns``."""
    for entry in entries:
        seconds = (entry.time_ns - started_ns) / 1e9
        yield f"{seconds:12.6f} #{entry.number} {printable(entry.title())}"
        for line in entry.body():
            yield " " * 16 + line
