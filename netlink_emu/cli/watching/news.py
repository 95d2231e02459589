"""What is known of a kernel at one time: plain values, as the family NETLINK_EMU tells them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

# What a client has lost, and what was done to it.
LOSSES: Final = ("dropped", "fault", "overrun", "remark")
# What a line of the view leaves out of a journal's: sizes, and a portid beside a pid.
_SIZES: Final = re.compile(r",( group \d+,)? \d+ bytes(, answers #\d+)?")
_PORTID: Final = re.compile(r"(\[\d+\]) portid \d+")
_HEADER: Final = re.compile(r"^(about |)(\S+.*) seq \d+(?: pid \d+)?$")
# TASKSTATS_CMD_ATTR_PID, in a nest after a slash: the name is the end of it.
_ATTRIBUTE: Final = re.compile(r"\b[A-Z0-9_]+_(?:ATTR|TYPE|A)_([A-Z0-9_]+)(?=[ /]|$)")
# Flags that say no more than the direction, and the only ones that may stand alone beside.
_SAME: Final = frozenset({"REQUEST", "CAPPED", "ACK_TLVS"})
_FLAGS: Final = _SAME | {"MULTI", "ACK", "ECHO", "DUMP", "DUMP_INTR", "CREATE", "REPLACE"}
# The longest message is a page of the kernel's; nobody reads on in one line.
_LONGEST: Final = 400


@dataclass(frozen=True)
class Message:
    """An entry of the journal. ``skipped`` entries before it are not known."""

    number: int
    seconds: float
    what: str
    text: str
    skipped: int = 0

    @property
    def lines(self) -> list[str]:
        """It in full."""
        return self.text.splitlines()

    @cached_property
    def line(self) -> str:
        """It in one line, without its time and number."""
        first, *rest = self.text.splitlines() or [""]
        title = first.lstrip().partition(" ")[2].partition(" ")[2]
        title = _PORTID.sub(r"\1", _SIZES.sub("", title, count=1))
        parts = [title]
        for line in rest:
            parts.append(_short(line.strip()))
            if sum(map(len, parts)) > _LONGEST:
                break
        return "  ".join(filter(None, parts))

    @cached_property
    def sought(self) -> str:
        """In what a filter looks for its words."""
        return self.text.lower()


def _short(line: str) -> str:
    """A line of a message: its command, without what is the same in most; or an attribute."""
    found = _HEADER.match(line)
    if found is None:
        label, blank, value = line.partition(" ")
        if not value:
            return ""  # a nest, or a flag
        if label.startswith("version="):
            return value  # of a struct, whose members follow
        return _ATTRIBUTE.sub(lambda name: name[1].lower(), label) + blank + value
    about, rest = found.groups()
    kind, *words = rest.split(" ")
    flags = words.pop().split("|") if words and _FLAGS.issuperset(words[-1].split("|")) else []
    if not (words and words[0].startswith(kind)):
        words.insert(0, kind)
    shown = "|".join(flag for flag in flags if flag not in _SAME)
    return " ".join([*about.split(), *words, *filter(None, [shown])])


@dataclass(frozen=True)
class Snapshot:
    """The kernel at one time. Rows are the attributes of NETLINK_EMU by name."""

    release: str = ""
    seconds: float = 0.0  # of the machine's clock
    number: int = 0  # of the newest entry
    rate: float = 0.0  # entries in a second
    sockets: int = 0
    tasks: int = 0
    drops: int = 0
    socket_rows: tuple[Mapping[str, Any], ...] = ()
    listener_rows: tuple[Mapping[str, Any], ...] = ()
    cpu_rows: tuple[Mapping[str, Any], ...] = ()
    # Tasks from the ``task_skip``-th on, of those that have the words of the filter.
    task_skip: int = 0
    task_rows: tuple[Mapping[str, Any], ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()
    messages: tuple[Message, ...] = ()
    losses: tuple[Message, ...] = ()
    refused: str = ""  # why criteria are none

    @cached_property
    def left_out(self) -> int:
        """How many entries between those that are known came too fast."""
        return sum(message.skipped for message in self.messages)


@dataclass(frozen=True)
class Wanted:
    """What the view shows of that which may be long."""

    task_skip: int = 0
    words: str = ""  # of tasks' numbers and names
    criteria: str = ""  # of messages


@dataclass(frozen=True)
class Answer:
    """What came of a command; ``lines`` are for people."""

    command: str
    ok: bool
    lines: list[str] = field(default_factory=list)
