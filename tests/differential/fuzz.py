"""Carries sequences out on both sides, and cuts down those that make a difference."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Case, Outcome, Step
from netlink_emu.conformance.cases.masked import MaskedBytes, Symbol
from netlink_emu.conformance.judge.bindings import Bindings
from netlink_emu.conformance.targets.emulated.foreign import foreign_families
from netlink_emu.conformance.targets.emulated.session import EmulatedSession
from netlink_emu.conformance.targets.emulator import Boot, possible_cpus
from netlink_emu.conformance.targets.kernel import KernelSession, KernelTarget
from netlink_emu.conformance.targets.real import probe
from netlink_emu.conformance.targets.real.quiet import wait_for_quiet
from netlink_emu.families import boot
from netlink_emu.host.release import upstream_release
from netlink_emu.kernel.profile import KernelConfig
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.cpus import Cpus
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.format import HOST_ORDER

from .equal import Equality
from .sequences import Sequences
from .witness import Witness

_AGAIN = 40  # runs to find one in which nobody else's task ends
_DUMP = bytes.fromhex("1400000010000103010000000000000003020000")


@dataclass(frozen=True, slots=True)
class Difference:
    """A sequence on which both sides differ, and how."""

    seed: int
    steps: tuple[Step, ...]
    index: int
    text: str
    real: Outcome
    ours: Outcome


@dataclass(slots=True)
class Figures:
    """What a run has done."""

    sequences: int = 0
    steps: int = 0
    requests: int = 0
    datagrams: int = 0
    disturbed: int = 0  # sequences that were repeated because others' exits came between
    seconds: float = 0.0
    operations: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    unstable: int = 0  # sequences that were never carried out undisturbed, and made a difference


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a sequence differs, and how many tasks of others ended until there."""

    index: int
    text: str
    real: Outcome
    ours: Outcome
    others: int


def families_dumped() -> tuple[Step, ...]:
    """Dumps of the families that exist in the initial network namespace, and in any other."""
    steps = [Step(ops.Spawn(unshare=["net"]), task="c1")]
    for sock, task in (("a", None), ("b", "c1")):
        steps += [
            Step(ops.Socket(sock=sock), task=task),
            Step(ops.Send(sock=sock, payload=MaskedBytes(_DUMP)), task=task),
            Step(ops.Recv(sock=sock), task=task),
        ]
    return tuple(steps)


class Fuzzer:
    """Both sides. ``kernel`` is an open KernelTarget; the emulator is made like its machine.

    ``boot`` makes the emulated kernels; a test of the fuzzer puts one there that is broken.
    Close it with ``with``.
    """

    def __init__(
        self, kernel: KernelTarget, release: str | None = None, boot: Boot = boot
    ) -> None:
        self.kernel = kernel
        self._boot = boot
        self._witness = Witness(kernel.family_id or 0)
        self.figures = Figures()
        self._family_id = kernel.family_id or 0
        self._profile = profile_for(
            release or upstream_release(),
            arch=probe.machine_name(),
            config=KernelConfig(taskstats_family_id=self._family_id),
        )
        self._cpus = possible_cpus(probe.cpus_possible())
        self._families = foreign_families(self._dump())

    def __enter__(self) -> Fuzzer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._witness.__exit__(*exc)

    def _dump(self) -> Case:
        """The kernel's own dumps of families, so that the emulator's are as long."""
        steps = families_dumped()
        with self.kernel.session(Case("dump", "dump", "differential", steps)) as session:
            made = tuple(replace(step, expect=session.execute(step)) for step in steps)
        return Case("dump", "dump", "differential", made, arch=probe.machine_name())

    def run(
        self,
        requests: int,
        seed: int,
        length: int = 40,
        on_sequence: Callable[[Figures], None] = lambda _figures: None,
        stop_after: int = 10,
    ) -> Figures:
        """Carry out sequences until so many requests were compared, or differences found."""
        began = time.monotonic()
        figures = self.figures
        while figures.requests < requests and len(figures.differences) < stop_after:
            steps = tuple(Sequences(seed).make(length))
            found = self._persistent(steps, count=True)
            if found is not None:
                difference = self.minimised(seed, steps)
                if difference is None:
                    figures.unstable += 1
                else:
                    figures.differences.append(difference)
            figures.sequences += 1
            figures.seconds = time.monotonic() - began
            on_sequence(figures)
            seed += 1
        return figures

    def _persistent(self, steps: tuple[Step, ...], *, count: bool = False) -> _Found | None:
        """The difference that a sequence makes when nobody else's task ends meanwhile.

        None if it makes none, or if there is no quiet moment to see it in.
        """
        for attempt in range(1, _AGAIN + 1):
            found = self._once(steps, count=count and attempt == 1)
            if found is None or not found.others:
                self.figures.disturbed += bool(attempt > 1 and count)
                return found
            wait_for_quiet(attempt)
        if count:
            self.figures.unstable += 1
        return None

    def _once(self, steps: tuple[Step, ...], *, count: bool) -> _Found | None:
        case = Case("sequence", "", "differential", steps)
        equality = Equality(self._family_id)
        figures = self.figures
        with self.kernel.session(case) as kernel, self._emulator(kernel) as emulator:
            self._witness.others()
            theirs, mine = Bindings(kernel, HOST_ORDER), Bindings(emulator, HOST_ORDER)
            for index, step in enumerate(steps):
                real = kernel.execute(theirs.prepare(step))
                emulator.tasks.like = real.result if isinstance(real.result, dict) else {}
                ours = emulator.execute(mine.prepare(step))
                if count:
                    figures.steps += 1
                    figures.requests += isinstance(step.op, ops.Send)
                    figures.datagrams += len(real.datagrams or ())
                    figures.operations[step.op.ACTION or step.op.NAME] += 1
                if isinstance(step.op, ops.Open) and isinstance(real.result, dict):
                    for bindings in (theirs, mine):
                        bindings.put(Symbol("FD", step.op.fd), real.result["fd"])
                text = equality.difference(step, real, ours)
                if text is not None:
                    return _Found(index, text, real, ours, self._witness.others())
        return None

    @contextlib.contextmanager
    def _emulator(self, kernel: KernelSession) -> Iterator[EmulatedSession]:
        machine = Machine(cpus=Cpus(self._cpus), pid_max=1 << 22)
        booted = self._boot(machine, self._profile)
        for family in self._families:
            booted.genl.register_family(family)
        yield EmulatedSession(booted, main_pid=kernel.main_pid())

    # --- cutting down

    def minimised(self, seed: int, steps: tuple[Step, ...]) -> Difference | None:
        """A shorter sequence with a difference, as short as leaving steps out can make it.

        None for a sequence that makes no difference any more.
        """
        found = self._persistent(steps)
        if found is None:
            return None
        steps = steps[: found.index + 1]
        size = max(1, len(steps) // 2)
        while size:
            start = 0
            while start < len(steps):
                shorter = steps[:start] + steps[start + size :]
                again = self._shortened(shorter)
                if again is not None:
                    found, steps = again, shorter[: again.index + 1]
                else:
                    start += size
            size //= 2
        return Difference(seed, steps, found.index, found.text, found.real, found.ours)

    def _shortened(self, steps: tuple[Step, ...]) -> _Found | None:
        """The difference of a sequence with steps missing; None also if it makes no sense."""
        if not steps or not makes_sense(steps):
            return None
        return self._persistent(steps)


def makes_sense(steps: tuple[Step, ...]) -> bool:
    """Whether every step finds the socket, task and descriptor that it speaks of."""
    socks: dict[str, str] = {}
    tasks, ended = {"main"}, set()
    fds: set[str] = set()
    for step in steps:
        op, actor = step.op, step.actor
        match op:
            case ops.Spawn():
                tasks.add(actor)
                continue
            case ops.Thread():
                if actor not in tasks or actor in ended:
                    return False
                tasks.add(op.thread)
                ended.discard(op.thread)  # an earlier one of this name
                continue
            case ops.Exit():
                who = op.thread or actor
                if who not in tasks or who in ended:
                    return False
                ended.add(who)
                if op.thread is None:
                    socks = {sock: owner for sock, owner in socks.items() if owner != actor}
                continue
            case ops.Reap():
                if actor not in ended:
                    return False
                continue
            case ops.Open():
                fds.add(op.fd)
                continue
        if actor not in tasks or actor in ended:
            return False
        if isinstance(op, ops.Socket):
            if op.sock in socks:
                return False
            socks[op.sock] = actor
        elif (sock := getattr(op, "sock", None)) is not None:
            if socks.get(sock) != actor:
                return False
            if isinstance(op, ops.Close):
                del socks[sock]
        if isinstance(op, ops.Send):
            for mask in op.payload.masks:
                name = mask.symbol.name
                if mask.symbol.kind == "PID" and name not in tasks:
                    return False
                if mask.symbol.kind == "FD" and name not in fds:
                    return False
    return True
