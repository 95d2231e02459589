"""The handle on an emulated kernel, which tests work with.

It works without pytest::

    with EmulatedKernel("6.1", cpus=4) as kernel:
        print(kernel.run(["genl", "ctrl", "get", "name", "TASKSTATS"]).stdout)
"""

from __future__ import annotations

import os
import socket as _socket
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeVar, Unpack, overload

from netlink_emu.families import BootedKernel
from netlink_emu.families.own import Family
from netlink_emu.families.own.registered import Families
from netlink_emu.faults import Faults
from netlink_emu.journal.journal import Journal
from netlink_emu.kernel.genetlink import GenlFamily
from netlink_emu.kernel.profile import KernelConfig
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.testing import checks
from netlink_emu.testing.errors import hide
from netlink_emu.testing.handle.booted import boot_options
from netlink_emu.testing.handle.parts import Parts, expect_use, tape_of
from netlink_emu.testing.machine import CgroupsHandle, CpusHandle
from netlink_emu.testing.settings.options import Argv, PopenOptions, RunOptions, Tasks
from netlink_emu.testing.tasks import TaskTableHandle
from netlink_emu.testing.thread.calls import need_threads
from netlink_emu.testing.usage import Usage
from netlink_emu.testing.waiting import TIMEOUT

if TYPE_CHECKING:
    from netlink_emu.cassettes import Cassette
    from netlink_emu.journal.entries import MessageView
    from netlink_emu.testing.aio import AsyncKernel
    from netlink_emu.testing.handle.cassette import CassetteHandle
    from netlink_emu.testing.inprocess.threads import ClientThread
    from netlink_emu.testing.process import ClientProcess

__tracebackhide__ = hide

P = ParamSpec("P")
T = TypeVar("T")
AnyFamily = TypeVar("AnyFamily", bound="GenlFamily | Family")

DEFAULT_RELEASE: Final = "6.18"


class EmulatedKernel:
    """An emulated kernel on an emulated machine, and its clients.

    ``release`` and ``arch`` choose the kernel (``arch`` is this machine's by default). ``cpus``
    is the number of CPUs, or which CPUs there are. ``tasks`` are the first processes: names, or
    the arguments of :meth:`TaskTableHandle.spawn`; ``"any"`` has a task for every pid, ``"host"``
    has this machine's tasks. ``uid`` is the clients' user in the emulated kernel: 0 is root,
    others have no capabilities. ``delayacct`` is kernel.task_delayacct; None chooses the
    release's default (off since 5.14). With ``control``, clients can do what this handle does,
    through the family NETLINK_EMU. ``seed`` makes random portids and faults repeatable.
    The pytest plugin fails a test if no client talked to its kernel, if a fault never applied, or
    if a scenario is not over: ``allow_unused`` allows ``"kernel"``, ``"fault"``, ``"scenario"``,
    or all (True).

    ``cassette`` (a file of ``netlink-emu record``, or a Cassette) answers sockets of all its
    protocols. Release and machine are then the recorded ones, unless you give them. Requests
    must be equal except for the attributes in ``ignore``; ``repeat`` allows a request again. A
    multicast message arrives after the request that it followed; with ``news="emit"`` when you
    call ``cassette.emit()``, with ``"clock"`` as the machine's time passes. A client that waits
    for something unrecorded gets ETIMEDOUT after ``patience`` seconds of silence (0: never). A
    test fails if it asks something unrecorded (``allow_unused="unrecorded"`` allows that), or
    not everything that was recorded (``"cassette"``). With ``record``, this machine's own kernel
    answers, and the cassette is written at the end: ``"once"`` if the file does not exist,
    ``"all"`` always, ``"new_episodes"`` for requests that are not on it.

    You can call all methods from any thread; they return when the effect is complete. The
    machine's time stands still until :meth:`advance`. Use the kernel as a context manager, or
    :meth:`close` it.
    """

    def __init__(
        self,
        release: str | None = None,
        *,
        arch: str | None = None,
        cpus: int | Iterable[int] = 2,
        tasks: Tasks = (),
        uid: int = 0,
        delayacct: bool | None = True,
        config: KernelConfig | None = None,
        families: Iterable[GenlFamily | Family] = (),
        control: bool = False,
        seed: int = 1,
        allow_unused: bool | str | Iterable[str] = False,
        cassette: Cassette | str | os.PathLike[str] | None = None,
        record: Literal["none", "once", "new_episodes", "all"] = "none",
        ignore: str | Iterable[str] = (),
        repeat: bool = False,
        news: Literal["at-once", "emit", "clock"] = "at-once",
        patience: float = 5.0,
    ) -> None:
        need_threads()
        tape = tape_of(
            cassette, record=record, ignore=ignore, repeat=repeat, news=news, patience=patience
        )
        if release is None:
            release = (tape and tape.release) or DEFAULT_RELEASE
        if arch is None and tape is not None:
            arch = tape.arch
        options = boot_options(
            release, arch, cpus, tasks,
            uid=uid, delayacct=delayacct, config=config, families=families, control=control,
            seed=seed,
        )  # fmt: skip
        self.release: Final = release
        self.profile: Final = options.profile
        self._usage: Final = Usage(release, allowed=allow_unused)
        self._parts = Parts(options, tape, self._usage)
        expect_use(self._usage, lambda: self._parts)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._parts.closed

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{len(self.cpus)} CPUs, {len(self.tasks)} tasks"
        return f"<emulated kernel {self.profile.release}, {state}>"

    def __enter__(self) -> EmulatedKernel:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # --- the machine

    @property
    def tasks(self) -> TaskTableHandle:
        """The tasks: spawn and find them."""
        return self._parts.booted.tasks

    @property
    def cpus(self) -> CpusHandle:
        """The CPUs, and which of them are online."""
        return self._parts.booted.cpus

    @property
    def cgroups(self) -> CgroupsHandle:
        """The hierarchy of cgroups."""
        return self._parts.booted.cgroups

    # --- time

    @property
    def clock(self) -> VirtualClock:
        """The machine's clock."""
        return self._parts.booted.clock

    @property
    def now(self) -> float:
        """The machine's time since its boot, in seconds."""
        return self._parts.passing.now

    def advance(self, seconds: float) -> None:
        """Advance the machine's time, and do everything that is due on the way.

        This includes scenarios of :meth:`play`, and messages that faults hold back.
        """
        self._parts.passing.advance(seconds)

    def play(self, scenario: str | os.PathLike[str], seconds: float = 0.0) -> None:
        """Begin a scenario now (TOML text, or a file), and advance ``seconds``.

        :meth:`advance` continues it. Release, CPUs and families stay. Raises ScenarioError.
        """
        self._parts.passing.play(scenario, seconds)

    # --- the kernel

    @property
    def kernel(self) -> BootedKernel:
        """The emulated kernel itself, for advanced use; only use it inside :meth:`call`."""
        return self._parts.booted.kernel

    def call(self, function: Callable[[], T]) -> T:
        """Call ``function`` in the thread that :attr:`kernel` belongs to.

        When this returns, messages that the function queued have been sent to clients.
        """
        return self._parts.calls.call(function)

    @property
    def family_id(self) -> int:
        """The id of TASKSTATS; clients ask nlctrl for it."""
        return self._parts.booted.taskstats_id

    @property
    def listeners(self) -> dict[int, list[int]]:
        """The portids registered for each CPU that has any."""
        return self._parts.waits.listeners

    @property
    def faults(self) -> Faults:
        """Faults on demand."""
        return self._parts.booted.faults

    @property
    def cassette(self) -> CassetteHandle:
        """The cassette that answers; raises AttributeError if there is none."""
        return self._parts.played()

    @property
    def families(self) -> Families:
        """The families that were added to the kernel, by name: stores, answers, notifications."""
        return Families(self.kernel)

    def set_delayacct(self, *, on: bool) -> None:
        """Set kernel.task_delayacct: whether tasks spawned from now on have delays."""
        self.call(lambda: self.kernel.sysctl_task_delayacct(on=on))

    def register_family(self, family: AnyFamily) -> AnyFamily:
        """Add a generic netlink family; nlctrl announces it, and answers for it."""
        self.call(lambda: self._parts.booted.register(family))
        return family

    def unregister_family(self, family: GenlFamily | Family) -> None:
        """Remove a family; nlctrl announces that."""
        self.call(lambda: self._parts.booted.unregister(family))

    # --- clients

    @property
    def clients(self) -> list[ClientProcess[Any]]:
        """The programs that :meth:`popen` and :meth:`run` have started."""
        return self._parts.clients.processes

    @property
    def threads(self) -> list[ClientThread[Any]]:
        """The threads that :meth:`thread` has started."""
        return self._parts.clients.threads

    @overload
    def popen(
        self, argv: Argv, *, text: Literal[True] = True, **options: Unpack[PopenOptions]
    ) -> ClientProcess[str]: ...
    @overload
    def popen(
        self, argv: Argv, *, text: Literal[False], **options: Unpack[PopenOptions]
    ) -> ClientProcess[bytes]: ...
    def popen(
        self, argv: Argv, *, text: bool = True, **options: Unpack[PopenOptions]
    ) -> ClientProcess[Any]:
        """Start an unmodified program whose generic netlink sockets belong to this kernel.

        This includes the processes that it starts. The program, and everything left in its process
        group, ends with the kernel. Its output is text, or bytes with ``text=False``. ``env``,
        ``cwd`` and ``stdin`` (empty by default) are those of subprocess.Popen. ``allow_io_uring``
        allows io_uring, whose calls are not intercepted. Raises FileNotFoundError and
        PermissionError as subprocess.Popen does, and interpose.errors.Unsupported, which says
        what this machine lacks.
        """
        checks.starting("popen", argv, options, PopenOptions.__annotations__)
        kind: type[Any] = str if text else bytes
        return self._parts.clients.popen(argv, kind, **options)

    @overload
    def run(
        self, argv: Argv, *, text: Literal[True] = True, **options: Unpack[RunOptions]
    ) -> subprocess.CompletedProcess[str]: ...
    @overload
    def run(
        self, argv: Argv, *, text: Literal[False], **options: Unpack[RunOptions]
    ) -> subprocess.CompletedProcess[bytes]: ...
    def run(
        self, argv: Argv, *, text: bool = True, **options: Unpack[RunOptions]
    ) -> subprocess.CompletedProcess[Any]:
        """Run an unmodified program to its end; its output is text, or bytes with ``text=False``.

        ``input`` is written to its stdin. Raises TimeIsUp if it runs longer than ``timeout``
        seconds (30), and NotUsed if it opened no generic netlink socket (``require_use=False``
        allows that). The other options are those of :meth:`popen`.
        """
        checks.starting("run", argv, options, RunOptions.__annotations__)
        kind: type[Any] = str if text else bytes
        return self._parts.clients.run(argv, kind, **options)

    def thread(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> ClientThread[T]:
        """Run a function in a new thread of this process; its generic netlink is emulated.

        This covers everything that the function uses: sockets, pyroute2, asyncio and trio loops,
        C extensions, and the threads and processes that it starts. The rest of the process keeps
        its own netlink. ``kernel.thread(f).result()`` returns what the function returns.
        """
        checks.function("thread()", function)
        name = getattr(function, "__name__", repr(function))
        return self._parts.clients.thread(partial(function, *args, **kwargs), name)

    def connect(self, *, portid: int = 0, rcvbuf: int = 0) -> _socket.socket:
        """Return a plain socket connected to this kernel: send a request, receive the answers.

        It is an AF_UNIX socket (SOCK_SEQPACKET) whose datagrams are those of a netlink socket.
        With ``portid`` 0, autobind chooses; ``rcvbuf`` is SO_RCVBUF. It closes with the kernel.
        """
        return self._parts.clients.connect(portid=portid, rcvbuf=rcvbuf)

    @property
    def path(self) -> Path:
        """The path of a Unix datagram socket that serves the kernel to clients in any language."""
        return self._parts.clients.path

    # --- waiting

    def wait_for_listener(
        self, cpu: int | Iterable[int] | None = None, *, count: int = 1, timeout: float = TIMEOUT
    ) -> list[int]:
        """Wait until ``count`` clients are registered for a CPU (or for each of several, or any).

        Returns their portids. After ``timeout`` seconds (30), or when every client has ended, it
        raises TimeIsUp, which says what happened instead.
        """
        return self._parts.waits.for_listener(cpu, count, timeout)

    def wait_for_request(
        self, *, count: int = 1, since: int = 0, timeout: float = TIMEOUT, **criteria: Any
    ) -> MessageView:
        """Wait for the ``count``-th request that matches; earlier requests count, too.

        The criteria are those of ``journal.requests()``; ``since=kernel.journal.number`` waits
        for a new request. Raises TimeIsUp, which has near misses and what happened instead.
        """
        return self._parts.waits.for_request(count, since, timeout, criteria)

    def wait_until(
        self, condition: Callable[[EmulatedKernel], T], *, timeout: float = TIMEOUT
    ) -> T:
        """Wait until ``condition(kernel)`` is true; it is checked whenever something happens.

        Returns its value. Raises TimeIsUp.
        """
        checks.function("wait_until()", condition)
        name = getattr(condition, "__name__", "a condition")
        return self._parts.waits.until(lambda: condition(self), name, timeout)

    @property
    def aio(self) -> AsyncKernel:
        """The waiting methods for async tests: ``await kernel.aio.wait_for_listener()``.

        They work with both trio and asyncio. Call all other methods directly: they do not wait.
        """
        from netlink_emu.testing.aio import AsyncKernel

        return AsyncKernel(self)

    # --- what is said

    @property
    def journal(self) -> Journal:
        """All messages between clients and kernel; still readable after :meth:`close`."""
        return self._parts.booted.journal

    def report(self, *, since: int = 0, limit: int = 200, without: Sequence[object] = ()) -> str:
        """The clients with their output, and the last entries of the journal, as text.

        ``without`` are clients to leave out, because TimeIsUp has already described them.
        """
        return self._parts.report(since, limit, without)

    def journal_to(self, path: str | os.PathLike[str]) -> AbstractContextManager[Journal]:
        """Also write the journal to a file: see :func:`netlink_emu.testing.open_journal`."""
        return self._parts.journal_to(path)

    @property
    def usage(self) -> Usage:
        """What had no effect: the kernel itself, a fault, or a scenario."""
        return self._usage

    # --- life

    def reset(self) -> None:
        """Boot anew: end clients, close sockets, remove tasks, listeners, faults and journal.

        Handles from before (tasks, cgroups) are no longer valid. :attr:`path` stays the same.
        """
        self._parts = self._parts.again()

    def close(self) -> None:
        """End the clients and close the sockets; the journal can still be read.

        Every other call then raises KernelClosed. Raises EmulatorError if netlink-emu itself
        failed and no call has raised that yet.
        """
        self._parts.close()
