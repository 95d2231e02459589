"""The handle on an emulated kernel: what a test says to it, and what it says to a test.

Works without pytest::

    with EmulatedKernel("6.1", cpus=4) as kernel:
        print(kernel.run(["genl", "ctrl", "get", "name", "TASKSTATS"]).stdout)
"""

from __future__ import annotations

import os
import socket as _socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from netlink_emu.families import BootedKernel, boot
from netlink_emu.faults import Faults
from netlink_emu.journal.found import Found
from netlink_emu.journal.journal import Journal
from netlink_emu.journal.match import Match
from netlink_emu.kernel.genetlink import GenlFamily
from netlink_emu.kernel.profile import KernelConfig, Profile
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.any_tasks import AnyTasks
from netlink_emu.machine.clock import NSEC_PER_SEC, VirtualClock
from netlink_emu.machine.cpus import Cpus
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.control import NETLINK_EMU
from netlink_emu.testing.errors import EmulatorError, NotUsed
from netlink_emu.testing.guarded import guarded
from netlink_emu.testing.machine import CgroupsHandle, CpusHandle
from netlink_emu.testing.tasks import TaskHandle, TaskTableHandle
from netlink_emu.testing.waiting import Waiting, explain

if TYPE_CHECKING:
    from netlink_emu.families.control.watch import PendingWait
    from netlink_emu.interpose.supervisor import Supervisor
    from netlink_emu.journal.entries import MessageView
    from netlink_emu.machine.timeline import Timeline
    from netlink_emu.server.serve import Server
    from netlink_emu.testing.aio import AsyncKernel
    from netlink_emu.testing.inprocess.threads import ClientThread
    from netlink_emu.testing.loop import Loop, Running
    from netlink_emu.testing.process import ClientProcess

T = TypeVar("T")
Tasks = Iterable[str | Mapping[str, Any]] | str

DEFAULT_RELEASE: Final = "6.18"
TIMEOUT: Final = 5.0


class EmulatedKernel:
    """An emulated kernel on an emulated machine, and its clients.

    ``release`` and ``arch`` say which kernel (``arch`` is this machine's by default), ``cpus``
    how many CPUs there are, or which. ``tasks`` are processes to begin with: names, or the
    arguments of :meth:`TaskTableHandle.spawn`; ``"any"`` knows every pid, ``"host"`` those of
    this machine. ``uid`` is whom clients are in the emulated kernel: 0 is root, others have no
    capabilities. ``delayacct`` is kernel.task_delayacct; None leaves it as the release has it
    (off since 5.14). With ``control`` clients can do to the kernel what this handle does, over
    the family NETLINK_EMU. ``seed`` makes random portids and faults repeatable.

    All methods may be called from any thread, and return when the thing is done. The machine's
    time stands still but for :meth:`advance`. Use it as a context manager, or :meth:`close` it.
    """

    def __init__(
        self,
        release: str = DEFAULT_RELEASE,
        *,
        arch: str | None = None,
        cpus: int | Iterable[int] = 2,
        tasks: Tasks = (),
        uid: int = 0,
        delayacct: bool | None = True,
        config: KernelConfig | None = None,
        families: Iterable[GenlFamily] = (),
        control: bool = False,
        seed: int = 1,
    ) -> None:
        self.release: Final = release
        self._cpu_numbers: Final = cpus if isinstance(cpus, int) else tuple(cpus)
        self._tasks: Final = tasks
        self._uid: Final = uid
        self._families: Final = tuple(families)
        self._control: Final = control
        self._seed: Final = seed
        config = config or KernelConfig()
        highest = cpus if isinstance(cpus, int) else max(self._cpu_numbers) + 1  # type: ignore[arg-type]
        if delayacct is not None or highest > config.nr_cpus:
            import dataclasses

            config = dataclasses.replace(
                config,
                task_delayacct=config.task_delayacct if delayacct is None else delayacct,
                nr_cpus=max(config.nr_cpus, highest),
            )
        self.profile: Final[Profile] = profile_for(
            release, arch=arch or os.uname().machine, config=config
        )
        self._lock: Final = threading.RLock()
        self._loop: Loop | None = None
        self._waiting: Final = Waiting()
        self._failures: list[BaseException] = []
        self._running: list[Running] = []
        self._supervisors: list[Supervisor] = []
        self._server: Server | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._sockets: list[_socket.socket] = []
        self.threads: list[ClientThread[Any]] = []
        self.clients: list[ClientProcess] = []
        self.closed = False
        self._boot()

    def _boot(self) -> None:
        clock = VirtualClock()
        machine = Machine(
            cpus=Cpus(self._cpu_numbers), clock=clock, pid_max=self.profile.config.pid_max
        )
        self.clock = clock
        self.kernel: BootedKernel = boot(machine, self.profile)
        for family in self._families:
            self.kernel.genl.register_family(family)
        self.tasks = TaskTableHandle(self.kernel, self.call)
        self.cpus = CpusHandle(self.kernel, self.call)
        self.cgroups = CgroupsHandle(self.kernel, self.call)
        self._timelines: list[Timeline] = []
        self._populate(machine)
        self._journal = Journal(self.kernel, families=[NETLINK_EMU])
        self._journal.sinks.append(self._waiting.entry)
        self._faults = Faults(self.kernel, self._journal, self._seed)
        self.journal: Journal = guarded(self._journal, self.call)
        self.faults: Faults = guarded(self._faults, self.call)
        if self._control:
            self._enable_control()

    def _populate(self, machine: Machine) -> None:
        if isinstance(self._tasks, str):
            if self._tasks == "any":
                machine.tasks.sources.append(AnyTasks(machine))
            elif self._tasks == "host":
                from netlink_emu.host.tasks import HostTasks

                machine.tasks.sources.append(HostTasks(machine))
            else:
                raise ValueError(f'tasks is a list, "any" or "host", not {self._tasks!r}')
            return
        for wanted in self._tasks:
            if isinstance(wanted, str):
                self.tasks.spawn(wanted)
            else:
                self.tasks.spawn(**wanted)

    def _enable_control(self) -> None:
        from netlink_emu.families.control import Control

        control = Control(self.kernel, self._journal, self._faults, owner=os.geteuid())

        def began(pending: PendingWait) -> None:
            # Clients are served in the loop's thread, and nowhere else.
            assert self._loop is not None
            self._loop.later(pending.timeout_ms / 1000, pending.expire)

        control.began_wait = began

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{len(self.cpus)} CPUs, {len(self.tasks)} tasks"
        return f"<emulated kernel {self.profile.release}, {state}>"

    # --- life

    def __enter__(self) -> EmulatedKernel:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End its clients, close its sockets; the journal can still be read.

        Raises EmulatorError if something of ours failed that nobody has been told.
        """
        if self.closed:
            return
        self.closed = True
        self._end_clients()
        self.cgroups.close()
        self._raise_failures()

    def reset(self) -> None:
        """As new: clients ended, sockets closed, tasks, listeners, faults and journal forgotten.

        What was handed out before (tasks, cgroups) is of the past. :attr:`path` stays.
        """
        self._raise_failures()
        serves = self._server is not None
        self._end_clients(keep_directory=True)
        self.cgroups.close()
        self._boot()
        if serves:
            self._start_server()

    def _end_clients(self, *, keep_directory: bool = False) -> None:
        for client in self.clients:
            client.kill()
        for client in self.clients:
            client.wait()
        self.clients = []
        for sock in self._sockets:
            sock.close()
        self._sockets = []
        if self._loop is not None:
            for running in reversed(self._running):
                running.cancel(self._loop)
        self._running, self._supervisors, self._server = [], [], None
        for thread in self.threads:
            thread.join(1.0)  # its sockets are closed; what else it does is its own business
        self.threads = []
        if self._directory is not None and not keep_directory:
            self._directory.cleanup()
            self._directory = None

    def _failed(self, exc: BaseException) -> None:
        self._failures.append(exc)
        self._waiting.notify()

    def _raise_failures(self) -> None:
        if self._failures:
            failures, self._failures = self._failures, []
            first = failures[0]
            while isinstance(first, BaseExceptionGroup) and len(first.exceptions) == 1:
                first = first.exceptions[0]
            raise EmulatorError(f"netlink-emu itself failed: {first!r}") from first

    # --- calls into the kernel

    def call(self, function: Callable[[], T]) -> T:
        """Call ``function`` where it may touch :attr:`kernel`, which belongs to one thread.

        What it queues for clients has been sent to them when this returns.
        """
        if self._failures:
            self._raise_failures()
        loop = self._loop
        if loop is None:
            with self._lock:
                return function()

        def run() -> T:
            try:
                return function()
            finally:
                self._flush()

        return loop.call(run)

    def _flush(self) -> None:
        for supervisor in self._supervisors:
            supervisor.flush()
        if self._server is not None:
            self._server.flush()

    def _get_loop(self) -> Loop:
        if self._loop is None:
            from netlink_emu.testing.loop import Loop

            with self._lock:
                self._loop = Loop.get()
        return self._loop

    def _start(self, task: Callable[..., Any]) -> Any:
        """Run a task in the loop until the kernel is closed; returns what it says at its start."""
        loop = self._get_loop()
        running = loop.spawn(task, failed=self._failed, over=self._waiting.notify)
        started = running.started.result()
        self._running.append(running)
        return started

    # --- time

    @property
    def now(self) -> float:
        """The machine's time since its boot, in seconds."""
        return self.clock.monotonic_ns() / NSEC_PER_SEC

    def advance(self, seconds: float) -> None:
        """Let the machine's time pass, and do what is due on the way.

        That is what :meth:`play` began, and what faults hold back.
        """

        def advance() -> None:
            end = self.clock.monotonic_ns() + round(seconds * NSEC_PER_SEC)
            self._run_due()
            while (due := self._next_ns()) is not None and due <= end:
                self.clock.advance_ns(max(0, due - self.clock.monotonic_ns()))
                self._run_due()
            self.clock.advance_ns(end - self.clock.monotonic_ns())

        self.call(advance)

    def _next_ns(self) -> int | None:
        times = [timeline.next_ns for timeline in self._timelines] + [self._faults.next_ns]
        return min((time for time in times if time is not None), default=None)

    def _run_due(self) -> None:
        for timeline in self._timelines:
            timeline.run_due()
        self._faults.run_due()

    def play(self, scenario: str | os.PathLike[str], seconds: float = 0.0) -> None:
        """Begin a scenario now (TOML, or a file of that), and let ``seconds`` pass.

        :meth:`advance` carries it on. Raises ScenarioError.
        """
        from netlink_emu.machine.scenario import parse_scenario
        from netlink_emu.machine.timeline import Timeline

        text = scenario if isinstance(scenario, str) else Path(scenario).read_text("utf-8")
        timeline = Timeline(parse_scenario(text), self.kernel.machine)
        self._timelines.append(timeline)
        self.advance(seconds)

    # --- what the kernel knows

    @property
    def family_id(self) -> int:
        """The id of TASKSTATS, which a client has to ask for."""
        family = self.kernel.genl.by_name("TASKSTATS")
        if family is None:
            raise ValueError("this kernel is configured without TASKSTATS")
        return family.id

    @property
    def listeners(self) -> dict[int, list[int]]:
        """The portids registered for each CPU that has any."""

        def look() -> dict[int, list[int]]:
            taskstats = self.kernel.taskstats
            lists = taskstats.listeners if taskstats is not None else {}
            return {cpu: list(portids) for cpu, portids in lists.items() if portids}

        return self.call(look)

    def set_delayacct(self, *, on: bool) -> None:
        """kernel.task_delayacct: whether tasks that are spawned from now on have delays."""
        self.call(lambda: self.kernel.sysctl_task_delayacct(on=on))

    def register_family(self, family: GenlFamily) -> GenlFamily:
        """Add a generic netlink family; nlctrl announces it, and answers for it."""
        self.call(lambda: self.kernel.genl.register_family(family))
        return family

    def unregister_family(self, family: GenlFamily) -> None:
        """Remove a family; nlctrl announces that."""
        self.call(lambda: self.kernel.genl.unregister_family(family))

    # --- waiting

    def wait_for_listener(
        self, cpu: int | Iterable[int] | None = None, *, count: int = 1, timeout: float = TIMEOUT
    ) -> list[int]:
        """Wait until ``count`` clients are registered for a CPU (or for each of several, or any).

        Returns their portids. Raises TimeIsUp with what happened instead.
        """
        wanted = [cpu] if isinstance(cpu, int) else None if cpu is None else list(cpu)
        for number in wanted or []:
            self.kernel.machine.cpus.check(number)

        def look() -> list[int] | None:
            listeners = self.listeners
            if wanted is None:
                groups = [{portid for portids in listeners.values() for portid in portids}]
            else:
                groups = [set(listeners.get(number, [])) for number in wanted]
            if all(len(group) >= count for group in groups):
                return sorted(set().union(*groups))
            return None

        where = "any CPU" if wanted is None else f"CPU {', '.join(map(str, wanted))}"
        who = "a listener" if count == 1 else f"{count} listeners"
        found, why = self._wait(look, timeout)
        if found is None:
            now = self.listeners
            near = "Nobody is registered." if not now else "Registered are " + ", ".join(
                f"{portids} for CPU {number}" for number, portids in sorted(now.items())
            ) + "."  # fmt: skip
            raise self._explain(f"waited for {who} on {where}", why, near=near)
        return found

    def wait_for_request(
        self, *, count: int = 1, since: int = 0, timeout: float = TIMEOUT, **criteria: Any
    ) -> MessageView:
        """Wait for the ``count``-th request that matches; one that came before counts, too.

        The criteria are those of ``journal.requests()``; ``since=kernel.journal.number`` waits
        for a new one. Raises TimeIsUp with near misses and what happened instead.
        """
        match = self._journal.match(**criteria)

        def ask() -> Found:
            return self._journal.requests(since=since, **criteria)

        def look() -> MessageView | None:
            found = self.call(ask)
            return found[count - 1] if len(found) >= count else None

        found, why = self._wait(look, timeout)
        if found is None:
            raise self._explain(
                f"waited for {_ordinal(count)}request{_with(match)}",
                why,
                near=self.call(ask).explain(),
                since=since,
            )
        return found

    def wait_until(
        self, condition: Callable[[EmulatedKernel], T], *, timeout: float = TIMEOUT
    ) -> T:
        """Wait until ``condition(kernel)`` is true, looked at whenever something happens.

        Returns its value. Raises TimeIsUp.
        """
        found, why = self._wait(lambda: condition(self) or None, timeout)
        if found is None:
            name = getattr(condition, "__name__", "a condition")
            raise self._explain(f"waited for {name}", why)
        return found

    def _wait(self, look: Callable[[], T | None], timeout: float) -> tuple[T | None, str]:
        return self._waiting.until(look, timeout, hopeless=self._hopeless)

    def _hopeless(self) -> str | None:
        """Why nobody will do anything any more: all clients have ended."""
        if self._failures:
            self._raise_failures()
        if self._sockets or self._server is not None or not self._running:
            return None
        if any(c.running for c in self.clients) or any(t.running for t in self.threads):
            return None
        # What serves a program ends when that, and all that it started, has closed its sockets.
        if not all(running.ended.done() for running in self._running):
            return None
        return "every client has ended"

    def _explain(self, what: str, why: str, *, near: str = "", since: int = 0) -> Exception:
        entries = [e for e in self._journal.entries if e.number > since]
        clients = self._describe_clients()
        return explain(what, why, self._journal, entries, clients, near)

    def _describe_clients(self) -> list[str]:
        processes = [client.describe() for client in self.clients]
        return processes + [thread.describe() for thread in self.threads]

    # --- clients

    def popen(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        stdin: int | None = subprocess.DEVNULL,
        allow_io_uring: bool = False,
    ) -> ClientProcess:
        """Start an unmodified program, whose generic netlink sockets are of this kernel.

        So are those of what it starts. It is ended with the kernel. Raises FileNotFoundError and
        PermissionError as subprocess.Popen, and interpose.errors.Unsupported with what this
        machine lacks.
        """
        from netlink_emu.testing.interposed import start_interposed

        self.call(lambda: None)  # what failed before is said before
        loop = self._get_loop()
        client, supervisor = start_interposed(
            self.kernel,
            [os.fspath(arg) for arg in argv],
            cred=self._cred(),
            ended=self._waiting.notify,
            env=env,
            cwd=cwd,
            stdin=stdin,
            allow_io_uring=allow_io_uring,
        )
        self.clients.append(client)
        loop.call(lambda: self._supervisors.append(supervisor))
        self._start(partial(_serve_clients, supervisor))
        return client

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        input: bytes | str | None = None,
        timeout: float = 30.0,
        require_use: bool = True,
        text: bool = True,
        **options: Any,
    ) -> subprocess.CompletedProcess[Any]:
        """Run an unmodified program to its end, with output captured (as text unless told not).

        Raises TimeIsUp when it runs longer than ``timeout`` seconds, and NotUsed if it made no
        generic netlink socket (``require_use=False`` allows that). Other options are those of
        :meth:`popen`.
        """
        client = self.popen(
            argv, stdin=subprocess.DEVNULL if input is None else subprocess.PIPE, **options
        )
        if input is not None:
            # A client that does not read its input has closed it.
            with suppress(BrokenPipeError), client.stdin as stdin:
                stdin.write(input.encode() if isinstance(input, str) else input)
        try:
            code = client.wait(timeout)
        finally:
            client.kill()
        if require_use and not self.call(lambda: client.summary.sockets):
            raise NotUsed(
                "the client made no generic netlink socket; require_use=False allows that\n"
                + client.describe()
            )
        out, err = client.stdout, client.stderr
        done: subprocess.CompletedProcess[Any] = subprocess.CompletedProcess(
            client.args,
            code,
            out.decode(errors="replace") if text else out,
            err.decode(errors="replace") if text else err,
        )
        return done

    def thread(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> ClientThread[T]:
        """Start a function of the test's process, whose generic netlink sockets are emulated.

        It runs in a thread of its own, and so may what it calls: sockets, pyroute2, asyncio and
        trio loops, C extensions, threads and processes that it starts. The rest of the process
        keeps its own netlink. ``kernel.thread(f).result()`` is what the function returns.
        """
        from netlink_emu.interpose import fds
        from netlink_emu.testing.inprocess.service import Service
        from netlink_emu.testing.inprocess.threads import ClientThread
        from netlink_emu.testing.inprocess.wire import Start

        self.call(lambda: None)  # what failed before is said before
        ours, theirs = _socket.socketpair()
        service = Service(self.kernel, Connection(ours.detach()), self._cred())
        self._start(service.run)
        profile = self.profile
        high = fds.choose_high(fds.open_files_limit())
        start = Start(profile.release, profile.arch.name, profile.config, high)
        thread = ClientThread(
            partial(function, *args, **kwargs),
            getattr(function, "__name__", repr(function)),
            start,
            theirs,
            self._waiting.notify,
        )
        self.threads.append(thread)
        return thread

    def connect(self, *, portid: int = 0, rcvbuf: int = 0) -> _socket.socket:
        """A plain socket, connected to this kernel: send a request, receive the answers.

        It is an AF_UNIX one (SOCK_SEQPACKET), whose datagrams are those of a netlink socket.
        ``portid`` 0 is autobind's choice; ``rcvbuf`` is SO_RCVBUF. It is closed with the kernel.
        """
        from netlink_emu.testing.connect import connect

        sock = connect(self.path, portid=portid, rcvbuf=rcvbuf)
        self._sockets.append(sock)
        return sock

    @property
    def path(self) -> Path:
        """A Unix datagram socket where the kernel is served, for clients in any language."""
        if self._server is None:
            self._start_server()
        assert self._server is not None
        return self._server.path

    def _start_server(self) -> None:
        from netlink_emu.server.serve import serve

        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="netlink-emu-")
        cred = self._cred()
        self._server = self._start(
            partial(
                serve,
                self.kernel,
                Path(self._directory.name) / "socket",
                policy=lambda _machine, _ucred: cred,
            )
        )

    def _cred(self) -> Cred:
        return Cred.for_ids(self.kernel.machine.init_user_ns, self._uid, self._uid)

    @property
    def aio(self) -> AsyncKernel:
        """What waits, for async tests: ``await kernel.aio.wait_for_listener()``.

        With trio and asyncio alike. Everything else may be called directly: it does not wait.
        """
        from netlink_emu.testing.aio import AsyncKernel

        return AsyncKernel(self)

    # --- what is said at the end

    def report(self, *, since: int = 0, limit: int = 200) -> str:
        """The clients with their output, and the last entries of the journal, as text."""
        lines = self._describe_clients()
        entries = [entry for entry in self._journal.entries if entry.number > since]
        if len(entries) > limit:
            lines.append(f"(the last {limit} of {len(entries)} entries)")
        lines += self._journal.lines(entries[-limit:])
        return "\n".join(lines)

    @contextmanager
    def journal_to(self, path: str | os.PathLike[str]) -> Iterator[Journal]:
        """Write the journal to a file, too: see :func:`netlink_emu.testing.open_journal`."""
        from netlink_emu.testing.files import open_journal

        with ExitStack() as stack:
            journal = self.call(
                lambda: stack.enter_context(
                    open_journal(os.fspath(path), self.kernel, self._journal)
                )
            )
            try:
                yield journal
            finally:
                self.call(stack.close)


async def _serve_clients(supervisor: Supervisor, task_status: Any) -> None:
    task_status.started()
    await supervisor.run()


def _ordinal(count: int) -> str:
    return "a " if count == 1 else f"{count} times a "


def _with(match: Match) -> str:
    text = str(match)
    return f" with {text}" if text else ""


__all__ = ["EmulatedKernel", "TaskHandle"]
