"""What a test does to the machine: spawn, charge, end, storms of forks, CPUs that go down.

For who drives the machine by hand; a scenario has its own way (netlink_emu.machine.timeline).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from netlink_emu.machine.accounting import DELAYS
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.task import ExitState, Task

SECONDS: Final = ("utime", "stime", "cpu_delay", *(f"{name}_delay" for name in DELAYS))
COUNTERS: Final = ("min_flt", "maj_flt", "nvcsw", "nivcsw")
IO: Final = (
    "rchar", "wchar", "syscr", "syscw", "read_bytes", "write_bytes", "cancelled_write_bytes",
)  # fmt: skip
MEMORY: Final = ("rss_kib", "vm_kib")
AMOUNTS: Final = (*SECONDS, *COUNTERS, *IO, *MEMORY)
POLICIES: Final = {"other": 0, "fifo": 1, "rr": 2, "batch": 3, "idle": 5, "deadline": 6}
# A minute's work, during which nobody else is served.
MOST_IN_A_STORM: Final = 1_000_000

Amounts = Mapping[str, float]


def check_amounts(amounts: Amounts) -> None:
    """Raise ValueError for a name that nothing is accounted as."""
    unknown = amounts.keys() - set(AMOUNTS)
    if unknown:
        raise ValueError(
            f"nothing is accounted as {', '.join(sorted(unknown))}; there are {', '.join(AMOUNTS)}"
        )


def charge(task: Task, amounts: Amounts) -> None:
    """Account amounts by name; see AMOUNTS. Times are seconds, the other numbers are added.

    Memory is in use during the CPU time of this charge, and a new high-water mark if that is
    higher than the last one. Raises ValueError.
    """
    check_amounts(amounts)
    task.charge(**{name: amounts[name] for name in SECONDS if name in amounts})
    for name in COUNTERS:
        if name in amounts:
            setattr(task, name, getattr(task, name) + int(amounts[name]))
    for name in IO:
        if name in amounts:
            setattr(task.io, name, getattr(task.io, name) + int(amounts[name]))
    if amounts.keys() & set(MEMORY):
        _use_memory(task, amounts)


def _use_memory(task: Task, amounts: Amounts) -> None:
    rss, vm = (int(amounts.get(name, 0)) for name in MEMORY)
    task.integrate_memory(
        rss, vm, utime=amounts.get("utime", 0.0), stime=amounts.get("stime", 0.0)
    )
    if task.mm is not None:
        task.mm.hiwater_rss_kb = max(task.mm.hiwater_rss_kb, rss)
        task.mm.hiwater_vm_kb = max(task.mm.hiwater_vm_kb, vm)


def spawn(
    machine: Machine,
    comm: str | None,
    *,
    parent: Task | None = None,
    pid: int | None = None,
    cpu: int | None = None,
    uid: int | None = None,
    gid: int | None = None,
    nice: int | None = None,
    policy: int | None = None,
    exe_dev: int = 0,
    exe_inode: int = 0,
    amounts: Amounts | None = None,
) -> Task:
    """A new process, which runs ``comm`` unless that is None; what is not given is its parent's.

    Raises ValueError, with nothing spawned.
    """
    if cpu is not None:
        machine.cpus.check(cpu)
    check_amounts(amounts or {})
    cred = None
    if uid is not None or gid is not None:
        cred = Cred.for_ids(machine.init_user_ns, uid or 0, gid or 0)
    task = machine.tasks.fork(parent, pid=pid, comm=comm, cpu=cpu, cred=cred)
    if comm is not None:
        machine.tasks.execve(task, comm=comm, exe_dev=exe_dev, exe_inode=exe_inode)
    task.nice = task.nice if nice is None else nice
    task.policy = task.policy if policy is None else policy
    charge(task, amounts or {})
    return task


def spawn_thread(
    machine: Machine,
    sibling: Task,
    comm: str | None = None,
    *,
    pid: int | None = None,
    cpu: int | None = None,
    amounts: Amounts | None = None,
) -> Task:
    """One more thread in a process. Raises ValueError, with nothing spawned."""
    if cpu is not None:
        machine.cpus.check(cpu)
    check_amounts(amounts or {})
    task = machine.tasks.clone_thread(sibling, pid=pid, comm=comm, cpu=cpu)
    charge(task, amounts or {})
    return task


def move(machine: Machine, task: Task, cpu: int) -> None:
    """Let a task go on on another CPU; ValueError for one that there is not."""
    machine.cpus.check(cpu)
    task.cpu = cpu


def wait_status(code: int) -> int:
    """The wait status of exit(code); ValueError for what is no code."""
    if not 0 <= code <= 255:
        raise ValueError(f"an exit code is 0 to 255, not {code}; a signal is something else")
    return code << 8


def end(machine: Machine, task: Task, how: Callable[[], None], *, reap: bool) -> None:
    """End a task as ``how`` does; with ``reap`` its parent then waits for a dead process."""
    how()
    leader = task.group.leader
    dead = leader.exit_state is ExitState.ZOMBIE and leader.group.thread_group_empty
    if reap and dead:
        machine.tasks.reap(leader)


def storm(
    machine: Machine,
    count: int,
    comm: str,
    *,
    status: int = 0,
    cpu: int | None = None,
    pass_time: Callable[[], None] = lambda: None,
    amounts: Amounts | None = None,
) -> list[int]:
    """``count`` processes start and end one after the other; returns their pids.

    Without ``cpu`` they take the CPUs that are online in turn. ``pass_time`` is called while
    each lives. Raises ValueError.
    """
    if count > MOST_IN_A_STORM:
        raise ValueError(f"a storm has at most {MOST_IN_A_STORM} processes, not {count}")
    pids = []
    for number in range(count):
        online = machine.cpus.online
        where = online[number % len(online)] if cpu is None else cpu
        task = spawn(machine, comm, cpu=where, amounts=amounts)
        pass_time()
        machine.tasks.do_group_exit(task, status)
        machine.tasks.reap(task)
        pids.append(task.pid)
    return pids


def take_cpu_down(machine: Machine, cpu: int) -> None:
    """A CPU goes offline; its tasks go on on the next one. ValueError for the last one."""
    machine.cpus.set_online(cpu, online=False)
    online = machine.cpus.online
    refuge = next((other for other in online if other > cpu), online[0])
    for task in machine.tasks:
        if task.cpu == cpu:
            task.cpu = refuge
