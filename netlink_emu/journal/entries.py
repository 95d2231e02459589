"""The entries of a journal, one class for each thing that happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from netlink_emu.journal.datagrams import (
    Datagram,
    Dropped,
    Faulted,
    MessageKind,
    MessageView,
    Queued,
    Sent,
)
from netlink_emu.journal.entry import Entry, Peer
from netlink_emu.journal.socket_events import (
    Bound,
    Closed,
    Membership,
    Opened,
    OptionSet,
    Overrun,
    Remark,
    SocketEvent,
)

__all__ = [
    "ENTRY_CLASSES",
    "Bound",
    "Closed",
    "Datagram",
    "Dropped",
    "Entry",
    "Faulted",
    "Listener",
    "Membership",
    "MessageKind",
    "MessageView",
    "Note",
    "Opened",
    "OptionSet",
    "Overrun",
    "Peer",
    "Queued",
    "Remark",
    "Sent",
    "SocketEvent",
    "TaskEvent",
]


@dataclass(slots=True, kw_only=True)
class Listener(Entry):
    """A change in TASKSTATS' lists of listeners; ``action`` says what happened to the portid."""

    what: ClassVar[str] = "listener"
    action: str  # "registered", "deregistered", "pruned"
    portid: int
    cpu: int
    comm: str = ""

    def title(self) -> str:
        who = f"portid {self.portid}" + (f" ({self.comm})" if self.comm else "")
        if self.action == "pruned":
            return f"{who} is gone: forgotten as a listener on CPU {self.cpu}"
        return f"{who} {self.action} as a listener on CPU {self.cpu}"

    def details(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "portid": self.portid,
            "cpu": self.cpu,
            "comm": self.comm,
        }


@dataclass(slots=True, kw_only=True)
class TaskEvent(Entry):
    """A task began or ended; ``exit_code`` is None while it lives, then its wait status."""

    what: ClassVar[str] = "task"
    pid: int
    tgid: int
    comm: str
    cpu: int
    exit_code: int | None = None

    def title(self) -> str:
        who = f"task {self.pid} {self.comm!r}"
        if self.tgid != self.pid:
            who += f" of {self.tgid}"
        if self.exit_code is None:
            return f"{who} started on CPU {self.cpu}"
        how = f"signal {self.exit_code & 0x7F}"
        if not self.exit_code & 0x7F:
            how = f"code {self.exit_code >> 8}"
        return f"{who} ended on CPU {self.cpu}, {how}"

    def details(self) -> dict[str, Any]:
        return {
            "pid": self.pid,
            "tgid": self.tgid,
            "comm": self.comm,
            "cpu": self.cpu,
            "exit_code": self.exit_code,
        }


@dataclass(slots=True, kw_only=True)
class Note(Entry):
    """A line that a test, or whoever drives the kernel, has added."""

    what: ClassVar[str] = "note"
    text: str

    def title(self) -> str:
        return self.text

    def details(self) -> dict[str, Any]:
        return {"text": self.text}


ENTRY_CLASSES: Final = (
    Sent, Queued, Dropped, Faulted, Opened, Bound, OptionSet, Membership, Closed, Overrun, Remark,
    Listener, TaskEvent, Note,
)  # fmt: skip
