"""Compare what came of a request with what was recorded: message by message, in words.

How a dump is cut into datagrams depends on the reader's buffer, so that is not compared.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from netlink_emu.cassettes import Answer, Cassette, Event, Failed
from netlink_emu.cassettes.blanking import Blanking
from netlink_emu.cassettes.compare import event_words
from netlink_emu.cassettes.fields import Fields
from netlink_emu.cassettes.match import messages
from netlink_emu.cassettes.text import Texts, order_of
from netlink_emu.protocol.netlink import NLMSG_MIN_TYPE

_TYPE: Final = slice(4, 6)  # nlmsg_type


@dataclass(frozen=True, slots=True)
class _Said:
    """A message as it is compared, or a call that failed; ``title`` says what it is."""

    data: bytes
    title: str


class Answers:
    """Compares answers of the kernel that ``cassette`` was recorded on with another's.

    Attributes of ``ignore`` may have other values of the same length.
    """

    def __init__(self, cassette: Cassette, ignore: Iterable[str]) -> None:
        self._order: Final = order_of(cassette)
        self._texts: Final = Texts(self._order, cassette.head.families)
        self._fields: Final = Fields(cassette, self._order)
        self._blanking: Final = Blanking(self._fields, self._order, ignore)

    def differences(
        self, protocol: int, recorded: Iterable[Event], found: Iterable[Event]
    ) -> Iterator[str]:
        """A line for each message that differs."""
        theirs, ours = [*self._said(protocol, recorded)], [*self._said(protocol, found)]
        matcher = difflib.SequenceMatcher(
            None, [said.data for said in theirs], [said.data for said in ours], autojunk=False
        )
        for tag, begin, end, start, stop in matcher.get_opcodes():
            if tag != "equal":
                yield from self._changed(protocol, theirs[begin:end], ours[start:stop])

    def _said(self, protocol: int, events: Iterable[Event]) -> Iterator[_Said]:
        for event in events:
            if isinstance(event, Failed):
                words = event_words(event)
                yield _Said(words.encode(), words)
            elif isinstance(event, Answer) and not event.group:
                for start, header in messages(event.data, self._order):
                    message = event.data[start : start + header.nlmsg_len]
                    title = self._texts.title(protocol, message)
                    yield _Said(self._blanking.of(protocol, message), title)

    def _changed(
        self, protocol: int, theirs: Sequence[_Said], ours: Sequence[_Said]
    ) -> Iterator[str]:
        for old, new in zip_longest(theirs, ours):
            if new is None:
                yield f"{old.title} did not come"
            elif old is None:
                yield f"{new.title} came, and was not recorded"
            elif old.title != new.title:
                yield f"{new.title} came, recorded is {old.title}"
            else:
                yield f"{new.title}: {self._difference(protocol, old.data, new.data)}"

    def _difference(self, protocol: int, old: bytes, new: bytes) -> str:
        if int.from_bytes(old[_TYPE], self._order.name) >= NLMSG_MIN_TYPE:
            return self._fields.difference(protocol, old, new)
        lines = [self._texts.of(protocol, data).splitlines() for data in (old, new)]
        for before, after in zip_longest(*lines, fillvalue="nothing"):
            if before != after:
                return f"{after.strip()}, recorded is {before.strip()}"
        return f"its {len(new)} bytes differ from the {len(old)} recorded ones"
