"""The handle on an emulated kernel: what a test says to it, and what it says to a test.

Works without pytest::

    with EmulatedKernel("6.1", cpus=4) as kernel:
        print(kernel.run(["genl", "ctrl", "get", "name", "TASKSTATS"]).stdout)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from netlink_emu.journal.found import Found
from netlink_emu.journal.journal import Journal
from netlink_emu.journal.match import Match
from netlink_emu.kernel.genetlink import GenlFamily
from netlink_emu.kernel.profile import KernelConfig
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.clock import NSEC_PER_SEC
from netlink_emu.testing.clients import KernelWithClients
from netlink_emu.testing.core import BootOptions, Tasks
from netlink_emu.testing.waiting import explain

if TYPE_CHECKING:
    from netlink_emu.journal.entries import MessageView
    from netlink_emu.testing.aio import AsyncKernel

T = TypeVar("T")

DEFAULT_RELEASE: Final = "6.18"
TIMEOUT: Final = 5.0


class EmulatedKernel(KernelWithClients):
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
        numbers = cpus if isinstance(cpus, int) else tuple(cpus)
        highest = numbers if isinstance(numbers, int) else max(numbers) + 1
        config = config or KernelConfig()
        if delayacct is not None or highest > config.nr_cpus:
            config = replace(
                config,
                task_delayacct=config.task_delayacct if delayacct is None else delayacct,
                nr_cpus=max(config.nr_cpus, highest),
            )
        profile = profile_for(release, arch=arch or os.uname().machine, config=config)
        options = BootOptions(profile, numbers, tasks, tuple(families), control, seed)
        super().__init__(options, uid)

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{len(self.cpus)} CPUs, {len(self.tasks)} tasks"
        return f"<emulated kernel {self.profile.release}, {state}>"

    def __enter__(self) -> EmulatedKernel:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

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

    def _explain(self, what: str, why: str, *, near: str = "", since: int = 0) -> Exception:
        entries = [e for e in self._journal.entries if e.number > since]
        clients = self._describe_clients()
        return explain(what, why, self._journal, entries, clients, near)

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


def _ordinal(count: int) -> str:
    return "a " if count == 1 else f"{count} times a "


def _with(match: Match) -> str:
    text = str(match)
    return f" with {text}" if text else ""
