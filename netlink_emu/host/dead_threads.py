"""What the threads of a process that have ended used: the difference of two sums.

/proc shows no dead threads. The CPU clock of a process (clock_getcpuclockid(3)) counts them,
though, in nanoseconds, and those of its living threads are known; so do the CPU times of
/proc/PID/stat, in ticks. The rest of a dead thread's figures is lost.
"""

from __future__ import annotations

import time
from typing import Final

from netlink_emu.families.tsacct import Sums, add_times, delayacct_add_tsk
from netlink_emu.kernel.profile import Profile
from netlink_emu.machine.task import Task

_CPUCLOCK_SCHED: Final = 2  # include/linux/posix-timers_types.h


def process_runtime_ns(tgid: int) -> int:
    """The CPU time of a process since it began; 0 if it is gone.

    It lags behind for threads that run right now: a sum over threads that is read later is
    never less, unless a thread has ended.
    """
    try:
        return time.clock_gettime_ns(~tgid << 3 | _CPUCLOCK_SCHED)
    except OSError:
        return 0


def sums_of_dead(
    profile: Profile,
    leader: Task,
    runtime_ns: int,
    user_ns: int,
    system_ns: int,
    now_ns: int,
) -> Sums:
    """The thread group's taskstats block, for so much time of dead threads."""
    ghost = Task(
        pid=leader.pid,
        comm=b"",
        cpu=0,
        cred=leader.cred,
        net=leader.net,
        numbers=leader.numbers,
        pid_ns=leader.pid_ns,
        start_time_ns=now_ns,
        real_parent=None,
        realtime_ns=int,
    )
    ghost.run_count = 0
    ghost.sum_exec_runtime_ns = runtime_ns
    ghost.utime_ns, ghost.stime_ns = user_ns, system_ns
    sums: Sums = {}
    delayacct_add_tsk(profile, sums, ghost)
    if profile.dead_threads_keep_times:
        add_times(sums, ghost, now_ns)
    return sums
