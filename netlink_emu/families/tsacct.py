"""What of a task's accounting stands in struct taskstats: kernel/tsacct.c, kernel/delayacct.c.

Values are computed for every member that any version has; a layout takes those that it knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netlink_emu.machine.accounting import DELAYS, Delay
from netlink_emu.machine.clock import NSEC_PER_SEC, NSEC_PER_USEC
from netlink_emu.machine.namespaces import PidNamespace, UserNamespace
from netlink_emu.machine.tasks import (
    PF_DUMPCORE,
    PF_EXITING,
    PF_FORKNOEXEC,
    PF_SIGNALED,
    PF_SUPERPRIV,
    ExitState,
    Task,
)
from netlink_emu.protocol.taskstats import ACORE, AFORK, ASU, AXSIG

if TYPE_CHECKING:
    from netlink_emu.kernel.profile import Profile
    from netlink_emu.machine.clock import Clock

U64: Final = 0xFFFFFFFFFFFFFFFF
U32: Final = 0xFFFFFFFF
S64_MAX: Final = 0x7FFFFFFFFFFFFFFF
KB_MASK: Final = ~1023
USEC_PER_MSEC: Final = 1000

Stats = dict[str, int | bytes]
Sums = dict[str, int]


def _add(sums: Sums, name: str, value: int) -> None:
    """A total that would overflow s64 starts again from 0; its count goes on."""
    total = sums.get(name, 0) + value
    sums[name] = total if total <= S64_MAX else 0


def _add_delay(sums: Sums, name: str, delay: Delay, count: int) -> None:
    sums[f"{name}_count"] = (sums.get(f"{name}_count", 0) + count) & U64
    _add(sums, f"{name}_delay_total", delay.total)
    # Of several tasks the last one's stand, even if it never waited.
    sums[f"{name}_delay_max"] = delay.max
    sums[f"{name}_delay_min"] = delay.min
    seconds, nanoseconds = divmod(delay.max_at_ns, NSEC_PER_SEC)
    sums[f"{name}_delay_max_ts_sec"] = seconds
    sums[f"{name}_delay_max_ts_nsec"] = nanoseconds


def delayacct_add_tsk(profile: Profile, sums: Sums, task: Task) -> None:
    """delayacct_add_tsk(): add a task's delays and run times to ``sums``."""
    accounted = profile.config.task_delay_acct and task.delayacct
    if not profile.config.task_delay_acct or not (accounted or profile.cpu_delay_always):
        return
    run_real = task.utime_ns + task.stime_ns
    _add(sums, "cpu_run_real_total", run_real)
    _add(sums, "cpu_scaled_run_real_total", run_real)
    _add(sums, "cpu_run_virtual_total", task.sum_exec_runtime_ns)
    _add_delay(sums, "cpu", task.run_delay, task.run_count)
    if accounted:
        for name in DELAYS:
            _add_delay(sums, name, task.delays[name], task.delays[name].count)


def thread_group_times(profile: Profile, sums: Sums, task: Task, now_ns: int) -> None:
    """What else a thread adds to its group: age, CPU times, context switches."""
    if profile.tgid_times:
        add_times(sums, task, now_ns)
    if profile.tgid_ctxsw:
        add_ctxsw(sums, task)


def add_times(sums: Sums, task: Task, now_ns: int) -> None:
    """ac_etime, ac_utime and ac_stime as sums over threads, in microseconds."""
    for name, ns in (
        ("ac_etime", now_ns - task.start_time_ns),
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
    """fill_stats(): all of one task, ids as seen in the given namespaces."""
    sums: Sums = {}
    delayacct_add_tsk(profile, sums, task)
    stats: Stats = {**sums, "version": profile.taskstats_version}
    stats["nvcsw"], stats["nivcsw"] = task.nvcsw & U64, task.nivcsw & U64
    _bacct_add_tsk(profile, clock, user_ns, pid_ns, task, stats)
    _xacct_add_tsk(profile, task, stats)
    return stats


def _bacct_add_tsk(
    profile: Profile,
    clock: Clock,
    user_ns: UserNamespace,
    pid_ns: PidNamespace,
    task: Task,
    stats: Stats,
) -> None:
    """bacct_add_tsk(): basic accounting."""
    now = clock.monotonic_ns()
    etime = max(0, now - task.start_time_ns) // NSEC_PER_USEC
    btime = clock.realtime_ns() // NSEC_PER_SEC - etime // 1_000_000
    stats["ac_etime"] = etime
    stats["ac_tgetime"] = max(0, now - task.group.leader.start_time_ns) // NSEC_PER_USEC
    stats["ac_btime"] = min(max(btime, 0), U32)
    stats["ac_btime64"] = btime & U64
    if task.flags & PF_EXITING and (profile.exitcode_every_thread or task.is_leader):
        stats["ac_exitcode"] = task.exit_code & U32
    stats["ac_flag"] = _ac_flag(task)
    stats["ac_nice"] = task.nice & 0xFF
    stats["ac_sched"] = task.policy & 0xFF
    stats["ac_uid"] = user_ns.from_kuid(task.cred.uid)
    stats["ac_gid"] = user_ns.from_kgid(task.cred.gid)
    stats["ac_pid"] = task.pid_nr_ns(pid_ns)
    stats["ac_tgid"] = task.tgid_nr_ns(pid_ns)
    parent = task.real_parent
    alive = task.exit_state is not ExitState.DEAD
    stats["ac_ppid"] = parent.tgid_nr_ns(pid_ns) if parent is not None and alive else 0
    unit = NSEC_PER_USEC if profile.times_in_usec else NSEC_PER_USEC * USEC_PER_MSEC
    factor = 1 if profile.times_in_usec else USEC_PER_MSEC
    utime, stime = (ns // unit * factor & U64 for ns in (task.utime_ns, task.stime_ns))
    stats["ac_utime"] = stats["ac_utimescaled"] = utime
    stats["ac_stime"] = stats["ac_stimescaled"] = stime
    stats["ac_minflt"], stats["ac_majflt"] = task.min_flt & U64, task.maj_flt & U64
    stats["ac_comm"] = task.comm


def _ac_flag(task: Task) -> int:
    flag = 0
    if task.is_leader and task.flags & PF_FORKNOEXEC:
        flag |= AFORK
    if task.flags & PF_SUPERPRIV:
        flag |= ASU
    if task.flags & PF_DUMPCORE:
        flag |= ACORE
    if task.flags & PF_SIGNALED:
        flag |= AXSIG
    return int(flag)


def _xacct_add_tsk(profile: Profile, task: Task, stats: Stats) -> None:
    """xacct_add_tsk(): memory, I/O, and the executable."""
    stats["coremem"], stats["virtmem"] = task.acct_rss_mem & U64, task.acct_vm_mem & U64
    if task.mm is not None:
        stats["hiwater_rss"], stats["hiwater_vm"] = task.mm.hiwater_rss_kb, task.mm.hiwater_vm_kb
        stats["ac_exe_dev"], stats["ac_exe_inode"] = task.mm.exe_dev, task.mm.exe_inode
    mask = KB_MASK if profile.io_rounding else -1
    io = task.io
    for name, value in (
        ("read_char", io.rchar),
        ("write_char", io.wchar),
        ("read_syscalls", io.syscr),
        ("write_syscalls", io.syscw),
        ("read_bytes", io.read_bytes),
        ("write_bytes", io.write_bytes),
        ("cancelled_write_bytes", io.cancelled_write_bytes),
    ):
        stats[name] = value & mask & U64
