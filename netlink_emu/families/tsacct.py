"""What of a task's accounting stands in struct taskstats: kernel/tsacct.c, kernel/delayacct.c.

Values are computed for every member that any version has; a layout takes those that it knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.profile import MemIntegral
from netlink_emu.machine.accounting import DELAYS, Delay, MemUse, mb_usec
from netlink_emu.machine.clock import NSEC_PER_SEC, NSEC_PER_USEC
from netlink_emu.machine.namespaces import PidNamespace, UserNamespace
from netlink_emu.machine.task import (
    PF_DUMPCORE,
    PF_EXITING,
    PF_FORKNOEXEC,
    PF_SIGNALED,
    PF_SUPERPRIV,
    ExitState,
    Task,
)
from netlink_emu.protocol.taskstats import ACORE, AFORK, ASU, AXSIG, BLANK

if TYPE_CHECKING:
    from netlink_emu.kernel.profile import Profile
    from netlink_emu.machine.clock import Clock

U64: Final = 0xFFFFFFFFFFFFFFFF
U32: Final = 0xFFFFFFFF
S64_MAX: Final = 0x7FFFFFFFFFFFFFFF
KB_MASK: Final = ~1023
USEC_PER_MSEC: Final = 1000

# Plain numbers: an "or" of IntFlag takes 0.4 us.
_AFORK, _ASU, _ACORE, _AXSIG = int(AFORK), int(ASU), int(ACORE), int(AXSIG)

Stats = dict[str, int | bytes]
Sums = dict[str, int]


@dataclass(frozen=True, slots=True)
class DelayMembers:
    """The names of one kind of delay's members of struct taskstats."""

    count: str
    total: str
    max: str
    min: str
    max_ts_sec: str
    max_ts_nsec: str

    @classmethod
    def of(cls, name: str) -> DelayMembers:
        stem = f"{name}_delay"
        return cls(
            f"{name}_count",
            f"{stem}_total",
            f"{stem}_max",
            f"{stem}_min",
            f"{stem}_max_ts_sec",
            f"{stem}_max_ts_nsec",
        )


_CPU: Final = DelayMembers.of("cpu")
_MEMBERS: Final = {name: DelayMembers.of(name) for name in DELAYS}
_NEVER: Final = Delay()


def _add(sums: Sums, name: str, value: int) -> None:
    """A total that would overflow s64 starts again from 0; its count goes on."""
    total = sums.get(name, 0) + value
    sums[name] = total if total <= S64_MAX else 0


def _add_delay(sums: Sums, members: DelayMembers, delay: Delay, count: int) -> None:
    _add(sums, members.total, delay.total)
    sums[members.count] = (sums.get(members.count, 0) + count) & U64
    # Of several tasks the last one's stand, even if it never waited.
    sums[members.max], sums[members.min] = delay.max, delay.min
    at_ns = delay.max_at_ns
    sums[members.max_ts_sec] = at_ns // NSEC_PER_SEC
    sums[members.max_ts_nsec] = at_ns % NSEC_PER_SEC


def delayacct_add_tsk(
    profile: Profile, sums: Sums, task: Task, kinds: Iterable[str] = DELAYS
) -> None:
    """delayacct_add_tsk(): add a task's delays and run times to ``sums``.

    ``kinds`` are the kinds of delays that this task or one before it can have had.
    """
    accounting = profile.config.task_delay_acct
    accounted = accounting and task.delayacct
    if not accounting or not (accounted or profile.cpu_delay_always):
        return
    _add(sums, "cpu_run_real_total", task.utime_ns + task.stime_ns)
    # No machine here scales CPU times: CONFIG_ARCH_HAS_SCALED_CPUTIME.
    sums["cpu_scaled_run_real_total"] = sums["cpu_run_real_total"]
    _add(sums, "cpu_run_virtual_total", task.sum_exec_runtime_ns)
    _add_delay(sums, _CPU, task.run_delay, task.run_count)
    if not accounted:
        return
    for name in kinds:
        members = _MEMBERS[name]
        # A kind of delay that neither this task nor one before it had stays as it is: zero.
        if name in task.delays or sums.get(members.count):
            delay = task.delays.get(name, _NEVER)
            count = delay.count if profile.zero_delay_ignored else delay.count + delay.zeros
            _add_delay(sums, members, delay, count)


def thread_group_times(profile: Profile, sums: Sums, task: Task, now_ns: int) -> None:
    """What else a thread adds to its group: age, CPU times, context switches."""
    if profile.tgid_times:
        add_times(sums, task, now_ns)
    if profile.tgid_ctxsw:
        add_ctxsw(sums, task)


def add_times(sums: Sums, task: Task, now_ns: int) -> None:
    """ac_etime, ac_utime and ac_stime as sums over threads, in microseconds."""
    for name, ns in (
        # The host's tasks may have started when a late scenario's clock has yet to come there.
        ("ac_etime", max(0, now_ns - task.start_time_ns)),
        ("ac_utime", task.utime_ns),
        ("ac_stime", task.stime_ns),
    ):
        sums[name] = (sums.get(name, 0) + ns // NSEC_PER_USEC) & U64


def add_ctxsw(sums: Sums, task: Task) -> None:
    """Voluntary and involuntary context switches, summed."""
    sums["nvcsw"] = (sums.get("nvcsw", 0) + task.nvcsw) & U64
    sums["nivcsw"] = (sums.get("nivcsw", 0) + task.nivcsw) & U64


def fill_stats(
    profile: Profile, clock: Clock, user_ns: UserNamespace, pid_ns: PidNamespace, task: Task
) -> Stats:
    """fill_stats(): every member for one task, ids as seen in the given namespaces.

    What a member has no room for is cut off when it is packed.
    """
    stats = BLANK.copy()
    # All of these are int; no task was before this one.
    delayacct_add_tsk(profile, stats, task, task.delays)  # type: ignore[arg-type]
    _bacct_add_tsk(profile, clock, pid_ns, task, stats)
    stats["ac_uid"] = user_ns.from_kuid(task.cred.uid)
    stats["ac_gid"] = user_ns.from_kgid(task.cred.gid)
    _xacct_add_tsk(profile, task, stats)
    if task.mm is not None:  # exe_add_tsk() of kernel/taskstats.c
        stats["ac_exe_dev"], stats["ac_exe_inode"] = task.mm.exe_dev, task.mm.exe_inode
    return stats


def _bacct_add_tsk(
    profile: Profile, clock: Clock, pid_ns: PidNamespace, task: Task, stats: Stats
) -> None:
    """bacct_add_tsk(): basic accounting."""
    now, leader, flags = clock.monotonic_ns(), task.group.leader, task.flags
    etime = (now - task.start_time_ns) // NSEC_PER_USEC if now > task.start_time_ns else 0
    btime = clock.realtime_ns() // NSEC_PER_SEC - etime // 1_000_000
    utime, stime = task.utime_ns // NSEC_PER_USEC, task.stime_ns // NSEC_PER_USEC
    if not profile.times_in_usec:
        utime -= utime % USEC_PER_MSEC
        stime -= stime % USEC_PER_MSEC
    stats["version"] = profile.taskstats_version
    if flags & PF_EXITING and (profile.exitcode_every_thread or task is leader):
        stats["ac_exitcode"] = task.exit_code
    stats["ac_flag"] = (
        (_AFORK if flags & PF_FORKNOEXEC and task is leader else 0)
        | (_ASU if flags & PF_SUPERPRIV else 0)
        | (_ACORE if flags & PF_DUMPCORE else 0)
        | (_AXSIG if flags & PF_SIGNALED else 0)
    )
    stats["ac_nice"] = task.nice & 0xFF  # negative: not only where it is cut off
    stats["ac_sched"] = task.policy
    stats["ac_comm"] = task.comm
    stats["ac_pid"] = stats["ac_tgid"] = task.pid_nr_ns(pid_ns)
    stats["ac_etime"] = stats["ac_tgetime"] = etime
    if task is not leader:
        stats["ac_tgid"] = leader.pid_nr_ns(pid_ns)
        stats["ac_tgetime"] = max(0, now - leader.start_time_ns) // NSEC_PER_USEC
    parent = task.real_parent
    if parent is not None and task.exit_state is not ExitState.DEAD:
        stats["ac_ppid"] = parent.tgid_nr_ns(pid_ns)
    stats["ac_btime"] = btime if 0 <= btime <= U32 else min(max(btime, 0), U32)
    stats["ac_btime64"] = btime
    stats["ac_utime"] = stats["ac_utimescaled"] = utime
    stats["ac_stime"] = stats["ac_stimescaled"] = stime
    stats["ac_minflt"], stats["ac_majflt"] = task.min_flt, task.maj_flt
    stats["nvcsw"], stats["nivcsw"] = task.nvcsw, task.nivcsw


def _mem(profile: Profile, use: MemUse) -> int:
    """__acct_update_integrals() of the era: over which CPU time memory was summed."""
    if profile.mem_integral is MemIntegral.SYSTEM_TIME:
        return mb_usec(use.system)
    if profile.mem_integral is MemIntegral.CPU_TIME:
        return mb_usec(use.whole)
    return mb_usec(use.ticked)


def _xacct_add_tsk(profile: Profile, task: Task, stats: Stats) -> None:
    """xacct_add_tsk(): memory and I/O; empty without CONFIG_TASK_XACCT."""
    if not profile.config.task_xacct:
        return
    if task.rss_use is not None:
        stats["coremem"] = _mem(profile, task.rss_use)
    if task.vm_use is not None:
        stats["virtmem"] = _mem(profile, task.vm_use)
    mm = task.mm
    if mm is not None:
        stats["hiwater_rss"], stats["hiwater_vm"] = mm.hiwater_rss_kb, mm.hiwater_vm_kb
    io = task.charged_io
    if io is None:
        return
    mask = KB_MASK if profile.io_rounding else -1
    stats["read_char"] = io.rchar & mask
    stats["write_char"] = io.wchar & mask
    stats["read_syscalls"] = io.syscr & mask
    stats["write_syscalls"] = io.syscw & mask
    if not profile.config.task_io_accounting:
        return
    stats["read_bytes"] = io.read_bytes & mask
    stats["write_bytes"] = io.write_bytes & mask
    stats["cancelled_write_bytes"] = io.cancelled_write_bytes & mask
