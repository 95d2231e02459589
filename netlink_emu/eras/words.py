"""How capabilities are put into words: see text for the words themselves."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class Area(enum.Enum):
    """Which part of the conversation a capability is about."""

    STRUCT = "struct taskstats"
    REQUESTS = "Requests to TASKSTATS"
    GENL = "Generic netlink and nlctrl"
    ACKS = "Errors and acks"
    SOCKETS = "Sockets"


@dataclass(frozen=True, slots=True)
class Words:
    """A capability in words: what it is about, and what each of its values says."""

    area: Area
    subject: str
    values: Mapping[Any, str]

    def of(self, value: object) -> str:
        """The sentence for one value; numbers that have none stand for themselves."""
        return self.values.get(value, str(value))


def switch(area: Area, subject: str, old: str, new: str) -> Words:
    """The words for a bool."""
    return Words(area, subject, {False: old, True: new})
