"""The result of a journal query, which names near misses if nothing matched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from netlink_emu.journal.entries import MessageView
from netlink_emu.journal.match import Match
from netlink_emu.protocol.reading.printable import printable

_SHOWN: Final = 5


class Found(list[MessageView]):
    """The matching messages, oldest first.

    Its repr() names the nearest misses, so that ``assert journal.requests(...)`` explains itself.
    """

    def __init__(self, what: str, match: Match, candidates: Sequence[MessageView]) -> None:
        super().__init__(view for view in candidates if match(view))
        self._what = what
        self._match = match
        self._candidates = candidates

    def similar(self) -> list[tuple[MessageView, list[str]]]:
        """Return near misses with the reason why they do not match, nearest first."""
        distances = [(self._match.distance(view), view) for view in self._candidates]
        near = [item for item in distances if 0 < item[0] < self._match.criteria]
        near.sort(key=lambda item: (item[0], -item[1].entry.number))
        return [(view, self._match.misses(view)) for _, view in near]

    def summary(self) -> str:
        """Say how many messages were found."""
        count = len(self)
        plural = {"loss": "losses"}.get(self._what, f"{self._what}s")
        amount = f"1 {self._what}" if count == 1 else f"{count or 'no'} {plural}"
        criteria = str(self._match)
        return f"{amount} with {printable(criteria)}" if criteria else amount

    def explain(self) -> str:
        """Return the summary, and a line for each message that matches or nearly matches."""
        lines = [self.summary()]
        lines += [f"  {view}" for view in self[:_SHOWN]]
        if len(self) > _SHOWN:
            lines.append(f"  and {len(self) - _SHOWN} more")
        if self:
            return "\n".join(lines)
        near = self.similar()
        if near:
            lines.append(f"Found {len(near)} similar:")
            for view, missed in near[:_SHOWN]:
                lines.append(f"  {view}")
                lines.append(f"    but {', '.join(missed)}")
        elif self._candidates:
            lines.append(f"There were {len(self._candidates)} others, the last of them:")
            lines += [f"  {view}" for view in self._candidates[-_SHOWN:]]
        else:
            lines.append(f"There was no {self._what} at all.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        # One line, for that is what pytest shows of an assertion's operand.
        near = self.similar()
        if self:
            nearest = f": {self[-1]}"
        elif near:
            nearest = f"; similar is {near[0][0]}, but {', '.join(near[0][1])}"
        else:
            nearest = f" among {len(self._candidates)}"
        return f"<{self.summary()}{nearest}>"
