"""A scenario: CPUs, tasks, and what each task does when. TOML text in, records out.

docs/scenario.md describes the format. Nothing here reads a file or a clock; a scenario is
carried out by :class:`netlink_emu.machine.timeline.Timeline`.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from netlink_emu.machine.accounting import DELAYS
from netlink_emu.machine.clock import NSEC_PER_SEC
from netlink_emu.machine.scenario_families import FamilyPlan, family_plan
from netlink_emu.machine.scenario_places import place_of
from netlink_emu.machine.scenario_table import ScenarioError, Table, signal_number
from netlink_emu.machine.start import Start

__all__ = ["Scenario", "ScenarioError", "parse_scenario"]

# Keys of `charge`: times in seconds, then counters that are added to.
CHARGE_SECONDS: Final = ("utime", "stime", "cpu_delay", *(f"{name}_delay" for name in DELAYS))
CHARGE_COUNTERS: Final = (
    "min_flt", "maj_flt", "nvcsw", "nivcsw",
    "rchar", "wchar", "syscr", "syscw", "read_bytes", "write_bytes", "cancelled_write_bytes",
)  # fmt: skip
# Some ten thousand tasks; reading that takes seconds already.
MOST_TEXT: Final = 4 << 20
_MOST_TIMES: Final = 10**9
_LONG_KEY: Final = re.compile(
    r"""(?<![\w-])(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
    r"""(?:[ \t]*+\.[ \t]*+(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')){32}""",
    re.ASCII,
)
POLICIES: Final = {"other": 0, "fifo": 1, "rr": 2, "batch": 3, "idle": 5, "deadline": 6}


@dataclass(frozen=True, slots=True)
class Run:
    """Use the CPU for a while; ``system_ns`` of it in the kernel."""

    duration_ns: int
    system_ns: int = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for one thing, accounted as that delay ("cpu" or one of DELAYS) when it is over."""

    delay: str
    duration_ns: int


@dataclass(frozen=True, slots=True)
class Charge:
    """Account at once: ``seconds`` as Task.charge() takes them, and ``counters`` to add."""

    seconds: dict[str, float]
    counters: dict[str, int]


@dataclass(frozen=True, slots=True)
class Exit:
    """exit_group(2), or exit(2) of the one thread, with ``code`` from 0 to 255."""

    code: int
    whole_process: bool = True


@dataclass(frozen=True, slots=True)
class Signal:
    """A fatal signal ends the process."""

    signal: int
    core_dumped: bool = False


@dataclass(frozen=True, slots=True)
class Exec:
    """execve(2) of a program of this name."""

    comm: str


@dataclass(frozen=True, slots=True)
class Move:
    """Go on on another CPU."""

    cpu: int


@dataclass(frozen=True, slots=True)
class Renice:
    """Change the nice value."""

    nice: int


Action = Run | Wait | Charge | Exit | Signal | Exec | Move | Renice


@dataclass(frozen=True, slots=True)
class Step:
    """One action of a thread; ``at_ns`` counts from the start of that thread."""

    at_ns: int
    action: Action
    path: str  # where it stands in the file, for errors at run time

    @property
    def end_ns(self) -> int:
        """When the thread is free again."""
        if isinstance(self.action, Run | Wait):
            return self.at_ns + self.action.duration_ns
        return self.at_ns


@dataclass(frozen=True, slots=True)
class ThreadPlan:
    """One thread; ``start_ns`` counts from the start of its process."""

    path: str
    comm: str
    pid: int | None = None
    cpu: int = 0
    nice: int = 0
    policy: int = 0
    start_ns: int = 0
    steps: tuple[Step, ...] = ()

    @property
    def exit_ns(self) -> int | None:
        """When the thread ends by its own doing, None if never."""
        last = self.steps[-1] if self.steps else None
        return last.at_ns if last and isinstance(last.action, Exit | Signal) else None


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One process: its leader, its other threads, and how often it is started."""

    name: str
    leader: ThreadPlan
    threads: tuple[ThreadPlan, ...] = ()
    uid: int = 0
    gid: int = 0
    parent: str | None = None
    forked: bool = False
    cgroup: str | None = None
    rss_kib: int = 0
    vm_kib: int = 0
    every_ns: int | None = None
    times: int | None = 1


@dataclass(frozen=True, slots=True)
class Scenario:
    """A parsed scenario. What is None is left to others.

    ``release``, ``arch`` and ``config`` (``key=value`` texts) describe the kernel, as the options
    of the command line do. ``task_delayacct`` is the sysctl of that name: whether delays are
    accounted. ``start`` is when it begins. ``families`` are files, ``changes`` what happens to
    families. ``text`` is what was parsed.
    """

    tasks: tuple[TaskPlan, ...] = ()
    cpus: int | None = None
    task_delayacct: bool | None = None
    release: str | None = None
    arch: str | None = None
    config: tuple[str, ...] = ()
    start: Start | None = None
    families: tuple[str, ...] = ()
    changes: tuple[FamilyPlan, ...] = ()
    text: str = field(default="", repr=False, compare=False)

    def error(self, message: str, path: str) -> ScenarioError:
        """What is wrong at a key, with its place in the text."""
        return _placed(ScenarioError(message, path=path), self.text)

    def threads(self) -> Iterator[ThreadPlan]:
        """All threads in the order of the file: each process's leader, then its others."""
        for task in self.tasks:
            yield task.leader
            yield from task.threads


def parse_scenario(text: str) -> Scenario:
    """Read a scenario; raises ScenarioError with a line and column, and with a key's path."""
    try:
        return _parse(text)
    except ScenarioError as exc:
        raise _placed(exc, text) from exc.__cause__


def _placed(exc: ScenarioError, text: str) -> ScenarioError:
    if exc.line is None and exc.path:
        exc.line, exc.column = place_of(text, exc.path) or (None, None)
    return exc


def _parse(text: str) -> Scenario:
    if len(text) > MOST_TEXT:
        raise ScenarioError(f"it is longer than {MOST_TEXT >> 20} MiB")
    if _LONG_KEY.search(text):  # for which tomllib would need hours
        raise ScenarioError("a key has more than 32 parts")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        found = re.search(r" \(at line (\d+), column (\d+)\)$", str(exc))
        if found is None:
            raise ScenarioError(str(exc)) from exc
        message = str(exc)[: found.start()]
        raise ScenarioError(message, line=int(found[1]), column=int(found[2])) from exc
    except RecursionError as exc:
        raise ScenarioError("tables or arrays stand too deep in one another") from exc
    except ValueError as exc:  # of thousands of digits
        raise ScenarioError("a number is too long") from exc
    root = Table(document, "")
    cpus = root.integer("cpus", None, least=1, most=4096)
    tasks = tuple(_task(table, cpus) for table in root.tables("task"))
    delayacct = root.boolean("task_delayacct", default=None)
    release, arch = root.string("release", None), root.string("arch", None)
    config = root.table("config", required=False).settings()
    start, families = _start(root), root.strings("families")
    changes = tuple(family_plan(table) for table in root.tables("family"))
    root.done()
    _check_parents(tasks)
    return Scenario(tasks, cpus, delayacct, release, arch, config, start, families, changes, text)


def _start(root: Table) -> Start | None:
    word = root.string("start", None)
    if word is not None and word not in list(Start):
        root.refuse("start", f"is {word!r}, not one of {', '.join(Start)}")
    return None if word is None else Start(word)


def _check_parents(tasks: tuple[TaskPlan, ...]) -> None:
    seen: set[str] = set()
    for task in tasks:
        if task.parent is not None and task.parent not in seen:
            raise ScenarioError(
                f"no task above is named {task.parent!r}", path=f"{task.leader.path}.parent"
            )
        seen.add(task.name)


def _task(table: Table, cpus: int | None) -> TaskPlan:
    every = table.nanoseconds("every", None)
    times = table.integer("times", None, least=1, most=_MOST_TIMES)
    if every is None:
        if times is not None:
            table.refuse("times", "needs 'every' beside it")
        times = 1
    elif every == 0:
        table.refuse("every", "must be more than 0 seconds")
    name = table.string("name", None)
    fields = _process(table)
    threads = tuple(_thread(t, cpus) for t in table.tables("thread"))
    leader = _thread(table, cpus)
    plan = TaskPlan(name or leader.comm, leader, threads, every_ns=every, times=times, **fields)
    if every is not None:
        _check_repeat(table, plan, every)
    return plan


def _process(table: Table) -> dict[str, Any]:
    return {
        "uid": table.integer("uid", 0, least=0, most=0xFFFFFFFE),
        "gid": table.integer("gid", 0, least=0, most=0xFFFFFFFE),
        "parent": table.string("parent", None),
        "forked": table.boolean("forked", default=False),
        "cgroup": table.string("cgroup", None),
        "rss_kib": table.integer("rss_kib", 0, least=0),
        "vm_kib": table.integer("vm_kib", 0, least=0),
    }


def _check_repeat(table: Table, plan: TaskPlan, every_ns: int) -> None:
    end = plan.leader.exit_ns
    if end is None:
        table.refuse("every", "a task that starts again must end, by 'exit' or 'signal'")
    elif plan.leader.pid is not None and end >= every_ns:
        table.refuse(
            "pid",
            f"is still taken when the task starts again: it ends {end / NSEC_PER_SEC:g} s "
            f"after its start, and starts every {every_ns / NSEC_PER_SEC:g} s",
        )


def _thread(table: Table, cpus: int | None) -> ThreadPlan:
    most_cpu = None if cpus is None else cpus - 1
    steps = tuple(_step(step, most_cpu) for step in table.tables("timeline"))
    policy = table.string("policy", "other")
    if policy not in POLICIES:
        table.refuse("policy", f"is {policy!r}, not one of {', '.join(POLICIES)}")
    plan = ThreadPlan(
        path=table.path,
        comm=table.string("comm"),
        pid=table.integer("pid", None, least=2, most=4194303),
        cpu=table.integer("cpu", 0, least=0, most=most_cpu),
        nice=table.integer("nice", 0, least=-20, most=19),
        policy=POLICIES[policy],
        start_ns=table.nanoseconds("start", 0),
        steps=steps,
    )
    table.done()
    _check_order(steps)
    return plan


def _check_order(steps: tuple[Step, ...]) -> None:
    for before, step in itertools.pairwise(steps):
        if isinstance(before.action, Exit | Signal):
            raise ScenarioError("the task has ended before", path=step.path)
        if step.at_ns < before.end_ns:
            raise ScenarioError(
                f"at {step.at_ns / NSEC_PER_SEC:g} s the task is still busy with the step before, "
                f"until {before.end_ns / NSEC_PER_SEC:g} s",
                path=step.path,
            )


_VERBS: Final = ("run", "wait", "charge", "exit", "exit_thread", "signal", "exec", "cpu", "nice")


def _step(table: Table, most_cpu: int | None) -> Step:
    verbs = [verb for verb in _VERBS if table.has(verb)]
    if len(verbs) != 1:
        found = " and ".join(verbs) or "none"
        raise ScenarioError(
            f"needs exactly one of {', '.join(_VERBS)}; found {found}", path=table.path
        )
    step = Step(table.nanoseconds("at"), _action(table, verbs[0], most_cpu), table.path)
    table.done()
    return step


def _action(table: Table, verb: str, most_cpu: int | None) -> Action:
    action: Action
    if verb == "run":
        duration = table.nanoseconds("run")
        system = table.nanoseconds("system", 0)
        if system > duration:
            table.refuse("system", "is part of 'run' and cannot be longer")
        action = Run(duration, system)
    elif verb == "wait":
        action = _wait(table.table("wait"))
    elif verb == "charge":
        action = _charge(table.table("charge"))
    elif verb in ("exit", "exit_thread"):
        action = Exit(table.integer(verb, least=0, most=255), whole_process=verb == "exit")
    elif verb == "signal":
        action = Signal(signal_number(table), table.boolean("core", default=False))
    elif verb == "exec":
        action = Exec(table.string("exec"))
    elif verb == "cpu":
        action = Move(table.integer("cpu", least=0, most=most_cpu))
    else:
        action = Renice(table.integer("nice", least=-20, most=19))
    return action


def _wait(table: Table) -> Wait:
    known = ("cpu", *DELAYS)
    found = [name for name in known if table.has(name)]
    if len(found) != 1:
        raise ScenarioError(f"needs exactly one of {', '.join(known)}", path=table.path)
    wait = Wait(found[0], table.nanoseconds(found[0]))
    table.done()
    return wait


def _charge(table: Table) -> Charge:
    seconds = {
        key: table.nanoseconds(key) / NSEC_PER_SEC for key in CHARGE_SECONDS if table.has(key)
    }
    counters = {key: table.integer(key, least=0) for key in CHARGE_COUNTERS if table.has(key)}
    table.done()
    return Charge(seconds, counters)
