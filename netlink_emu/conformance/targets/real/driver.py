"""The driver: the process that transcripts call ``main``. It forks and ends the other tasks.

Each case gets a driver of its own, so that whatever it leaves behind ends with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import MAIN, Outcome, Step
from netlink_emu.conformance.cases.masked import Symbol
from netlink_emu.conformance.cases.names import comm_bytes, signal_number
from netlink_emu.conformance.cases.structure import has_cpu_list
from netlink_emu.conformance.targets.target import About
from netlink_emu.protocol.cgroupstats import CGROUPSTATS_CMD_GET
from netlink_emu.protocol.errors import errno_name
from netlink_emu.protocol.format import HOST_ORDER

from . import libc, procfs
from .agent import NeedMaps, Pipes, Ready, StartThread
from .birth import become_task, map_ids
from .calls import Calls, Request
from .channel import Channel, channel_pair

_ANSWER: Final = 20.0  # seconds that a task may take for a step
_SCRATCH: Final = "/tmp"  # where recorded cases let their cores drop; here a fresh directory


@dataclass(slots=True)
class TaskHandle:
    """A task that the driver made: a process, or a thread of one."""

    pid: int
    tid: int
    channel: Channel | None = None
    ours: bool = True  # our child, so to be reaped
    reaped: bool = False
    stdin: int | None = None
    exe: tuple[int, int] | None = None
    executed: str | None = None  # the path that it executed
    parent: int = 0


@dataclass(slots=True)
class Driver:
    """The state of one case."""

    family_id: int
    calls: Calls = field(default_factory=Calls)
    tasks: dict[str, TaskHandle] = field(default_factory=dict)
    tids: set[int] = field(default_factory=set)  # of all tasks there ever were
    owners: dict[str, str] = field(default_factory=dict)  # sock -> task
    cgroups: list[str] = field(default_factory=list)
    scratch: str | None = None
    foreign: int = 0
    registered: bool = False  # whether a request named CPUs

    def execute(self, step: Step) -> Outcome:
        op = step.op
        if op.NAME == "task":
            try:
                return self._task(step)
            except OSError as exc:
                return Outcome(error=errno_name(exc.errno or 0))
        if isinstance(op, ops.Sleep):
            time.sleep(op.ms / 1000)
            return Outcome(result=0)
        return self._by_task(step)

    # --- steps that a task carries out itself

    def _by_task(self, step: Step) -> Outcome:
        op = step.op
        sock = getattr(op, "sock", None)
        if isinstance(op, ops.Socket):
            self.owners[op.sock] = step.actor
        actor = step.actor if step.task or sock is None else self.owners.get(sock, MAIN)
        if isinstance(op, ops.Send) and has_cpu_list(op.payload.data, HOST_ORDER):
            self.registered = True
        if isinstance(op, ops.Chdir) and op.path == _SCRATCH:
            op = ops.Chdir(path=self._scratch())
        if isinstance(op, ops.Send) and op.payload.data[16:17] == bytes([CGROUPSTATS_CMD_GET]):
            self._let_others_sleep(actor)
        request = Request(
            op=op,
            address=self._address(op, actor),
            creds=self._creds(op, actor),
            known=frozenset(self.tids),
            family_id=self.family_id,
        )
        if actor == MAIN:
            outcome = self.calls.execute(request)
            self.foreign += self.calls.foreign
            self.calls.foreign = 0
            return outcome
        return self._order(actor, request)

    def _order(self, actor: str, request: Request) -> Outcome:
        channel = self.tasks[actor].channel
        if channel is None:
            raise LookupError(f"{actor} carries out no steps")
        channel.send(request)
        reply = channel.receive(_ANSWER)
        if isinstance(reply, Exception):
            raise reply
        outcome, foreign = reply
        assert isinstance(outcome, Outcome)
        self.foreign += foreign
        return outcome

    def _address(self, op: ops.Op, actor: str) -> bytes | None:
        match op:
            case ops.Bind() | ops.Connect():
                if op.addr_hex is not None:
                    return bytes.fromhex(op.addr_hex)
                pid = self.pid_of(op.pid_of) if op.pid_of is not None else op.pid or 0
                return libc.sockaddr_nl(pid, op.groups or 0)
            case ops.Send(addr_hex=str(addr)):
                return bytes.fromhex(addr)
            case ops.Send(addr=[to, groups]):
                return libc.sockaddr_nl(self.portid(to) if isinstance(to, str) else to, groups)
        return None

    def _creds(self, op: ops.Op, actor: str) -> tuple[int, int, int] | None:
        if not isinstance(op, ops.Send) or op.cmsg_creds is None:
            return None
        pid, uid, gid = op.cmsg_creds
        if isinstance(pid, str):
            pid = self.pid_of(actor if pid == "self" else pid)
        return pid, uid, gid

    def portid(self, sock: str) -> int:
        """The portid that a socket has now."""
        owner = self.owners.get(sock, MAIN)
        name = Request(ops.GetSockName(sock=sock))
        outcome = self.calls.execute(name) if owner == MAIN else self._order(owner, name)
        return int(outcome.result[0])

    def pid_of(self, name: str) -> int:
        return os.getpid() if name == MAIN else self.tasks[name].tid

    def _let_others_sleep(self, actor: str) -> None:
        for name, handle in self.tasks.items():
            if name != actor and not handle.reaped:
                procfs.wait_asleep(handle.pid)

    def _scratch(self) -> str:
        if self.scratch is None:
            self.scratch = tempfile.mkdtemp(prefix="netlink-emu-")
            Path(self.scratch).chmod(0o777)
        return self.scratch

    # --- steps that are done to a task

    def _task(self, step: Step) -> Outcome:
        name = step.actor
        match step.op:
            case ops.Spawn() as op:
                return Outcome(result={"pid": self._spawn(name, op)})
            case ops.Thread() as op:
                return Outcome(result={"tid": self._thread(name, op)})
            case ops.Exit() as op:
                self._exit(name, op)
            case ops.Signal() as op:
                self._signal(self.tasks[name], signal_number(op.signal))
            case ops.CloseStdin():
                handle = self.tasks[name]
                if handle.stdin is not None:
                    os.close(handle.stdin)
                    handle.stdin = None
                self._wait_zombie(handle)
            case ops.WaitZombie():
                self._wait_zombie(self.tasks[name])
            case ops.Reap():
                handle = self.tasks[name]
                _, status = os.waitpid(handle.pid, 0)
                handle.reaped = True
                return Outcome(result={"wait_status": status})
            case ops.Mkdir() as op:
                if not Path(op.path).is_dir():
                    Path(op.path).mkdir()
                    self.cgroups.append(op.path)
            case ops.Rmdir() as op:
                Path(op.path).rmdir()
                self.cgroups.remove(op.path)
            case ops.CgroupAttach() as op:
                Path(op.path, "cgroup.procs").write_text(str(self.tasks[name].pid))
            case _:
                raise LookupError(f"no driver can {step.op.ACTION}")
        return Outcome(result=0)

    def _spawn(self, name: str, op: ops.Spawn) -> int:
        ours, theirs = channel_pair()
        stdin = os.pipe() if op.stdin == "pipe" else None
        new_pid_ns = "pid" in (op.unshare or ())
        home = os.open("/proc/self/ns/pid", os.O_RDONLY) if new_pid_ns else -1
        if new_pid_ns:
            libc.unshare(libc.CLONE_NEWPID)
        driver = os.getpid()
        pid = os.fork()
        if not pid:
            if op.orphan and os.fork():
                os._exit(0)
            become_task(theirs, name, op, driver, stdin)
        if new_pid_ns:
            libc.setns(home, libc.CLONE_NEWPID)
            os.close(home)
        theirs.close()
        if stdin is not None:
            os.close(stdin[0])
        if op.orphan:
            os.waitpid(pid, 0)
        handle = TaskHandle(pid, pid, ours, not op.orphan, stdin=stdin and stdin[1])
        self._greet(name, handle, op)
        return handle.pid

    def _greet(self, name: str, handle: TaskHandle, op: ops.Spawn) -> None:
        """Wait for the task to be what it is to be, and note what the case may ask of it."""
        assert handle.channel is not None
        self.tasks[name] = handle
        handle.exe = procfs.executable(handle.pid) if handle.ours else None
        ready = handle.channel.receive(_ANSWER)
        if isinstance(ready, NeedMaps):
            map_ids(handle.pid)
            handle.channel.send(None)
            ready = handle.channel.receive(_ANSWER)
        assert isinstance(ready, Ready)
        if not handle.ours:
            handle.pid = handle.tid = ready.tid
            handle.exe = procfs.executable(handle.pid)
        self.tids.add(handle.tid)
        handle.parent = procfs.parent(handle.pid) or 0
        if op.exec is not None:
            with contextlib.suppress(EOFError):  # its pipe closes with the exec
                handle.channel.receive(_ANSWER)
            handle.channel.close()
            handle.channel = None
            handle.executed = op.exec[0]
            if op.settle or op.stdin is not None:
                procfs.wait_settled(handle.pid)

    def _thread(self, name: str, op: ops.Thread) -> int:
        leader = self.tasks[name]
        assert leader.channel is not None
        comm = comm_bytes(f"orc-{op.thread}" if op.comm is None else op.comm)
        leader.channel.send(StartThread(comm, op.cpu or 0))
        pipes = leader.channel.receive(_ANSWER)
        assert isinstance(pipes, Pipes)
        channel = Channel(
            os.open(f"/proc/{leader.pid}/fd/{pipes.read_fd}", os.O_RDONLY),
            os.open(f"/proc/{leader.pid}/fd/{pipes.write_fd}", os.O_WRONLY),
        )
        leader.channel.send(None)
        known = {handle.tid for handle in self.tasks.values()}
        ready = channel.receive(_ANSWER)
        assert isinstance(ready, Ready)  # its tid is that of its own pid namespace
        (tid,) = {int(entry.name) for entry in Path(f"/proc/{leader.pid}/task").iterdir()} - known
        self.tids.add(tid)
        self.tasks[op.thread] = TaskHandle(
            leader.pid, tid, channel, ours=False, exe=leader.exe, parent=leader.parent
        )
        return tid

    def _exit(self, name: str, op: ops.Exit) -> None:
        handle = self.tasks[op.thread or name]
        assert handle.channel is not None
        if op.how == "exec":
            handle.executed = self.tasks[name].executed = (op.argv or ["/bin/true"])[0]
        others = len(self._threads(handle.pid)) > 1
        handle.channel.send(Request(op))
        if op.how == "exit_thread" and others and not op.last:
            procfs.wait_until(
                lambda: procfs.has_ended(handle.pid, handle.tid), f"thread {handle.tid} to end"
            )
        else:
            self._wait_zombie(self.tasks[name])

    def _threads(self, pid: int) -> list[int]:
        """The threads of a process that are known here and have not ended."""
        return [
            handle.tid
            for handle in self.tasks.values()
            if handle.pid == pid and not procfs.has_ended(pid, handle.tid)
        ]

    def _signal(self, handle: TaskHandle, number: int) -> None:
        os.kill(handle.pid, number)
        if number == signal.SIGSTOP:
            procfs.wait_until(lambda: procfs.state(handle.pid) == "T", "a task to stop")
        elif number == signal.SIGCONT:
            procfs.wait_until(lambda: procfs.state(handle.pid) != "T", "a task to go on")
        else:
            self._wait_zombie(handle)

    def _wait_zombie(self, handle: TaskHandle) -> None:
        if handle.ours:
            os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
        else:
            procfs.wait_until(lambda: procfs.has_ended(handle.pid), f"task {handle.pid} to end")

    # --- symbols

    def value_of(self, symbol: Symbol, about: About) -> int | None:
        """What a symbol stands for, as far as the driver knows."""
        match symbol.kind:
            case "FAMILY_ID":
                return self.family_id
            case "PID":
                return self.pid_of(symbol.name)
            case "TGID":
                return os.getpid() if symbol.name == MAIN else self.tasks[symbol.name].pid
            case "PPID":
                return os.getpid() if symbol.name == MAIN else self.tasks[about.task].parent
            case "PORTID":
                return self.portid(symbol.name)
            case "NICE":
                return os.getpriority(os.PRIO_PROCESS, 0)
            case "EXE_DEV" | "EXE_INODE":
                exe = self._executable(about)
                return None if exe is None else exe[symbol.kind == "EXE_INODE"]
        return None

    def _executable(self, about: About) -> tuple[int, int] | None:
        if about.path is not None:
            return procfs.executable_at(about.path)
        if about.task == MAIN:
            return procfs.executable(os.getpid())
        handle = self.tasks[about.task]
        if handle.executed is not None and about.comm == Path(handle.executed).name.encode()[:15]:
            return procfs.executable_at(handle.executed)
        return handle.exe

    # --- the end

    def close(self) -> None:
        """End and reap every task, remove what the case made."""
        for handle in self.tasks.values():
            if handle.pid == handle.tid and not handle.reaped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(handle.pid, signal.SIGKILL)
                if handle.ours:
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(handle.pid, 0)
        for path in reversed(self.cgroups):
            with contextlib.suppress(OSError):
                Path(path).rmdir()
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)
