"""The tasks of a case on the emulated machine, and what is done to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from errno import ECHILD, EINVAL
from typing import Final

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import MAIN
from netlink_emu.conformance.cases.names import POLICIES, comm_bytes, signal_number
from netlink_emu.conformance.targets.target import Unsupported
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.kernel import Kernel
from netlink_emu.kernel.sched import sched_setscheduler
from netlink_emu.machine.accounting import Mm
from netlink_emu.machine.credentials import (
    CAP_SETGID,
    CAP_SETUID,
    CAP_SYS_ADMIN,
    CAP_SYS_NICE,
    Cred,
)
from netlink_emu.machine.namespaces import NetNamespace, PidNamespace, UserNamespace
from netlink_emu.machine.task import (
    CORE_SIGNALS,
    PF_EXITING,
    ExitState,
    Task,
    TaskState,
)
from netlink_emu.protocol.errors import NetlinkError

from .files import EmulatedFiles
from .programs import DEVICE, INTERPRETER, Program, inode_of, program

_CAP_SYS_CHROOT: Final = 18
_SIGSTOP, _SIGCONT, _SIGSEGV = 19, 18, 11


@dataclass(slots=True)
class Process:
    """What the threads of a process share: sockets and descriptors by name."""

    socks: dict[str, NetlinkSock] = field(default_factory=dict)
    fds: dict[str, int] = field(default_factory=dict)
    core_limit: int = 0
    program: Program | None = None
    ready: dict[str, NetlinkSock] = field(default_factory=dict)  # epoll's list, oldest first


class EmulatedTasks:
    """The machine's side of a case: every step that does something to a task.

    ``like`` is the result that the next step is to have where a number is free to choose: a new
    task's pid or tid, a new descriptor. So the emulator can follow a real kernel.
    """

    def __init__(self, kernel: Kernel, main_pid: int | None = None) -> None:
        self.kernel: Final = kernel
        self.machine: Final = kernel.machine
        self._table: Final = kernel.machine.tasks
        self._boot()
        main = self._table.fork(comm=b"main", pid=main_pid)
        self.tasks: Final[dict[str, Task]] = {MAIN: main}
        self._processes: Final[dict[str, Process]] = {MAIN: Process()}
        self._started(main)
        self.files: Final = EmulatedFiles(
            self.machine.cgroups, self.tasks.__getitem__, lambda name: self._processes[name].fds
        )

    @property
    def like(self) -> Mapping[str, int]:
        return self.files.like

    @like.setter
    def like(self, numbers: Mapping[str, int]) -> None:
        self.files.like = numbers

    def _boot(self) -> None:
        """Pid 2 is kthreadd: no memory, no parent."""
        kthreadd = self._table.fork(comm=b"kthreadd")
        kthreadd.real_parent, kthreadd.mm = None, None
        self._table.init_task.children.pop(kthreadd, None)
        kthreadd.charge(stime=0.01)
        self.run(kthreadd)

    def process(self, name: str) -> Process:
        """The process of a task or thread."""
        return self._processes[name]

    def current(self, name: str) -> Current:
        """The task as the caller of a system call."""
        return Current.of(self.tasks[name])

    def run(self, task: Task) -> None:
        """Let a task use a little of its CPU, as anything that it does would."""
        self.machine_advance(200_000)
        task.charge(utime=0.00004, stime=0.00006, cpu_delay=0.00002)
        task.nvcsw += 1
        task.min_flt += 1

    def machine_advance(self, nanoseconds: int) -> None:
        """Let virtual time pass."""
        advance = getattr(self.machine.clock, "advance_ns", None)
        if advance is not None:
            advance(nanoseconds)

    def _started(self, task: Task) -> None:
        task.min_flt = 300
        task.mm = Mm(26_000, 34_000, DEVICE, inode_of(INTERPRETER))
        self.run(task)

    # --- steps

    def execute(self, name: str, op: ops.Op) -> object:
        """Carry out a step on the task ``name``; returns its result, raises NetlinkError."""
        match op:
            case ops.Spawn():
                return {"pid": self._spawn(name, op)}
            case ops.Thread():
                return {"tid": self._thread(name, op)}
            case ops.Exit():
                self._exit(name, op)
            case ops.Signal():
                self._signal(name, signal_number(op.signal))
            case ops.CloseStdin():
                self._end_of_input(name)
            case ops.WaitZombie():
                if self.tasks[name].exit_state is ExitState.ALIVE:
                    raise Unsupported(f"{name} does not end by itself")
            case ops.Reap():
                return {"wait_status": self._reap(name)}
            case ops.Mkdir():
                self.files.mkdir(op.path)
            case ops.Rmdir():
                self.files.rmdir(op.path)
            case ops.CgroupAttach():
                for thread in list(self.tasks[name].group.threads):
                    self.files.cgroup(op.path).attach(thread)
            case _:
                self._change(name, self.tasks[name], op)
        return 0

    def _spawn(self, name: str, op: ops.Spawn) -> int:
        main = self.tasks[MAIN]
        unshared = op.unshare or []
        cred, net, pid_ns = main.cred, main.net, main.pid_ns
        if "user" in unshared:
            below = UserNamespace(cred.user_ns, uids={0: 0}, gids={0: 0})
            cred = cred.in_new_user_ns(below)
        if "net" in unshared:
            net = NetNamespace(cred.user_ns)
        if "pid" in unshared:
            pid_ns = PidNamespace(pid_ns, user_ns=cred.user_ns)
        task = self._table.fork(
            self._table.init_task if op.orphan else main,
            pid=self.like.get("pid"),
            comm=comm_bytes(f"orc-{name}" if op.comm is None else op.comm),
            cpu=op.cpu or 0,
            cred=cred,
            net=net,
            pid_ns=pid_ns,
        )
        self.tasks[name], self._processes[name] = task, Process()
        self._started(task)
        if "net" in unshared:
            self.current(name).ns_capable(cred.user_ns, CAP_SYS_ADMIN)
        if op.ids is not None:
            self._set_ids(name, task, *op.ids)
        if op.exec is not None:
            self._exec(name, op.exec)
        return task.pid

    def _thread(self, name: str, op: ops.Thread) -> int:
        comm = comm_bytes(f"orc-{op.thread}" if op.comm is None else op.comm)
        task = self._table.clone_thread(
            self.tasks[name], pid=self.like.get("tid"), comm=comm, cpu=op.cpu or 0
        )
        self.tasks[op.thread] = task
        self._processes[op.thread] = self._processes[name]
        task.min_flt = 20
        self.run(task)
        return task.pid

    def _exec(self, name: str, argv: list[str]) -> None:
        """Execute a program, and let it do what it does at once."""
        found = program(argv)
        if found is None:
            raise Unsupported(f"no {' '.join(argv)} on the emulated disk")
        task = self.tasks[name]
        self._table.execve(task, comm=found.comm, exe_dev=DEVICE, exe_inode=found.inode)
        task.mm = Mm(1_600, 2_600, DEVICE, found.inode)
        self._processes[name].program = found
        self.run(task)
        if found.exit_code is not None:
            self._end(name, lambda: self._table.do_group_exit(task, found.wait_status))
        elif not found.reads:
            task.state = TaskState.FREEZABLE  # nanosleep

    def _exit(self, name: str, op: ops.Exit) -> None:
        actor = op.thread or name
        task = self.tasks[actor]
        self.run(task)
        status = ((op.code or 0) & 0xFF) << 8
        match op.how:
            case "exit_group":
                self._end(actor, lambda: self._table.do_group_exit(task, status))
            case "exit_thread":
                self._end(actor, lambda: self._table.do_exit(task, status))
            case "raise":
                self._kill(actor, op.signal or 15)
            case "segv":
                self._kill(actor, _SIGSEGV)
            case "exec":
                # The thread takes its leader's place, and its name.
                self.tasks[name] = task
                self._exec(name, op.argv or ["/bin/true"])
            case _:
                raise Unsupported(f"no way to end: {op.how}")

    def _kill(self, name: str, signal: int) -> None:
        dumped = signal in CORE_SIGNALS and self._processes[name].core_limit != 0
        task = self.tasks[name]
        self._end(name, lambda: self._table.kill(task, signal, core_dumped=dumped))

    def _end(self, name: str, end: Callable[[], None]) -> None:
        """Let a task end; with the last of its group the descriptors go."""
        task = self.tasks[name]
        end()
        if all(thread.flags & PF_EXITING for thread in task.group.threads):
            process = self._processes[name]
            for sock in process.socks.values():
                sock.release()
            process.socks.clear()
            process.fds.clear()

    def _signal(self, name: str, signal: int) -> None:
        task = self.tasks[name]
        if signal == _SIGSTOP:
            for thread in task.group.threads:
                thread.state = TaskState.STOPPED
        elif signal == _SIGCONT:
            for thread in task.group.threads:
                thread.state = TaskState.INTERRUPTIBLE
        else:
            self._kill(name, signal)

    def _end_of_input(self, name: str) -> None:
        found = self._processes[name].program
        if found is None or not found.reads:
            raise Unsupported(f"{name} reads no standard input")
        task = self.tasks[name]
        self._end(name, lambda: self._table.do_group_exit(task, 0))

    def _reap(self, name: str) -> int:
        try:
            return self._table.reap(self.tasks[name])
        except ValueError as exc:
            raise NetlinkError(ECHILD) from exc

    # --- what a task does to itself

    def _change(self, name: str, task: Task, op: ops.Op) -> None:
        user_ns = self.machine.init_user_ns
        match op:
            case ops.SetIds():
                self._set_ids(name, task, op.uid, op.gid)
            case ops.SetEuid():
                self.current(name).ns_capable(task.cred.user_ns, CAP_SETUID)
                task.commit_creds(task.cred.with_euid(op.uid))
            case ops.SetNice():
                if op.nice < task.nice:
                    self.current(name).ns_capable(user_ns, CAP_SYS_NICE)
                task.nice = op.nice
            case ops.SetPolicy():
                current, policy = self.current(name), POLICIES[op.policy]
                sched_setscheduler(self.kernel, current, task, policy)
            case ops.SetComm():
                task.comm = comm_bytes(op.comm)[:15]
            case ops.UsePrivilege():
                self.current(name).ns_capable(task.cred.user_ns, _CAP_SYS_CHROOT)
            case ops.SetCpu():
                if op.cpu not in self.machine.cpus.online:  # sched_setaffinity(2)
                    raise NetlinkError(EINVAL)
                task.cpu = op.cpu
            case ops.RlimitCore():
                self._processes[name].core_limit = op.bytes
            case ops.Chdir():
                pass
            case _:
                raise Unsupported(f"the emulator cannot {op.NAME} {op.ACTION or ''}".rstrip())

    def _set_ids(self, name: str, task: Task, uid: int, gid: int) -> None:
        current = self.current(name)
        current.ns_capable(task.cred.user_ns, CAP_SETGID)
        current.ns_capable(task.cred.user_ns, CAP_SETUID)
        task.commit_creds(Cred.for_ids(task.cred.user_ns, uid, gid))
