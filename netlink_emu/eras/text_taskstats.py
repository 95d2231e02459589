"""What the capabilities of TASKSTATS mean to a client, in a sentence for each value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from netlink_emu.eras.words import Area, Words, switch
from netlink_emu.kernel.profile import MemIntegral, TaskstatsPad
from netlink_emu.protocol.cpulist import CpulistDialect

_S: Final = Area.STRUCT
_R: Final = Area.REQUESTS

TASKSTATS_WORDS: Final[Mapping[str, Words]] = {
    "taskstats_version": Words(_S, "layout", {}),
    "taskstats_pad": Words(
        _S,
        "TASKSTATS_TYPE_NULL",
        {
            TaskstatsPad.NEVER: "No attribute is there for alignment alone.",
            TaskstatsPad.BEFORE_AGGR: "An empty attribute of type 6 stands before each AGGR "
            "attribute; in a two-part event the second struct is misaligned all the same.",
            TaskstatsPad.BEFORE_STATS: "An empty attribute of type 6 stands inside the nest, "
            "before STATS, where the struct would be misaligned without.",
        },
    ),
    "tgid_ctxsw": switch(
        _S,
        "context switches of a process",
        "A TGID reply has no nvcsw and nivcsw.",
        "A TGID reply sums nvcsw and nivcsw of the live threads.",
    ),
    "tgid_times": switch(
        _S,
        "times of a process",
        "A TGID reply has no ac_etime, ac_utime and ac_stime.",
        "A TGID reply sums ac_etime, ac_utime and ac_stime of the live threads.",
    ),
    "tgid_exit_version": switch(
        _S,
        "version in AGGR_TGID of events",
        "The struct in the AGGR_TGID part of an exit event has version 0.",
        "The struct in the AGGR_TGID part of an exit event has its version.",
    ),
    "dead_threads_keep_times": switch(
        _S,
        "dead threads of a process",
        "Of threads that have ended, TGID replies and AGGR_TGID keep the delays only.",
        "Of threads that have ended, TGID replies and AGGR_TGID keep the delays, ac_etime, "
        "ac_utime, ac_stime, nvcsw and nivcsw.",
    ),
    "dead_threads_always_kept": switch(
        _S,
        "dead threads nobody listened to",
        "A thread that ends while nobody listens on its CPU is missing in its process's sums.",
        "A thread that ends is kept in its process's sums, whether anybody listens or not.",
    ),
    "delayacct_default_on": switch(
        _S,
        "delay accounting by default",
        "Delay accounting is off unless asked for (delayacct, kernel.task_delayacct).",
        "Delay accounting is on unless switched off (nodelayacct).",
    ),
    "cpu_delay_always": switch(
        _S,
        "without delay accounting",
        "Without delay accounting all delay fields are 0, also cpu_* and cpu_run_*.",
        "Without delay accounting cpu_* and cpu_run_* are still filled; the others are 0.",
    ),
    "io_rounding": switch(
        _S,
        "I/O counters",
        "The I/O counters are exact.",
        "The I/O counters are multiples of 1024, also the numbers of system calls: less is 0.",
    ),
    "times_in_usec": switch(
        _S,
        "resolution of CPU times",
        "ac_utime, ac_stime and their scaled kin are whole milliseconds.",
        "ac_utime, ac_stime and their scaled kin are microseconds.",
    ),
    "mem_integral": Words(
        _S,
        "coremem and virtmem",
        {
            MemIntegral.SYSTEM_TIME: "Memory is summed over the time spent in the kernel.",
            MemIntegral.CPU_TIME: "Memory is summed over all CPU time.",
            MemIntegral.CPU_TICKS: "Memory is summed over all CPU time, tick by tick: a task "
            "that never ran for a whole tick has 0.",
        },
    ),
    "zero_delay_ignored": switch(
        _S,
        "waits of no time",
        "A wait of 0 ns raises the count.",
        "A wait of 0 ns counts nothing.",
    ),
    "exitcode_every_thread": switch(
        _S,
        "ac_exitcode",
        "ac_exitcode is filled for the leader of a process alone.",
        "ac_exitcode is filled for every thread that is ending.",
    ),
    "last_thread_decides_status": switch(
        _S,
        "status of a process whose leader ended first",
        "wait() gives the leader's code, also when another thread ended last.",
        "wait() gives the code of the thread that ended last.",
    ),
    "capable_when_needed": switch(
        _S,
        "ASU after sched_setscheduler",
        "A task that has CAP_SYS_NICE and sets its scheduling policy, whichever, has ASU.",
        "A task that sets its scheduling policy has ASU only if that needed CAP_SYS_NICE.",
    ),
    "agroup": switch(
        _S,
        "AGROUP",
        "Nothing in ac_flag tells the last thread of a process.",
        "AGROUP (0x20) in ac_flag marks the event of the last thread of a process.",
    ),
    "kernel_uses_namespaces": switch(
        _S,
        "ids of tasks and users",
        "ac_pid, ac_ppid and user ids are those of the initial namespaces.",
        "ac_pid, ac_ppid and user ids are those of the requester's namespaces.",
    ),
    # --- requests
    "vpid_lookup": switch(
        _R,
        "ids in requests",
        "PID and TGID are global numbers for every client.",
        "PID and TGID are numbers of the requester's pid namespace.",
    ),
    "get_needs_admin": switch(
        _R,
        "permission",
        "Anybody may ask, register and deregister.",
        "Asking, registering and deregistering need CAP_NET_ADMIN (EPERM).",
    ),
    "register_needs_init_ns": switch(
        _R,
        "registering in a container",
        "REGISTER and DEREGISTER work in any user and pid namespace.",
        "REGISTER and DEREGISTER outside of the initial user or pid namespace are EINVAL.",
    ),
    "duplicate_register_ignored": switch(
        _R,
        "registering twice",
        "Each REGISTER adds a listener: who registers twice gets every event twice.",
        "Registering again changes nothing.",
    ),
    "register_enomem": switch(
        _R,
        "out of memory",
        "REGISTER without memory for the listener reports success.",
        "REGISTER without memory for the listener is ENOMEM.",
    ),
    "cpulist_dialect": Words(
        _R,
        "CPU lists",
        {
            CpulistDialect.E1: "No blanks and no empty items; one comma may end the list.",
            CpulistDialect.E2A: "Blanks may stand around the list; an empty item, and an empty "
            "list, is CPU 0; '0-' is 0.",
            CpulistDialect.E2B: "Blanks may stand around the list; empty items, and an empty "
            "list, say nothing; '0-' is 0.",
            CpulistDialect.E2C: "Blanks may stand around each item; '0-' is EINVAL.",
            CpulistDialect.E3A: "a-b:used/group is a pattern; malformed ones mostly pass.",
            CpulistDialect.E3: "As in 4.9, but a group of 0 is EINVAL.",
            CpulistDialect.E4: "Blanks separate as commas do; patterns are checked; numbers "
            "beyond 32 bits are EOVERFLOW.",
            CpulistDialect.E5A: "N is the last CPU.",
            CpulistDialect.E5: "N is the last CPU, 'all' (in any case) is 0-N.",
        },
    ),
    "cpulist_nr_cpu_ids_wide": switch(
        _R,
        "CPUs beyond the last",
        "A CPU that is not possible is EINVAL; from NR_CPUS on it is ERANGE (with "
        "CPUMASK_OFFSTACK: ERANGE from the number of CPUs on).",
        "A CPU from the number of CPUs on is ERANGE.",
    ),
    "cpulist_whole_string": switch(
        _R,
        "CPU lists without NUL",
        "A CPU list that does not end in NUL loses its last character.",
        "A CPU list need not end in NUL.",
    ),
    "cgroupstats": switch(
        _R,
        "CGROUPSTATS",
        "CGROUPSTATS_CMD_GET does not exist (EOPNOTSUPP).",
        "CGROUPSTATS_CMD_GET counts the tasks of a cgroup (v1).",
    ),
    "cgroup_bad_fd_ebadf": switch(
        _R,
        "CGROUPSTATS with a closed descriptor",
        "A descriptor that is not open gets no reply, and reports success.",
        "A descriptor that is not open is EBADF.",
    ),
    "task_freezable": switch(
        _R,
        "sleeping tasks in CGROUPSTATS",
        "A task in nanosleep, futex, sigwait or a read from a Unix stream counts as sleeping.",
        "A task in nanosleep, futex, sigwait or a read from a Unix stream is not counted.",
    ),
    "cgroup_removed_enoent": switch(
        _R,
        "CGROUPSTATS of a removed cgroup",
        "The open directory of a removed cgroup gets counts of 0.",
        "The open directory of a removed cgroup is ENOENT.",
    ),
}
