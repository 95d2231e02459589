"""NETLINK_EMU, the generic netlink family that controls an emulated kernel: in place of hands.

Everything about it is declared here: commands, attributes, what they mean. The YAML spec
(docs/specs/netlink_emu.yaml) and the C header are made from this by ``scripts/write-docs``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..policy import NlaPolicy, NlaType, Policy
from ..reading.describe import AttrDesc, AttrSet, FamilyDesc, Kind

NETLINK_EMU_GENL_NAME: Final = "NETLINK_EMU"
NETLINK_EMU_GENL_VERSION: Final = 1
NETLINK_EMU_MCGRP_JOURNAL: Final = "journal"


class NlemuCmd(enum.IntEnum):
    """Commands; a reply has the command of its request."""

    NLEMU_CMD_TASK_GET = 1
    NLEMU_CMD_TASK_NEW = 2
    NLEMU_CMD_TASK_SET = 3
    NLEMU_CMD_TASK_END = 4
    NLEMU_CMD_TASK_REAP = 5
    NLEMU_CMD_TASK_STORM = 6
    NLEMU_CMD_CPU_GET = 7
    NLEMU_CMD_CPU_SET = 8
    NLEMU_CMD_CGROUP_NEW = 9
    NLEMU_CMD_CGROUP_DEL = 10
    NLEMU_CMD_CGROUP_ATTACH = 11
    NLEMU_CMD_MACHINE_GET = 12
    NLEMU_CMD_MACHINE_SET = 13
    NLEMU_CMD_LISTENER_GET = 14
    NLEMU_CMD_WAIT = 15
    NLEMU_CMD_FAULT_NEW = 16
    NLEMU_CMD_FAULT_GET = 17
    NLEMU_CMD_FAULT_DEL = 18
    NLEMU_CMD_FAULT_RELEASE = 19
    NLEMU_CMD_OVERRUN = 20
    NLEMU_CMD_JOURNAL_GET = 21
    NLEMU_CMD_JOURNAL_NOTE = 22
    NLEMU_CMD_JOURNAL_CLEAR = 23
    NLEMU_CMD_JOURNAL_NTF = 24
    NLEMU_CMD_RESET = 25


class NlemuState(enum.IntEnum):
    """NLEMU_A_TASK_STATE, as CGROUPSTATS tells states apart."""

    NETLINK_EMU_STATE_RUNNING = 0
    NETLINK_EMU_STATE_SLEEPING = 1
    NETLINK_EMU_STATE_UNINTERRUPTIBLE = 2
    NETLINK_EMU_STATE_STOPPED = 3
    NETLINK_EMU_STATE_OTHER = 4
    NETLINK_EMU_STATE_FREEZABLE = 5


class NlemuAmount(enum.IntEnum):
    """What is accounted to a task; times in nanoseconds."""

    NLEMU_A_AMOUNT_UTIME = 1
    NLEMU_A_AMOUNT_STIME = 2
    NLEMU_A_AMOUNT_CPU_DELAY = 3
    NLEMU_A_AMOUNT_BLKIO_DELAY = 4
    NLEMU_A_AMOUNT_SWAPIN_DELAY = 5
    NLEMU_A_AMOUNT_FREEPAGES_DELAY = 6
    NLEMU_A_AMOUNT_THRASHING_DELAY = 7
    NLEMU_A_AMOUNT_COMPACT_DELAY = 8
    NLEMU_A_AMOUNT_WPCOPY_DELAY = 9
    NLEMU_A_AMOUNT_IRQ_DELAY = 10
    NLEMU_A_AMOUNT_MIN_FLT = 11
    NLEMU_A_AMOUNT_MAJ_FLT = 12
    NLEMU_A_AMOUNT_NVCSW = 13
    NLEMU_A_AMOUNT_NIVCSW = 14
    NLEMU_A_AMOUNT_RCHAR = 15
    NLEMU_A_AMOUNT_WCHAR = 16
    NLEMU_A_AMOUNT_SYSCR = 17
    NLEMU_A_AMOUNT_SYSCW = 18
    NLEMU_A_AMOUNT_READ_BYTES = 19
    NLEMU_A_AMOUNT_WRITE_BYTES = 20
    NLEMU_A_AMOUNT_CANCELLED_WRITE_BYTES = 21
    NLEMU_A_AMOUNT_RSS_KIB = 22
    NLEMU_A_AMOUNT_VM_KIB = 23


class NlemuTask(enum.IntEnum):
    """A task, and what happens to it."""

    NLEMU_A_TASK_PID = 1
    NLEMU_A_TASK_TGID = 2
    NLEMU_A_TASK_PPID = 3
    NLEMU_A_TASK_COMM = 4
    NLEMU_A_TASK_CPU = 5
    NLEMU_A_TASK_UID = 6
    NLEMU_A_TASK_GID = 7
    NLEMU_A_TASK_NICE = 8
    NLEMU_A_TASK_POLICY = 9
    NLEMU_A_TASK_STATE = 10
    NLEMU_A_TASK_EXIT_STATUS = 11
    NLEMU_A_TASK_AMOUNTS = 12
    NLEMU_A_TASK_CODE = 13
    NLEMU_A_TASK_SIGNAL = 14
    NLEMU_A_TASK_CORE = 15
    NLEMU_A_TASK_ONE_THREAD = 16
    NLEMU_A_TASK_ZOMBIE = 17
    NLEMU_A_TASK_COUNT = 18
    NLEMU_A_TASK_LIFETIME = 19


class NlemuMachine(enum.IntEnum):
    """The machine: its CPUs, cgroups, clock."""

    NLEMU_A_MACHINE_CPU = 1
    NLEMU_A_MACHINE_ONLINE = 2
    NLEMU_A_MACHINE_CGROUP = 3
    NLEMU_A_MACHINE_PID = 4
    NLEMU_A_MACHINE_DEV = 5
    NLEMU_A_MACHINE_INO = 6
    NLEMU_A_MACHINE_RELEASE = 7
    NLEMU_A_MACHINE_MONOTONIC = 8
    NLEMU_A_MACHINE_REALTIME = 9
    NLEMU_A_MACHINE_ADVANCE = 10
    NLEMU_A_MACHINE_DELAYACCT = 11


class NlemuWatch(enum.IntEnum):
    """What clients do: listeners, requests, the journal."""

    NLEMU_A_WATCH_PORTID = 1
    NLEMU_A_WATCH_CPU = 2
    NLEMU_A_WATCH_REQUEST = 3
    NLEMU_A_WATCH_COUNT = 4
    NLEMU_A_WATCH_SINCE = 5
    NLEMU_A_WATCH_TIMEOUT = 6
    NLEMU_A_WATCH_TIMED_OUT = 7
    NLEMU_A_WATCH_NUMBER = 8
    NLEMU_A_WATCH_TIME = 9
    NLEMU_A_WATCH_WHAT = 10
    NLEMU_A_WATCH_TEXT = 11
    NLEMU_A_WATCH_JSON = 12
    NLEMU_A_WATCH_DATA = 13
    NLEMU_A_WATCH_PID = 14
    NLEMU_A_WATCH_COMM = 15


class NlemuFault(enum.IntEnum):
    """Faults on demand."""

    NLEMU_A_FAULT_ID = 1
    NLEMU_A_FAULT_RULE = 2
    NLEMU_A_FAULT_SEEN = 3
    NLEMU_A_FAULT_APPLIED = 4
    NLEMU_A_FAULT_PORTID = 5
    NLEMU_A_FAULT_PID = 6
    NLEMU_A_FAULT_COMM = 7
    NLEMU_A_FAULT_COUNT = 8


def _described(
    rows: Mapping[enum.IntEnum, tuple[Kind, str]],
    nests: Mapping[enum.IntEnum, AttrSet] | None = None,
    values: Mapping[enum.IntEnum, type[enum.IntEnum]] | None = None,
) -> AttrSet:
    return {
        int(member): AttrDesc(
            member.name,
            kind,
            (nests or {}).get(member, {}),
            (values or {}).get(member),
            doc,
        )
        for member, (kind, doc) in rows.items()
    }


def _amount_doc(member: NlemuAmount) -> str:
    name = member.name.removeprefix("NLEMU_A_AMOUNT_").lower()
    if name.endswith("_delay"):
        return f"One wait of the kind {name.removesuffix('_delay')}, in nanoseconds."
    if name in ("utime", "stime"):
        return f"CPU time, {'user' if name == 'utime' else 'system'}, in nanoseconds."
    if name.endswith("_kib"):
        return "Memory in use during the CPU time of the same message, in KiB."
    return "Added to the counter of this name."


AMOUNTS: Final = _described({m: (Kind.U64, _amount_doc(m)) for m in NlemuAmount})
TASK: Final = _described(
    {
        NlemuTask.NLEMU_A_TASK_PID: (Kind.U32, "The task's number."),
        NlemuTask.NLEMU_A_TASK_TGID: (
            Kind.U32,
            "The number of its process; in task-new, that of the process that gets a thread.",
        ),
        NlemuTask.NLEMU_A_TASK_PPID: (Kind.U32, "The number of its parent; init by default."),
        NlemuTask.NLEMU_A_TASK_COMM: (
            Kind.STRING,
            "Its name. In task-new without it, a copy of the parent; in task-set, an exec.",
        ),
        NlemuTask.NLEMU_A_TASK_CPU: (Kind.U32, "The CPU that it is on."),
        NlemuTask.NLEMU_A_TASK_UID: (Kind.U32, "Whose it is."),
        NlemuTask.NLEMU_A_TASK_GID: (Kind.U32, "Its group."),
        NlemuTask.NLEMU_A_TASK_NICE: (Kind.U32, "Its nice value, as a signed number."),
        NlemuTask.NLEMU_A_TASK_POLICY: (Kind.U32, "Its scheduling policy, SCHED_*."),
        NlemuTask.NLEMU_A_TASK_STATE: (Kind.U32, "What CGROUPSTATS counts it as."),
        NlemuTask.NLEMU_A_TASK_EXIT_STATUS: (
            Kind.U32,
            "Its wait status, once it has ended: the code times 256, or the signal.",
        ),
        NlemuTask.NLEMU_A_TASK_AMOUNTS: (Kind.NEST, "What is accounted to it, added up."),
        NlemuTask.NLEMU_A_TASK_CODE: (Kind.U32, "The code to exit with, 0 to 255."),
        NlemuTask.NLEMU_A_TASK_SIGNAL: (Kind.U32, "The signal that ends it."),
        NlemuTask.NLEMU_A_TASK_CORE: (Kind.FLAG, "A core was dumped."),
        NlemuTask.NLEMU_A_TASK_ONE_THREAD: (Kind.FLAG, "Only this thread ends."),
        NlemuTask.NLEMU_A_TASK_ZOMBIE: (Kind.FLAG, "The parent does not wait for it."),
        NlemuTask.NLEMU_A_TASK_COUNT: (Kind.U32, "How many."),
        NlemuTask.NLEMU_A_TASK_LIFETIME: (
            Kind.U64,
            "How long each lives, in nanoseconds; for a clock that stands still.",
        ),
    },
    {NlemuTask.NLEMU_A_TASK_AMOUNTS: AMOUNTS},
    {NlemuTask.NLEMU_A_TASK_STATE: NlemuState},
)
MACHINE: Final = _described(
    {
        NlemuMachine.NLEMU_A_MACHINE_CPU: (Kind.U32, "A possible CPU."),
        NlemuMachine.NLEMU_A_MACHINE_ONLINE: (Kind.U32, "1 online, 0 offline."),
        NlemuMachine.NLEMU_A_MACHINE_CGROUP: (Kind.STRING, "Path of a cgroup, as a/b."),
        NlemuMachine.NLEMU_A_MACHINE_PID: (Kind.U32, "A task's number."),
        NlemuMachine.NLEMU_A_MACHINE_DEV: (
            Kind.U64,
            "st_dev of a directory that stands for the cgroup: who opens that, and names the "
            "descriptor to CGROUPSTATS_CMD_GET, asks for the cgroup.",
        ),
        NlemuMachine.NLEMU_A_MACHINE_INO: (Kind.U64, "st_ino of that directory."),
        NlemuMachine.NLEMU_A_MACHINE_RELEASE: (Kind.STRING, "The emulated kernel's release."),
        NlemuMachine.NLEMU_A_MACHINE_MONOTONIC: (
            Kind.U64,
            "The machine's time since boot, in nanoseconds.",
        ),
        NlemuMachine.NLEMU_A_MACHINE_REALTIME: (
            Kind.U64,
            "The machine's time since 1970, in nanoseconds.",
        ),
        NlemuMachine.NLEMU_A_MACHINE_ADVANCE: (
            Kind.U64,
            "Let so many nanoseconds pass; for a clock that stands still.",
        ),
        NlemuMachine.NLEMU_A_MACHINE_DELAYACCT: (
            Kind.U32,
            "kernel.task_delayacct: 1 if tasks that are spawned from now on have delays.",
        ),
    }
)
WATCH: Final = _described(
    {
        NlemuWatch.NLEMU_A_WATCH_PORTID: (Kind.U32, "A client's portid."),
        NlemuWatch.NLEMU_A_WATCH_CPU: (Kind.U32, "A CPU that it listens on."),
        NlemuWatch.NLEMU_A_WATCH_REQUEST: (
            Kind.STRING,
            "Criteria of messages, as in the command line: cmd=TASKSTATS_CMD_GET pid=42. "
            "In wait, a request; without it, a listener is waited for.",
        ),
        NlemuWatch.NLEMU_A_WATCH_COUNT: (Kind.U32, "How many to wait for, by default 1."),
        NlemuWatch.NLEMU_A_WATCH_SINCE: (
            Kind.U32,
            "Only entries of the journal with higher numbers count.",
        ),
        NlemuWatch.NLEMU_A_WATCH_TIMEOUT: (
            Kind.U32,
            "How long to wait, in milliseconds of real time; by default 5000.",
        ),
        NlemuWatch.NLEMU_A_WATCH_TIMED_OUT: (Kind.FLAG, "It did not come."),
        NlemuWatch.NLEMU_A_WATCH_NUMBER: (Kind.U32, "An entry's number in the journal."),
        NlemuWatch.NLEMU_A_WATCH_TIME: (Kind.U64, "When it happened, by the machine's clock."),
        NlemuWatch.NLEMU_A_WATCH_WHAT: (
            Kind.STRING,
            "What it is: sent, queued, dropped, fault, opened, bound, option, membership, closed, "
            "overrun, remark, listener, task, note.",
        ),
        NlemuWatch.NLEMU_A_WATCH_TEXT: (Kind.STRING, "It in words, several lines."),
        NlemuWatch.NLEMU_A_WATCH_JSON: (
            Kind.STRING,
            "It as a JSON object; left out where the message would be too long.",
        ),
        NlemuWatch.NLEMU_A_WATCH_DATA: (Kind.BINARY, "The datagram."),
        NlemuWatch.NLEMU_A_WATCH_PID: (Kind.U32, "The client's process."),
        NlemuWatch.NLEMU_A_WATCH_COMM: (Kind.STRING, "The client's name."),
    }
)
FAULT: Final = _described(
    {
        NlemuFault.NLEMU_A_FAULT_ID: (Kind.U32, "A rule's number."),
        NlemuFault.NLEMU_A_FAULT_RULE: (
            Kind.STRING,
            "A rule, as in the command line: delay seconds=0.5 cmd=TASKSTATS_CMD_GET count=2.",
        ),
        NlemuFault.NLEMU_A_FAULT_SEEN: (Kind.U32, "How many messages it matched."),
        NlemuFault.NLEMU_A_FAULT_APPLIED: (Kind.U32, "How often it came in."),
        NlemuFault.NLEMU_A_FAULT_PORTID: (Kind.U32, "The sockets with this portid."),
        NlemuFault.NLEMU_A_FAULT_PID: (Kind.U32, "The sockets of this process."),
        NlemuFault.NLEMU_A_FAULT_COMM: (Kind.STRING, "The sockets of processes of this name."),
        NlemuFault.NLEMU_A_FAULT_COUNT: (Kind.U32, "How many were hit, or arrived."),
    }
)


@dataclass(frozen=True, slots=True)
class ControlOp:
    """One command: its set of attributes, and which of them stand in which message.

    ``dump`` has no attributes where it is only a do; both where it is both.
    """

    cmd: NlemuCmd
    doc: str
    attrs: AttrSet
    do: tuple[enum.IntEnum, ...] | None = None
    do_reply: tuple[enum.IntEnum, ...] = ()
    dump: tuple[enum.IntEnum, ...] | None = None
    dump_reply: tuple[enum.IntEnum, ...] = ()
    event: tuple[enum.IntEnum, ...] = ()


_T, _M, _W, _F = NlemuTask, NlemuMachine, NlemuWatch, NlemuFault
_TASK_SHOWN: Final = (
    _T.NLEMU_A_TASK_PID, _T.NLEMU_A_TASK_TGID, _T.NLEMU_A_TASK_PPID, _T.NLEMU_A_TASK_COMM,
    _T.NLEMU_A_TASK_CPU, _T.NLEMU_A_TASK_UID, _T.NLEMU_A_TASK_GID, _T.NLEMU_A_TASK_NICE,
    _T.NLEMU_A_TASK_POLICY, _T.NLEMU_A_TASK_STATE, _T.NLEMU_A_TASK_EXIT_STATUS,
)  # fmt: skip
_ENTRY: Final = (
    _W.NLEMU_A_WATCH_NUMBER, _W.NLEMU_A_WATCH_TIME, _W.NLEMU_A_WATCH_WHAT,
    _W.NLEMU_A_WATCH_PORTID, _W.NLEMU_A_WATCH_PID, _W.NLEMU_A_WATCH_COMM,
    _W.NLEMU_A_WATCH_TEXT, _W.NLEMU_A_WATCH_DATA, _W.NLEMU_A_WATCH_JSON,
)  # fmt: skip

OPS: Final = (
    ControlOp(
        NlemuCmd.NLEMU_CMD_TASK_GET,
        "A task by number; as a dump, all of them, zombies too.",
        TASK,
        do=(_T.NLEMU_A_TASK_PID,),
        do_reply=_TASK_SHOWN,
        dump=(),
        dump_reply=_TASK_SHOWN,
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_TASK_NEW,
        "Spawn a process, or with tgid a thread of that process.",
        TASK,
        do=(
            _T.NLEMU_A_TASK_PID,
            _T.NLEMU_A_TASK_TGID,
            _T.NLEMU_A_TASK_PPID,
            _T.NLEMU_A_TASK_COMM,
            _T.NLEMU_A_TASK_CPU,
            _T.NLEMU_A_TASK_UID,
            _T.NLEMU_A_TASK_GID,
            _T.NLEMU_A_TASK_NICE,
            _T.NLEMU_A_TASK_POLICY,
            _T.NLEMU_A_TASK_STATE,
            _T.NLEMU_A_TASK_AMOUNTS,
        ),
        do_reply=_TASK_SHOWN,
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_TASK_SET,
        "Change a task: account amounts, move it, let it exec.",
        TASK,
        do=(
            _T.NLEMU_A_TASK_PID,
            _T.NLEMU_A_TASK_COMM,
            _T.NLEMU_A_TASK_CPU,
            _T.NLEMU_A_TASK_NICE,
            _T.NLEMU_A_TASK_POLICY,
            _T.NLEMU_A_TASK_STATE,
            _T.NLEMU_A_TASK_AMOUNTS,
        ),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_TASK_END,
        "End a process by an exit code (0 by default) or a signal, or one thread.",
        TASK,
        do=(
            _T.NLEMU_A_TASK_PID,
            _T.NLEMU_A_TASK_CODE,
            _T.NLEMU_A_TASK_SIGNAL,
            _T.NLEMU_A_TASK_CORE,
            _T.NLEMU_A_TASK_ONE_THREAD,
            _T.NLEMU_A_TASK_ZOMBIE,
        ),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_TASK_REAP,
        "Have the parent wait for a zombie; its number is free then.",
        TASK,
        do=(_T.NLEMU_A_TASK_PID,),
        do_reply=(_T.NLEMU_A_TASK_EXIT_STATUS,),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_TASK_STORM,
        "Let many processes start and end, one after the other; without cpu, on all in turn.",
        TASK,
        do=(
            _T.NLEMU_A_TASK_COUNT,
            _T.NLEMU_A_TASK_COMM,
            _T.NLEMU_A_TASK_CPU,
            _T.NLEMU_A_TASK_CODE,
            _T.NLEMU_A_TASK_LIFETIME,
            _T.NLEMU_A_TASK_AMOUNTS,
        ),
        do_reply=(_T.NLEMU_A_TASK_COUNT,),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_CPU_GET,
        "The possible CPUs, and which are online.",
        MACHINE,
        dump=(),
        dump_reply=(_M.NLEMU_A_MACHINE_CPU, _M.NLEMU_A_MACHINE_ONLINE),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_CPU_SET,
        "Take a CPU down, or bring it up.",
        MACHINE,
        do=(_M.NLEMU_A_MACHINE_CPU, _M.NLEMU_A_MACHINE_ONLINE),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_CGROUP_NEW,
        "Make a cgroup and those above it; an existing one gets the directory.",
        MACHINE,
        do=(_M.NLEMU_A_MACHINE_CGROUP, _M.NLEMU_A_MACHINE_DEV, _M.NLEMU_A_MACHINE_INO),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_CGROUP_DEL,
        "Remove an empty cgroup.",
        MACHINE,
        do=(_M.NLEMU_A_MACHINE_CGROUP,),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_CGROUP_ATTACH,
        "Move a task to a cgroup.",
        MACHINE,
        do=(_M.NLEMU_A_MACHINE_CGROUP, _M.NLEMU_A_MACHINE_PID),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_MACHINE_GET,
        "The kernel's release, and the machine's clock.",
        MACHINE,
        do=(),
        do_reply=(
            _M.NLEMU_A_MACHINE_RELEASE,
            _M.NLEMU_A_MACHINE_MONOTONIC,
            _M.NLEMU_A_MACHINE_REALTIME,
            _M.NLEMU_A_MACHINE_DELAYACCT,
        ),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_MACHINE_SET,
        "Let time pass; switch delay accounting.",
        MACHINE,
        do=(_M.NLEMU_A_MACHINE_ADVANCE, _M.NLEMU_A_MACHINE_DELAYACCT),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_LISTENER_GET,
        "Who is registered for exits on which CPU.",
        WATCH,
        dump=(),
        dump_reply=(_W.NLEMU_A_WATCH_PORTID, _W.NLEMU_A_WATCH_CPU),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_WAIT,
        "Wait for a listener or a request; the reply comes when there is one, or time is up.",
        WATCH,
        do=(
            _W.NLEMU_A_WATCH_CPU,
            _W.NLEMU_A_WATCH_REQUEST,
            _W.NLEMU_A_WATCH_COUNT,
            _W.NLEMU_A_WATCH_SINCE,
            _W.NLEMU_A_WATCH_TIMEOUT,
        ),
        do_reply=(
            _W.NLEMU_A_WATCH_PORTID,
            _W.NLEMU_A_WATCH_NUMBER,
            _W.NLEMU_A_WATCH_TIMED_OUT,
            _W.NLEMU_A_WATCH_TEXT,
        ),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_FAULT_NEW,
        "Add a rule.",
        FAULT,
        do=(_F.NLEMU_A_FAULT_RULE,),
        do_reply=(_F.NLEMU_A_FAULT_ID,),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_FAULT_GET,
        "The rules.",
        FAULT,
        dump=(),
        dump_reply=(
            _F.NLEMU_A_FAULT_ID,
            _F.NLEMU_A_FAULT_RULE,
            _F.NLEMU_A_FAULT_SEEN,
            _F.NLEMU_A_FAULT_APPLIED,
        ),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_FAULT_DEL,
        "Remove a rule, or without id all of them.",
        FAULT,
        do=(_F.NLEMU_A_FAULT_ID,),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_FAULT_RELEASE,
        "Let arrive at once what rules hold back.",
        FAULT,
        do=(),
        do_reply=(_F.NLEMU_A_FAULT_COUNT,),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_OVERRUN,
        "Overrun sockets at once: their next receive gives ENOBUFS.",
        FAULT,
        do=(_F.NLEMU_A_FAULT_PORTID, _F.NLEMU_A_FAULT_PID, _F.NLEMU_A_FAULT_COMM),
        do_reply=(_F.NLEMU_A_FAULT_COUNT,),
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_JOURNAL_GET,
        "The journal, or what of it matches.",
        WATCH,
        dump=(_W.NLEMU_A_WATCH_SINCE, _W.NLEMU_A_WATCH_REQUEST),
        dump_reply=_ENTRY,
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_JOURNAL_NOTE,
        "Add a line of one's own.",
        WATCH,
        do=(_W.NLEMU_A_WATCH_TEXT,),
    ),
    ControlOp(NlemuCmd.NLEMU_CMD_JOURNAL_CLEAR, "Forget all entries.", WATCH, do=()),
    ControlOp(
        NlemuCmd.NLEMU_CMD_JOURNAL_NTF,
        "An entry, as it is made; to the group journal.",
        WATCH,
        event=_ENTRY,
    ),
    ControlOp(
        NlemuCmd.NLEMU_CMD_RESET,
        "Forget tasks (but init), cgroups, listeners, faults and journal; all CPUs are online.",
        MACHINE,
        do=(),
    ),
)

NETLINK_EMU: Final = FamilyDesc(
    NETLINK_EMU_GENL_NAME,
    {op.cmd.value: op.cmd.name for op in OPS},
    {op.cmd.value: op.attrs for op in OPS},
)

_POLICY_TYPES: Final = {
    Kind.U32: NlaType.NLA_U32,
    Kind.U64: NlaType.NLA_U64,
    Kind.STRING: NlaType.NLA_NUL_STRING,
    Kind.BINARY: NlaType.NLA_BINARY,
    Kind.FLAG: NlaType.NLA_FLAG,
    Kind.NEST: NlaType.NLA_NESTED,
}


def policy_of(attrs: AttrSet, allowed: tuple[enum.IntEnum, ...]) -> Policy:
    """The policy of a request with these attributes; others are refused."""
    return {int(member): NlaPolicy(_POLICY_TYPES[attrs[member].kind]) for member in allowed}
