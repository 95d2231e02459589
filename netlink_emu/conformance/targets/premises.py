"""What a case needs of a machine: derived from its steps, checked before it is carried out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Case
from netlink_emu.conformance.cases.masked import MaskedBytes
from netlink_emu.conformance.cases.structure import cpu_lists_in, stats_blocks
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import SOL_SOCKET

from .real import probe

_BUFFER_OPTIONS: Final = (7, 8, 32, 33)  # SO_SNDBUF, SO_RCVBUF and their FORCE
# Of SOL_SOCKET, as net/core/sock.c asks for CAP_NET_ADMIN or CAP_NET_RAW: SO_SNDBUFFORCE,
# SO_RCVBUFFORCE, SO_BUSY_POLL, SO_BINDTOIFINDEX, SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET.
_PRIVILEGED_OPTIONS: Final = (32, 33, 46, 62, 69, 70)
_DEFAULT_BUFFER: Final = "212992"
_NOTIFY: Final = 16  # nlctrl's multicast group
_CGROUP_ROOT: Final = Path("/sys/fs/cgroup")


def cpu_lists(case: Case) -> Iterator[bytes]:
    """The CPU lists that a case sends."""
    for step in case.steps:
        if isinstance(step.op, ops.Send):
            yield from cpu_lists_in(step.op.payload.data, case.order)


def cpus_used(case: Case) -> frozenset[int]:
    """The CPUs that tasks of a case are bound to, without those that were refused."""
    return frozenset(
        step.op.cpu or 0
        for step in case.steps
        if isinstance(step.op, ops.Spawn | ops.Thread | ops.SetCpu) and not step.expect.error
    )


def recorded_family_id(case: Case) -> int | None:
    """The id that TASKSTATS had where the case was recorded; None if it does not show."""
    payloads: list[MaskedBytes] = [
        payload
        for step in case.steps
        for payload in (
            *([step.op.payload] if isinstance(step.op, ops.Send) else ()),
            *(datagram.payload for datagram in step.expect.datagrams or ()),
        )
    ]
    for payload in payloads:
        for mask in payload.masks:
            if mask.symbol.kind == "FAMILY_ID":
                return payload.value(mask, case.order)
    return None


def has_stats(case: Case) -> bool:
    return any(
        next(stats_blocks(datagram.payload.data, case.order), None) is not None
        for step in case.steps
        for datagram in step.expect.datagrams or ()
    )


def asks_family(case: Case) -> bool:
    """Whether a case speaks to TASKSTATS."""
    return any(
        mask.symbol.kind == "FAMILY_ID"
        for step in case.steps
        if isinstance(step.op, ops.Send)
        for mask in step.op.payload.masks
    )


def needs_root(case: Case) -> str | None:
    """What of a case an ordinary user may not do."""
    if asks_family(case):
        return "asking TASKSTATS"
    for step in case.steps:
        match step.op:
            case ops.Spawn() | ops.SetIds() | ops.SetEuid() | ops.UsePrivilege():
                return "making tasks"
            case ops.Mkdir(path=path) if path.startswith(str(_CGROUP_ROOT)):
                return "making cgroups"
            case ops.Connect() | ops.Send(addr=list()) | ops.Send(addr_hex=str()):
                return "sending to other sockets"
            case ops.SetSockOpt(level=270, opt=1, value=int(group)) if group != _NOTIFY:
                return "joining the groups of other families"
            case ops.Bind(groups=int(groups)) if groups & ~(1 << _NOTIFY - 1):
                return "joining the groups of other families"
            case ops.SetSockOpt(level=1, opt=opt) if opt in _PRIVILEGED_OPTIONS:
                return "privileged socket options"
            case ops.SetSockOpt(level=270, opt=8):
                return "privileged socket options"
            case ops.Send(cmsg_creds=list()):
                return "sending the credentials of root"
    return None


def _hurries(case: Case) -> bool:
    """Whether a task takes a nice value or a policy that only CAP_SYS_NICE allows."""
    return any(
        (isinstance(step.op, ops.SetNice) and step.op.nice < 0)
        or (isinstance(step.op, ops.SetPolicy) and step.op.policy in ("fifo", "rr"))
        for step in case.steps
    )


def _missing_paths(case: Case) -> str | None:
    made = {step.op.path for step in case.steps if isinstance(step.op, ops.Mkdir)}
    for step in case.steps:
        match step.op:
            case ops.Mkdir(path=path) | ops.CgroupAttach(path=path):
                path = path if path not in made else str(Path(path).parent)
            case ops.Open(path=str(path)) if path not in made:
                pass
            case ops.Spawn(exec=[path, *_]) | ops.Exit(argv=[path, *_]):
                pass
            case _:
                continue
        if not Path(path).exists():
            if path.startswith(str(_CGROUP_ROOT)):
                return f"no cgroup hierarchy at {path}"
            return f"no {path}"
    return None


def _missing_buffers(case: Case) -> str | None:
    """Sizes of socket buffers are exact, so the system's defaults must be the recorded ones."""
    touches = any(
        isinstance(step.op, ops.GetSockOpt | ops.SetSockOpt)
        and step.op.level == SOL_SOCKET
        and step.op.opt in _BUFFER_OPTIONS
        for step in case.steps
    )
    if not touches:
        return None
    for name in ("net.core.rmem_default", "net.core.wmem_default"):
        if probe.sysctl(name) != _DEFAULT_BUFFER:
            return f"{name} is {probe.sysctl(name)}, not {_DEFAULT_BUFFER}"
    return None


def missing_to_record(case: Case, family_id: int | None) -> str | None:
    """Why a case cannot be carried out on this machine's kernel, None if it can."""
    if case.order is not HOST_ORDER:
        return f"this machine is {HOST_ORDER.name}-endian, recorded on {case.arch}"
    if not probe.is_admin() and (what := needs_root(case)) is not None:
        return f"{what} needs root with CAP_NET_ADMIN"
    if not probe.can_hurry() and _hurries(case):
        return "negative nice values and real-time policies need CAP_SYS_NICE"
    if family_id is None and (asks_family(case) or b"TASKSTATS" in _all_sent(case)):
        return "this kernel has no TASKSTATS"
    if asks_family(case) and not probe.in_initial_namespaces():
        return "not in the kernel's initial user, pid and net namespaces"
    if absent := cpus_used(case) - probe.cpus_usable():
        return f"no CPU {min(absent)} to run tasks on"
    if any(isinstance(step.op, ops.Spawn) and step.op.unshare for step in case.steps) and (
        not probe.can_unshare_users()
    ):
        return "user namespaces are switched off"
    return _missing_paths(case)


def missing_for_kernel(case: Case, family_id: int | None) -> str | None:
    """Why a case cannot be compared with this machine's kernel, None if it can."""
    if (reason := missing_to_record(case, family_id)) is not None:
        return reason
    lists = list(cpu_lists(case))
    if lists and case.cpus_possible and probe.cpus_possible() != case.cpus_possible:
        return f"possible CPUs are {probe.cpus_possible()}, recorded with {case.cpus_possible}"
    if has_stats(case) and probe.sysctl("kernel.task_delayacct") not in ("0", ""):
        return "kernel.task_delayacct is on, recorded with it off"
    if any(isinstance(step.op, ops.RlimitCore) and step.op.bytes for step in case.steps) and (
        probe.sysctl("kernel.core_pattern") != "core"
    ):
        return f"kernel.core_pattern is {probe.sysctl('kernel.core_pattern')!r}, not 'core'"
    return _missing_buffers(case)


def missing_for_anything(family_id: int | None, cpus: frozenset[int]) -> str | None:
    """Why sequences of any steps cannot be compared with this machine's kernel."""
    if not probe.is_admin():
        return "it needs root with CAP_NET_ADMIN"
    if family_id is None:
        return "this kernel has no TASKSTATS"
    if not probe.in_initial_namespaces():
        return "not in the kernel's initial user, pid and net namespaces"
    if absent := cpus - probe.cpus_usable():
        return f"no CPU {min(absent)} to run tasks on"
    if probe.sysctl("kernel.task_delayacct") not in ("0", ""):
        return "kernel.task_delayacct is on"
    return None


def _all_sent(case: Case) -> bytes:
    return b"".join(step.op.payload.data for step in case.steps if isinstance(step.op, ops.Send))
