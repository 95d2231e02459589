"""Probes of what stands in struct taskstats, and where in a message it stands."""

from __future__ import annotations

from netlink_emu.eras.bench import Bench
from netlink_emu.eras.probes import probe
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.sched import SCHED_FIFO, sched_setscheduler
from netlink_emu.machine.namespaces import PidNamespace
from netlink_emu.protocol.taskstats import TASKSTATS_CMD_ATTR_PID

MS = 1_000_000  # ns
SCHED_BATCH = 3


@probe("taskstats_version")
def version(bench: Bench) -> list[str]:
    """A task is asked about, and ends."""
    client = bench.client()
    reply = client.stats()
    at = bench.struct_offsets(reply)[0]
    client.register("0-1")
    bench.machine.tasks.do_exit(bench.worker, 0)
    (event,) = client.drain()
    return [
        f"the reply has {len(reply)} bytes, the struct {len(reply) - at}",
        f"the struct begins with {reply[at : at + 4].hex()}",
        *(
            f"ac_comm is found at {reply.index(comm) - at}"
            for comm in (b"worker",)
            if comm in reply
        ),
        f"the event has {len(event)} bytes, with a thread group {two_part_size(bench)}",
    ]


def two_part_size(bench: Bench) -> int:
    """The length of the event for the last thread of a process that had two."""
    leader = bench.spawn(pid=3000)
    thread = bench.machine.tasks.clone_thread(leader, pid=3001)
    listener = bench.client(pid=3002)
    listener.register("0-1")
    bench.machine.tasks.do_exit(thread, 0)
    bench.machine.tasks.do_exit(leader, 0)
    return len(listener.drain()[-1])


@probe("taskstats_pad")
def pad(bench: Bench) -> list[str]:
    """A thread group ends; where its attributes stand."""
    client = bench.client()
    thread = bench.machine.tasks.clone_thread(bench.worker, pid=2001)
    client.register("0-1")
    bench.machine.tasks.do_exit(thread, 0)
    bench.machine.tasks.do_exit(bench.worker, 0)
    single, double = client.drain()
    return [
        f"{len(event)} bytes: " + ", ".join(_places(bench, event)) for event in (single, double)
    ]


def _places(bench: Bench, event: bytes) -> list[str]:
    names = {1: "PID", 2: "TGID", 3: "STATS", 4: "AGGR_PID", 5: "AGGR_TGID", 6: "NULL"}
    return [f"{names[kinds[-1]]} at {at - 4}" for kinds, at, _ in bench.walk(event)]


@probe("tgid_ctxsw")
def ctxsw(bench: Bench) -> list[str]:
    """A process with two threads is asked about that switched 3 and 4 times."""
    thread = bench.machine.tasks.clone_thread(bench.worker, pid=2001)
    bench.worker.nvcsw, thread.nvcsw = 3, 4
    return bench.fields(bench.client().group_stats(), "nvcsw", "nivcsw")


@probe("tgid_times")
def times(bench: Bench) -> list[str]:
    """A process with two threads is asked about after 2 s; each computed for 1 s."""
    thread = bench.machine.tasks.clone_thread(bench.worker, pid=2001)
    bench.clock.advance(2)
    for task in (bench.worker, thread):
        task.charge(utime=1.0, stime=0.5)
    reply = bench.client().group_stats()
    return bench.fields(reply, "ac_etime", "ac_utime", "ac_stime")


@probe("tgid_exit_version")
def exit_version(bench: Bench) -> list[str]:
    """A process that had two threads ends; the versions of the two structs of the event."""
    client = bench.client()
    thread = bench.machine.tasks.clone_thread(bench.worker, pid=2001)
    client.register("0")
    bench.machine.tasks.do_exit(thread, 0)
    bench.machine.tasks.do_exit(bench.worker, 0)
    event = client.drain()[-1]
    return [f"version at {at}: {event[at : at + 2].hex()}" for at in bench.struct_offsets(event)]


@probe("dead_threads_keep_times")
def dead_times(bench: Bench) -> list[str]:
    """A thread computes for 1 s, switches 7 times, and ends; its process is asked about."""
    thread = bench.machine.tasks.clone_thread(bench.worker, pid=2001)
    thread.charge(utime=1.0)
    thread.nvcsw = 7
    bench.machine.tasks.do_exit(thread, 0)
    reply = bench.client().group_stats()
    return bench.fields(reply, "cpu_run_real_total", "ac_utime", "nvcsw")


@probe("dead_threads_always_kept")
def unheard_death(bench: Bench) -> list[str]:
    """A thread computes for 1 s and ends, nobody listens; its process is asked about."""
    thread = bench.machine.tasks.clone_thread(bench.worker, pid=2001)
    thread.charge(utime=1.0)
    bench.machine.tasks.do_exit(thread, 0)
    return bench.fields(bench.client().group_stats(), "cpu_run_real_total")


@probe("delayacct_default_on")
def delayacct_default(bench: Bench) -> list[str]:
    """Nothing is configured; a task waits 30 ms for its disk."""
    bench.worker.charge(blkio_delay=0.030)
    return bench.fields(bench.client().stats(), "blkio_count", "blkio_delay_total")


@probe("cpu_delay_always", task_delayacct=False)
def without_delayacct(bench: Bench) -> list[str]:
    """Delay accounting is off; a task computes for 1 s and waits for its CPU and its disk."""
    bench.worker.charge(utime=1.0, cpu_delay=0.020, blkio_delay=0.030)
    names = ("cpu_count", "cpu_delay_total", "cpu_run_real_total", "blkio_count")
    return bench.fields(bench.client().stats(), *names)


@probe("io_rounding")
def io_rounding(bench: Bench) -> list[str]:
    """A task has read 135 times and written 3001 times, 1500 bytes of it to a disk."""
    bench.worker.io.syscr, bench.worker.io.syscw = 135, 3001
    bench.worker.io.write_bytes = 1500
    names = ("read_syscalls", "write_syscalls", "write_bytes")
    return bench.fields(bench.client().stats(), *names)


@probe("times_in_usec")
def resolution(bench: Bench) -> list[str]:
    """A task has computed for 1.234567 s."""
    bench.worker.charge(utime=1.234567)
    return bench.fields(bench.client().stats(), "ac_utime", "cpu_run_virtual_total")


@probe("mem_integral")
def mem_integral(bench: Bench) -> list[str]:
    """A task uses 8 MB: for 1 s of user and 0.5 s of system time, another for 3 ms."""
    bench.worker.integrate_memory(8 * 1024, 16 * 1024, utime=1.0, stime=0.5)
    short = bench.spawn(pid=2100)
    short.integrate_memory(8 * 1024, 16 * 1024, utime=0.003, stime=0.0)
    client = bench.client()
    return [
        *bench.fields(client.stats(), "coremem", "virtmem"),
        *bench.fields(client.stats(2100), "coremem"),
    ]


@probe("zero_delay_ignored", task_delayacct=True)
def zero_delay(bench: Bench) -> list[str]:
    """A task waits for its disk twice, 0 ns and 5 ms."""
    for duration in (0, 5 * MS):
        bench.worker.delays["blkio"].add(duration, bench.clock.realtime_ns())
    return bench.fields(bench.client().stats(), "blkio_count", "blkio_delay_total")


@probe("last_thread_decides_status")
def status(bench: Bench) -> list[str]:
    """The leader of a process ends with code 5, then its last thread with code 6."""
    tasks = bench.machine.tasks
    thread = tasks.clone_thread(bench.worker, pid=2001)
    tasks.do_exit(bench.worker, 5 << 8)
    tasks.do_exit(thread, 6 << 8)
    return [f"wait() gives {tasks.reap(bench.worker):#06x}"]


@probe("exitcode_every_thread")
def exitcode(bench: Bench) -> list[str]:
    """A thread ends with code 3, then the leader with code 5."""
    client = bench.client()
    thread = bench.machine.tasks.clone_thread(bench.worker, pid=2001)
    client.register("0")
    bench.machine.tasks.do_exit(thread, 3 << 8)
    bench.machine.tasks.do_exit(bench.worker, 5 << 8)
    return [
        f"{name}: {field}"
        for name, event in zip(("thread", "leader"), client.drain(), strict=True)
        for field in bench.fields(event, "ac_exitcode")
    ]


@probe("agroup")
def agroup(bench: Bench) -> list[str]:
    """A process forks, never executes, and ends."""
    client = bench.client()
    client.register("0")
    bench.machine.tasks.do_exit(bench.worker, 0)
    return bench.fields(client.drain()[0], "ac_flag")


@probe("kernel_uses_namespaces")
def translated(bench: Bench) -> list[str]:
    """A task of a pid namespace is asked about from inside; its parent is outside."""
    inside = PidNamespace(bench.machine.init_pid_ns)
    # Up to 2.6.25 numbers in requests are global.
    client = bench.client(pid_ns=inside)
    number = client.task.pid_nr_ns(inside) if bench.profile.vpid_lookup else client.task.pid
    reply = client.ask(bench.get([(TASKSTATS_CMD_ATTR_PID, number)]))[0]
    return bench.fields(reply, "ac_pid", "ac_ppid")


@probe("capable_when_needed")
def own_policy(bench: Bench) -> list[str]:
    """A task of root's sets its policy to SCHED_BATCH, another one to SCHED_FIFO."""
    lines = []
    for pid, policy in ((2100, SCHED_BATCH), (2101, SCHED_FIFO)):
        task = bench.spawn(pid=pid)
        sched_setscheduler(bench.kernel, Current.of(task), task, policy)
        lines += bench.fields(bench.client(pid=pid + 1000).stats(pid), "ac_flag", "ac_sched")
    return lines
