"""What stands in messages of NETLINK_EMU: its attributes, and what they mean."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final

from ..family import Attribute, AttributeSet, Enumeration

DEFAULT_WAIT_MS: Final = 5000


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
    ("count", "u32", "How many; in a dump, at most so many."),
    (
        "lifetime",
        "u64",
        "How long each lives, in nanoseconds; for a clock that stands still.",
    ),
    ("skip", "u32", "How many to leave out, from the lowest number on."),
    ("words", "string", "Only tasks with each of these words in their number or name."),
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
    (
        "count",
        "u32",
        "How many to wait for, by default 1; in a dump, at most so many, the journal's newest.",
    ),
    ("since", "u32", "Only entries of the journal with higher numbers count."),
    (
        "timeout",
        "u32",
        f"How long to wait, in milliseconds of real time; by default {DEFAULT_WAIT_MS}.",
    ),
    ("timed-out", "flag", "It did not come."),
    ("number", "u32", "An entry's number in the journal."),
    ("time", "u64", "When it happened, by the machine's clock."),
    (
        "what",
        "string",
        "What it is: sent, queued, dropped, fault, opened, bound, option, membership, closed, "
        "overrun, remark, listener, task, note. In journal-get, these alone, with blanks between.",
    ),
    ("text", "string", "It in words, several lines."),
    ("json", "string", "It as a JSON object; left out where the message would be too long."),
    ("data", "binary", "The datagram."),
    ("pid", "u32", "The client's process."),
    ("comm", "string", "The client's name."),
    ("sockets", "u32", "How many sockets clients have."),
    ("tasks", "u32", "How many tasks there are, zombies too."),
    (
        "drops",
        "u32",
        "How many datagrams clients' sockets have lost, also those that are closed: the sum of "
        "their drops.",
    ),
)
SOCKET: Final = _set(
    "socket",
    "Sockets of clients.",
    ("portid", "u32", "Its portid, 0 while it has none."),
    ("pid", "u32", "The client's process."),
    ("comm", "string", "The client's name."),
    ("protocol", "u32", "Its netlink protocol, NETLINK_*."),
    ("families", "string", "The families that it has asked, with blanks between."),
    ("groups", "string", "Its multicast groups, as family:group or a number, likewise."),
    ("datagrams", "u32", "How many datagrams are in its receive queue."),
    ("queue", "u32", "How much of its receive buffer they take, in bytes."),
    ("rcvbuf", "u32", "SO_RCVBUF."),
    ("drops", "u32", "How many datagrams it has lost for want of room."),
    ("congested", "flag", "It has lost some, and its queue was not read empty since."),
    ("skip", "u32", "How many to leave out, from the oldest on."),
    ("count", "u32", "At most so many."),
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

FAMILY: Final = _set(
    "family",
    "Families of one's own: the objects of their stores, notifications, answers.",
    ("name", "string", "The family's name."),
    ("id", "u32", "Its number, the message type of its requests."),
    ("kind", "string", "A kind of objects that its store keeps."),
    ("key", "string", "The attributes that tell such objects apart."),
    (
        "json",
        "string",
        "Values by the names of the family's spec, as JSON; bytes in hex. An object for a store; "
        "for family-reply also several in a list, or null for an ack without an answer.",
    ),
    ("operation", "string", "One of its operations, as its spec names it."),
    ("group", "string", "A multicast group; by default the notification's own."),
    ("errno", "u32", "What the operation fails with, a positive number."),
    ("text", "string", "The extended ack's text."),
    ("attribute", "string", "The attribute that the extended ack blames: level, colour.red."),
    ("missing", "string", "The attribute that the extended ack says is missing."),
    ("times", "u32", "How often it is answered so; by default always."),
)
