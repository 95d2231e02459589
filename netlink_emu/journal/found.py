"""What a question to the journal found, which can say what comes near when it is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from netlink_emu.journal.entries import MessageView
from netlink_emu.journal.match import Match

_SHOWN: Final = 5


class Found(list[MessageView]):
    """The messages that match, the oldest first.

    Its repr() is an explanation, so that ``assert journal.requests(...)`` explains itself.
    """

    def __init__(self, what: str, match: Match, candidates: Sequence[MessageView]) -> None:
        super().__init__(view for view in candidates if match(view))
        self._what = what
        self._match = match
        self._candidates = candidates

    def similar(self) -> list[tuple[MessageView, list[str]]]:
        """What does not match, with what it lacks; the nearest first."""
        misses = [(view, self._match.misses(view)) for view in self._candidates]
        others = [(view, missed) for view, missed in misses if missed]
        return sorted(others, key=lambda item: (len(item[1]), -item[0].entry.number))

    def summary(self) -> str:
        """How many there were, in words."""
        count = len(self)
        plural = {"loss": "losses"}.get(self._what, f"{self._what}s")
        amount = f"1 {self._what}" if count == 1 else f"{count or 'no'} {plural}"
        criteria = str(self._match)
        return f"{amount} with {criteria}" if criteria else amount

    def explain(self) -> str:
        """The summary, and of what was found or comes near a line each."""
        lines = [self.summary()]
        lines += [f"  {view}" for view in self[:_SHOWN]]
        if len(self) > _SHOWN:
            lines.append(f"  and {len(self) - _SHOWN} more")
        similar = self.similar()
        near = [item for item in similar if len(item[1]) < self._match.criteria]
        if not self and near:
            lines.append(f"Found {len(near)} similar:")
            for view, missed in near[:_SHOWN]:
                lines.append(f"  {view}")
                lines.append(f"    but {', '.join(missed)}")
        elif not self and similar:
            lines.append(f"There were {len(similar)} others, the last of them:")
            lines += [f"  {view}" for view, _ in similar[:_SHOWN]]
        elif not self:
            lines.append(f"There was no {self._what} at all.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<{self.explain()}>"
