"""Probes of TASKSTATS' requests: who may ask, CPU lists, listeners, cgroups."""

from __future__ import annotations

from netlink_emu.eras.bench import NOBODY, Bench
from netlink_emu.eras.probes import probe
from netlink_emu.machine.cgroups import File
from netlink_emu.machine.namespaces import PidNamespace
from netlink_emu.machine.task import TaskState
from netlink_emu.protocol.cgroupstats import CGROUPSTATS_CMD_ATTR_FD, CGROUPSTATS_CMD_GET
from netlink_emu.protocol.netlink import NLM_F_ACK
from netlink_emu.protocol.taskstats import TASKSTATS_CMD_ATTR_PID

# What each dialect reads another way than some other one, on eight CPUs.
CPULISTS = ("", ",0", "0,,1", "0-", " 0", "0, 1", "0 1", "0-7:1/2", "1-3:1/0", "0:/", "3:1/2",
            "4294967296", "0,\n1", "N", "all")  # fmt: skip


@probe("vpid_lookup")
def vpid(bench: Bench) -> list[str]:
    """From inside a pid namespace task 2 of it is asked about, which is 2500 outside."""
    inside = PidNamespace(bench.machine.init_pid_ns)
    client = bench.client(pid_ns=inside)
    bench.machine.tasks.fork(client.task, pid=2500)
    return [
        f"{number}: {client.outcome(bench.get([(TASKSTATS_CMD_ATTR_PID, number)]))}"
        for number in (2, 2500)
    ]


@probe("get_needs_admin")
def permission(bench: Bench) -> list[str]:
    """User nobody asks for a task."""
    return bench.client(uid=NOBODY).said(bench.get())


@probe("register_needs_init_ns")
def container(bench: Bench) -> list[str]:
    """Root in a child pid namespace registers and deregisters."""
    inside = PidNamespace(bench.machine.init_pid_ns)
    client = bench.client(pid_ns=inside)
    return [
        f"{name}: {client.outcome(bench.get([(kind, '0')], NLM_F_ACK))}"
        for name, kind in (("REGISTER", 3), ("DEREGISTER", 4))
    ]


@probe("duplicate_register_ignored")
def twice(bench: Bench) -> list[str]:
    """A client registers twice, a task ends; it deregisters once, another ends."""
    client = bench.client()
    client.register("0")
    client.register("0")
    bench.machine.tasks.do_exit(bench.worker, 0)
    first = len(client.drain())
    client.ask(bench.get([(4, "0")]))
    bench.machine.tasks.do_exit(bench.spawn(pid=2100), 0)
    return [f"{first} events, then {len(client.drain())}"]


@probe("register_enomem")
def out_of_memory(bench: Bench) -> list[str]:
    """Memory runs out at the second CPU of a REGISTER; a task ends on the first."""
    taskstats = bench.kernel.taskstats
    assert taskstats is not None
    memory = iter([True, False])
    taskstats.allocate = lambda: next(memory)
    client = bench.client()
    outcome = client.outcome(bench.get([(3, "0-1")], NLM_F_ACK))
    bench.machine.tasks.do_exit(bench.worker, 0)
    return [outcome, f"{len(client.drain())} events"]


@probe("cpulist_dialect", cpus=8, nr_cpus=8)
def cpulists(bench: Bench) -> list[str]:
    """CPU lists are registered on a machine with eight CPUs."""
    return [
        f"{text!r}: {_registered(bench, 5000 + number, text)}"
        for number, text in enumerate(CPULISTS)
    ]


def _registered(bench: Bench, pid: int, text: str | bytes) -> str:
    """The CPUs that a fresh client is registered for in the end, or the errno's name."""
    taskstats = bench.kernel.taskstats
    assert taskstats is not None
    client = bench.client(pid=pid)
    outcome = client.outcome(bench.get([(3, text)], NLM_F_ACK))
    if outcome != "0":
        return outcome
    cpus = [cpu for cpu, portids in sorted(taskstats.listeners.items()) if pid in portids]
    return "CPU " + ",".join(map(str, cpus)) if cpus else "no CPU"


@probe("cpulist_nr_cpu_ids_wide")
def beyond_the_last(bench: Bench) -> list[str]:
    """CPUs 2 and 256 are registered on a machine with two, whose kernel could have 256."""
    client = bench.client()
    return [
        f"{text!r}: {client.outcome(bench.get([(3, text)], NLM_F_ACK))}" for text in ("2", "256")
    ]


@probe("cpulist_whole_string")
def without_nul(bench: Bench) -> list[str]:
    """CPU lists without a NUL at the end are registered."""
    return [
        f"{text.decode()!r}: {_registered(bench, 5000 + number, text)}"
        for number, text in enumerate((b"0-1", b"0,1", b"1"))
    ]


def _cgroup_request(bench: Bench, fd: int) -> bytes:
    return bench.request(CGROUPSTATS_CMD_GET, [(CGROUPSTATS_CMD_ATTR_FD, fd)], flags=NLM_F_ACK)


@probe("cgroupstats")
def cgroup(bench: Bench) -> list[str]:
    """The tasks of a cgroup are counted: one runs, two sleep."""
    directory = bench.machine.cgroups.mkdir("job")
    for number, state in enumerate([TaskState.RUNNING] + [TaskState.INTERRUPTIBLE] * 2):
        task = bench.spawn(pid=2100 + number)
        task.state = state
        directory.attach(task)
    client = bench.client()
    client.task.files[7] = File(cgroup=directory)
    return client.said(_cgroup_request(bench, 7))


@probe("cgroup_bad_fd_ebadf")
def bad_fd(bench: Bench) -> list[str]:
    """The tasks of a cgroup are to be counted whose descriptor is not open."""
    return bench.client().said(_cgroup_request(bench, 99))


@probe("cgroup_removed_enoent")
def removed_cgroup(bench: Bench) -> list[str]:
    """The tasks of a cgroup are counted that has been removed."""
    directory = bench.machine.cgroups.mkdir("job")
    client = bench.client()
    client.task.files[7] = File(cgroup=directory)
    directory.rmdir()
    return client.said(_cgroup_request(bench, 7))


@probe("task_freezable")
def in_nanosleep(bench: Bench) -> list[str]:
    """The tasks of a cgroup are counted: one sleeps in nanosleep."""
    directory = bench.machine.cgroups.mkdir("job")
    task = bench.spawn(pid=2100)
    task.state = TaskState.FREEZABLE
    directory.attach(task)
    client = bench.client()
    client.task.files[7] = File(cgroup=directory)
    (reply,) = client.ask(bench.request(CGROUPSTATS_CMD_GET, [(CGROUPSTATS_CMD_ATTR_FD, 7)]))
    return [f"nr_sleeping={int.from_bytes(reply[24:32], bench.order.name)}"]
