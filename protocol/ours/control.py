"""NETLINK_EMU, the generic netlink family that controls an emulated kernel: in place of hands.

Everything about it is declared once, here and in :mod:`.control_sets`: what stands in which
message, how it is checked, what it means. The family answers and its clients ask by these names;
decoders, the YAML spec, the C header (both in netlink_emu/files) and the reference page are made
from it, the last three by ``scripts/write-docs``.
"""

from __future__ import annotations

from typing import Final

from ..family import AttributeSet, Exchange, FamilyDeclaration, McastGroup, Operation
from ..reading.describe import AttrDesc, AttrSet, FamilyDesc, Kind
from .control_sets import AMOUNT, FAMILY, FAULT, MACHINE, SOCKET, STATE, TASK, WATCH, NlemuState

__all__ = [
    "AMOUNT",
    "CMD_PREFIX",
    "CONTROL",
    "FAMILY",
    "FAULT",
    "JOURNAL_GROUP",
    "MACHINE",
    "NETLINK_EMU",
    "SOCKET",
    "STATE",
    "TASK",
    "WATCH",
    "NlemuState",
    "attr_name",
    "attr_prefix",
    "c_name",
    "cmd_of",
]

JOURNAL_GROUP: Final = "journal"
_TASK_SHOWN: Final = "pid tgid ppid comm cpu uid gid nice policy state exit-status"
_ENTRY: Final = "number time what portid pid comm text data json"


class _Operations:
    """Operations, numbered from 1; a reply has the command of its request.

    Attributes are names with spaces between them; None: not so asked, or no reply but an ack.
    """

    def __init__(self) -> None:
        self.made: list[Operation] = []

    def _exchange(self, request: str | None, reply: str | None) -> Exchange | None:
        if request is None:
            return None
        number = len(self.made) + 1
        answer = None if reply is None else tuple(reply.split())
        return Exchange(tuple(request.split()), answer, number, number)

    def add(
        self,
        name: str,
        attributes: AttributeSet,
        doc: str,
        *,
        do: str | None = None,
        reply: str | None = None,
        dump: str | None = None,
        rows: str | None = None,
    ) -> None:
        """A do with its reply, a dump of rows, or both."""
        made = (self._exchange(do, reply), self._exchange(dump, rows))
        self.made.append(Operation(name, attributes, *made, doc=doc))

    def event(self, name: str, attributes: AttributeSet, doc: str, told: str) -> None:
        """What the group is told."""
        made = Exchange(reply=tuple(told.split()), reply_cmd=len(self.made) + 1)
        self.made.append(Operation(name, attributes, event=made, mcgrp=JOURNAL_GROUP, doc=doc))


def _operations() -> tuple[Operation, ...]:
    ops = _Operations()
    ops.add(
        "task-get", TASK, "A task by number; as a dump, all of them, zombies too.",
        do="pid", reply=_TASK_SHOWN, dump="skip count words", rows=_TASK_SHOWN,
    )  # fmt: skip
    ops.add(
        "task-new", TASK, "Spawn a process, or with tgid a thread of that process.",
        do="pid tgid ppid comm cpu uid gid nice policy state amounts", reply=_TASK_SHOWN,
    )  # fmt: skip
    ops.add(
        "task-set", TASK, "Change a task: account amounts, move it, let it exec.",
        do="pid comm cpu nice policy state amounts",
    )  # fmt: skip
    ops.add(
        "task-end", TASK,
        "End a process by an exit code (0 by default) or a signal, or one thread.",
        do="pid code signal core one-thread zombie",
    )  # fmt: skip
    ops.add(
        "task-reap", TASK, "Have the parent wait for a zombie; its number is free then.",
        do="pid", reply="exit-status",
    )  # fmt: skip
    ops.add(
        "task-storm", TASK,
        "Let many processes start and end, one after the other; without cpu, on all in turn.",
        do="count comm cpu code lifetime amounts", reply="count",
    )  # fmt: skip
    ops.add(
        "cpu-get", MACHINE, "The possible CPUs, and which are online.",
        dump="", rows="cpu online",
    )  # fmt: skip
    ops.add("cpu-set", MACHINE, "Take a CPU down, or bring it up.", do="cpu online")
    ops.add(
        "cgroup-new", MACHINE,
        "Make a cgroup and those above it; an existing one gets the directory.",
        do="cgroup dev ino",
    )  # fmt: skip
    ops.add("cgroup-del", MACHINE, "Remove an empty cgroup.", do="cgroup")
    ops.add("cgroup-attach", MACHINE, "Move a task to a cgroup.", do="cgroup pid")
    ops.add(
        "machine-get", MACHINE, "The kernel's release, and the machine's clock.",
        do="", reply="release monotonic realtime delayacct",
    )  # fmt: skip
    ops.add(
        "machine-set", MACHINE, "Let time pass; switch delay accounting.",
        do="advance delayacct",
    )  # fmt: skip
    ops.add(
        "listener-get", WATCH, "Who is registered for exits on which CPU.",
        dump="count", rows="portid cpu",
    )  # fmt: skip
    ops.add(
        "wait", WATCH,
        "Wait for a listener or a request; the reply comes when there is one, or time is up.",
        do="cpu request count since timeout", reply="portid number timed-out text",
    )  # fmt: skip
    ops.add("fault-new", FAULT, "Add a rule.", do="rule", reply="id")
    ops.add("fault-get", FAULT, "The rules.", dump="", rows="id rule seen applied")
    ops.add("fault-del", FAULT, "Remove a rule, or without id all of them.", do="id")
    ops.add(
        "fault-release", FAULT, "Let arrive at once what rules hold back.",
        do="", reply="count",
    )  # fmt: skip
    ops.add(
        "overrun", FAULT, "Overrun sockets at once: their next receive gives ENOBUFS.",
        do="portid pid comm", reply="count",
    )  # fmt: skip
    ops.add(
        "journal-get", WATCH, "The journal, or what of it matches.",
        dump="since request what count", rows=_ENTRY,
    )  # fmt: skip
    ops.add("journal-note", WATCH, "Add a line of one's own.", do="text")
    ops.add("journal-clear", WATCH, "Forget all entries.", do="")
    ops.event("journal-ntf", WATCH, "An entry, as it is made; to the group journal.", _ENTRY)
    ops.add(
        "reset", MACHINE,
        "Forget tasks (but init), cgroups, listeners, faults and journal; all CPUs are online, "
        "and families have their first objects and answers.",
        do="",
    )  # fmt: skip
    _add_families(ops)
    ops.add(
        "socket-get", SOCKET, "The sockets of clients, but of those who control.",
        dump="skip count",
        rows="portid pid comm protocol families groups datagrams queue rcvbuf drops congested",
    )  # fmt: skip
    ops.add(
        "watch-get", WATCH, "The number of the journal's newest entry, and how much there is.",
        do="", reply="number sockets tasks drops",
    )  # fmt: skip
    return tuple(ops.made)


def _add_families(ops: _Operations) -> None:
    ops.add(
        "family-get", FAMILY,
        "The families that were added to the kernel; of one with a store a row for each kind.",
        dump="", rows="name id kind key",
    )  # fmt: skip
    ops.add(
        "object-get", FAMILY, "The objects of a kind in a family's store.",
        dump="name kind", rows="json",
    )  # fmt: skip
    told = "and notify the family's groups, as if the machine had done it."
    ops.add("object-new", FAMILY, f"Add an object, {told}", do="name kind json")
    ops.add("object-set", FAMILY, f"Change the object with that key, {told}", do="name kind json")
    ops.add("object-del", FAMILY, f"Remove the object with that key, {told}", do="name kind json")
    ops.add(
        "family-notify", FAMILY, "Send a notification to a multicast group of the family.",
        do="name operation json group",
    )  # fmt: skip
    ops.add(
        "family-reply", FAMILY, "Answer an operation with these values from now on.",
        do="name operation json times",
    )  # fmt: skip
    ops.add(
        "family-fail", FAMILY, "Let an operation fail from now on.",
        do="name operation errno text attribute missing times",
    )  # fmt: skip
    ops.add(
        "family-forget", FAMILY, "Answer an operation as before family-reply and family-fail.",
        do="name operation",
    )  # fmt: skip


CONTROL: Final = FamilyDeclaration(
    "NETLINK_EMU",
    1,
    _operations(),
    (McastGroup(JOURNAL_GROUP),),
    {attrs.name: attrs for attrs in (AMOUNT, TASK, MACHINE, WATCH, SOCKET, FAULT, FAMILY)},
    enums={STATE.name: STATE},
    resv_start_op=1,
    doc="Control of a kernel that netlink-emu emulates: tasks, CPUs, cgroups, time, faults, "
    "families of one's own, and the journal of what its clients ask. No real kernel has this "
    "family.",
)


def cmd_of(op: Operation) -> int:
    """The number of an operation's messages, in both directions."""
    exchange = op.do or op.dump or op.event
    assert exchange is not None
    return exchange.reply_cmd


# --- the names in C, which decoders use, too

CMD_PREFIX: Final = "nlemu-cmd-"


def attr_prefix(attrs: AttributeSet) -> str:
    """What the names of a set begin with, as a spec writes them."""
    return f"nlemu-a-{attrs.name}-"


def c_name(name: str) -> str:
    """``NLEMU_A_TASK_PID`` for nlemu-a-task-pid."""
    return name.upper().replace("-", "_")


def attr_name(attrs: AttributeSet, name: str) -> str:
    """An attribute's name in C."""
    return c_name(attr_prefix(attrs) + name)


def _described(attrs: AttributeSet) -> AttrSet:
    return {
        attribute.number: AttrDesc(
            attr_name(attrs, attribute.name),
            Kind(attribute.type),
            {} if attribute.nested is None else _described(attribute.nested),
            None if attribute.enum is None else NlemuState,
        )
        for attribute in attrs
    }


def _desc() -> FamilyDesc:
    described = {name: _described(attrs) for name, attrs in CONTROL.attribute_sets.items()}
    return FamilyDesc(
        CONTROL.name,
        {cmd_of(op): c_name(CMD_PREFIX + op.name) for op in CONTROL.operations},
        {cmd_of(op): described[op.attributes.name] for op in CONTROL.operations},
    )


NETLINK_EMU: Final = _desc()
