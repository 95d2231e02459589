"""NETLINK_EMU, the generic netlink family that controls an emulated kernel: in place of hands.

Everything about it is declared here, and once: what stands in which message, how it is checked,
what it means. The family answers and its clients ask by these names; decoders, the YAML spec, the
C header (both in netlink_emu/files) and the reference page are made from it, the last three by
``scripts/write-docs``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final

from ..family import (
    Attribute,
    AttributeSet,
    Enumeration,
    Exchange,
    FamilyDeclaration,
    McastGroup,
    Operation,
)
from ..reading.describe import AttrDesc, AttrSet, FamilyDesc, Kind


class NlemuState(enum.IntEnum):
    """NLEMU_A_TASK_STATE, as CGROUPSTATS tells states apart."""

    NETLINK_EMU_STATE_RUNNING = 0
    NETLINK_EMU_STATE_SLEEPING = 1
    NETLINK_EMU_STATE_UNINTERRUPTIBLE = 2
    NETLINK_EMU_STATE_STOPPED = 3
    NETLINK_EMU_STATE_OTHER = 4
    NETLINK_EMU_STATE_FREEZABLE = 5


STATE: Final = Enumeration(
    "state", {m.name.removeprefix("NETLINK_EMU_STATE_").lower(): m.value for m in NlemuState}
)


def _amounts() -> Iterator[Attribute]:
    yield Attribute("utime", "u64", doc="CPU time, user, in nanoseconds.")
    yield Attribute("stime", "u64", doc="CPU time, system, in nanoseconds.")
    waits = ("cpu", "blkio", "swapin", "freepages", "thrashing", "compact", "wpcopy", "irq")
    for wait in waits:
        doc = f"One wait of the kind {wait}, in nanoseconds."
        yield Attribute(f"{wait}-delay", "u64", doc=doc)
    counters = (
        "min-flt", "maj-flt", "nvcsw", "nivcsw", "rchar", "wchar", "syscr", "syscw",
        "read-bytes", "write-bytes", "cancelled-write-bytes",
    )  # fmt: skip
    for counter in counters:
        yield Attribute(counter, "u64", doc="Added to the counter of this name.")
    memory = "Memory in use during the CPU time of the same message, in KiB."
    yield Attribute("rss-kib", "u64", doc=memory)
    yield Attribute("vm-kib", "u64", doc=memory)


AMOUNT: Final = AttributeSet(
    "amount", *_amounts(), doc="What is accounted to a task; times in nanoseconds."
)


def _set(name: str, about: str, *rows: tuple[str, str, str]) -> AttributeSet:
    """Attributes, numbered from 1: name, type, what it means. A nest is of amounts."""
    return AttributeSet(
        name,
        *(
            Attribute(
                called,
                kind,
                nested=AMOUNT if kind == "nest" else None,
                enum=STATE if called == "state" else None,
                doc=doc,
            )
            for called, kind, doc in rows
        ),
        doc=about,
    )


TASK: Final = _set(
    "task",
    "A task, and what happens to it.",
    ("pid", "u32", "The task's number."),
    (
        "tgid",
        "u32",
        "The number of its process; in task-new, that of the process that gets a thread.",
    ),
    ("ppid", "u32", "The number of its parent; init by default."),
    (
        "comm",
        "string",
        "Its name. In task-new without it, a copy of the parent; in task-set, an exec.",
    ),
    ("cpu", "u32", "The CPU that it is on."),
    ("uid", "u32", "Whose it is."),
    ("gid", "u32", "Its group."),
    ("nice", "u32", "Its nice value, as a signed number."),
    ("policy", "u32", "Its scheduling policy, SCHED_*."),
    ("state", "u32", "What CGROUPSTATS counts it as."),
    (
        "exit-status",
        "u32",
        "Its wait status, once it has ended: the code times 256, or the signal.",
    ),
    ("amounts", "nest", "What is accounted to it, added up."),
    ("code", "u32", "The code to exit with, 0 to 255."),
    ("signal", "u32", "The signal that ends it."),
    ("core", "flag", "A core was dumped."),
    ("one-thread", "flag", "Only this thread ends."),
    ("zombie", "flag", "The parent does not wait for it."),
    ("count", "u32", "How many."),
    (
        "lifetime",
        "u64",
        "How long each lives, in nanoseconds; for a clock that stands still.",
    ),
)
MACHINE: Final = _set(
    "machine",
    "The machine: its CPUs, cgroups, clock.",
    ("cpu", "u32", "A possible CPU."),
    ("online", "u32", "1 online, 0 offline."),
    ("cgroup", "string", "Path of a cgroup, as a/b."),
    ("pid", "u32", "A task's number."),
    (
        "dev",
        "u64",
        "st_dev of a directory that stands for the cgroup: who opens that, and names the "
        "descriptor to CGROUPSTATS_CMD_GET, asks for the cgroup.",
    ),
    ("ino", "u64", "st_ino of that directory."),
    ("release", "string", "The emulated kernel's release."),
    ("monotonic", "u64", "The machine's time since boot, in nanoseconds."),
    ("realtime", "u64", "The machine's time since 1970, in nanoseconds."),
    ("advance", "u64", "Let so many nanoseconds pass; for a clock that stands still."),
    (
        "delayacct",
        "u32",
        "kernel.task_delayacct: 1 if tasks that are spawned from now on have delays.",
    ),
)
WATCH: Final = _set(
    "watch",
    "What clients do: listeners, requests, the journal.",
    ("portid", "u32", "A client's portid."),
    ("cpu", "u32", "A CPU that it listens on."),
    (
        "request",
        "string",
        "Criteria of messages, as in the command line: cmd=TASKSTATS_CMD_GET pid=42. "
        "In wait, a request; without it, a listener is waited for.",
    ),
    ("count", "u32", "How many to wait for, by default 1."),
    ("since", "u32", "Only entries of the journal with higher numbers count."),
    ("timeout", "u32", "How long to wait, in milliseconds of real time; by default 5000."),
    ("timed-out", "flag", "It did not come."),
    ("number", "u32", "An entry's number in the journal."),
    ("time", "u64", "When it happened, by the machine's clock."),
    (
        "what",
        "string",
        "What it is: sent, queued, dropped, fault, opened, bound, option, membership, closed, "
        "overrun, remark, listener, task, note.",
    ),
    ("text", "string", "It in words, several lines."),
    ("json", "string", "It as a JSON object; left out where the message would be too long."),
    ("data", "binary", "The datagram."),
    ("pid", "u32", "The client's process."),
    ("comm", "string", "The client's name."),
)
FAULT: Final = _set(
    "fault",
    "Faults on demand.",
    ("id", "u32", "A rule's number."),
    (
        "rule",
        "string",
        "A rule, as in the command line: delay seconds=0.5 cmd=TASKSTATS_CMD_GET count=2.",
    ),
    ("seen", "u32", "How many messages it matched."),
    ("applied", "u32", "How often it came in."),
    ("portid", "u32", "The sockets with this portid."),
    ("pid", "u32", "The sockets of this process."),
    ("comm", "string", "The sockets of processes of this name."),
    ("count", "u32", "How many were hit, or arrived."),
)

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
        do="pid", reply=_TASK_SHOWN, dump="", rows=_TASK_SHOWN,
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
        dump="", rows="portid cpu",
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
        dump="since request", rows=_ENTRY,
    )  # fmt: skip
    ops.add("journal-note", WATCH, "Add a line of one's own.", do="text")
    ops.add("journal-clear", WATCH, "Forget all entries.", do="")
    ops.event("journal-ntf", WATCH, "An entry, as it is made; to the group journal.", _ENTRY)
    ops.add(
        "reset", MACHINE,
        "Forget tasks (but init), cgroups, listeners, faults and journal; all CPUs are online.",
        do="",
    )  # fmt: skip
    return tuple(ops.made)


CONTROL: Final = FamilyDeclaration(
    "NETLINK_EMU",
    1,
    _operations(),
    (McastGroup(JOURNAL_GROUP),),
    {attrs.name: attrs for attrs in (AMOUNT, TASK, MACHINE, WATCH, FAULT)},
    enums={STATE.name: STATE},
    resv_start_op=1,
    doc="Control of a kernel that netlink-emu emulates: tasks, CPUs, cgroups, time, faults, "
    "and the journal of what its clients ask. No real kernel has this family.",
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
