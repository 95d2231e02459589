"""A machine with its kernel, as a handle has it from one boot to the next."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from netlink_emu.families import BootedKernel, boot
from netlink_emu.families.own import Family
from netlink_emu.faults import Faults
from netlink_emu.journal.journal import Journal
from netlink_emu.kernel.genetlink import GenlFamily
from netlink_emu.kernel.profile import KernelConfig, Profile
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.acts import AMOUNTS
from netlink_emu.machine.any_tasks import AnyTasks
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.cpus import Cpus
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.ours.control import NETLINK_EMU
from netlink_emu.protocol.reading.declared import describe
from netlink_emu.testing import checks
from netlink_emu.testing.errors import FamilyFailed, WrongType, WrongValue, hide
from netlink_emu.testing.machine import CgroupsHandle, CpusHandle
from netlink_emu.testing.settings.options import Tasks
from netlink_emu.testing.tasks import TaskTableHandle
from netlink_emu.testing.thread.calls import Calls
from netlink_emu.testing.thread.guarded import guarded

if TYPE_CHECKING:
    from netlink_emu.families.control.watch import PendingWait

__tracebackhide__ = hide


@dataclass(frozen=True, slots=True)
class BootOptions:
    """What a kernel is booted with, at first and after each reset: see EmulatedKernel."""

    profile: Profile
    cpus: int | tuple[int, ...]
    tasks: Tasks
    families: tuple[GenlFamily | Family, ...]
    control: bool
    seed: int
    uid: int = 0


def boot_options(
    release: str,
    arch: str | None,
    cpus: int | Iterable[int],
    tasks: Tasks,
    *,
    uid: int,
    delayacct: bool | None,
    config: KernelConfig | None,
    families: Iterable[GenlFamily | Family],
    control: bool,
    seed: int,
) -> BootOptions:
    """What EmulatedKernel's arguments ask for; raises WrongType and WrongValue."""
    checks.text("release", release, "6.1")
    checks.cpus(cpus)
    checks.whole("uid", uid)
    checks.whole("seed", seed)
    numbers = cpus if isinstance(cpus, int) else tuple(cpus)
    highest = numbers if isinstance(numbers, int) else max(numbers) + 1
    if config is None:
        config = KernelConfig()
    checks.instance("config", config, KernelConfig, "KernelConfig()")
    if delayacct is not None or highest > config.nr_cpus:
        config = replace(
            config,
            task_delayacct=config.task_delayacct if delayacct is None else delayacct,
            nr_cpus=max(config.nr_cpus, highest),
        )
    profile = profile_for(release, arch=arch or os.uname().machine, config=config)
    return BootOptions(profile, numbers, tasks, _checked(families), control, seed, uid)


def _checked(families: Iterable[GenlFamily | Family]) -> tuple[GenlFamily | Family, ...]:
    if isinstance(families, str | os.PathLike) or not isinstance(families, Iterable):
        raise WrongType(f"families is a list of families, not {families!r}")
    found = tuple(families)
    for each in found:
        if isinstance(each, str | os.PathLike):
            file = os.fspath(each)
            raise WrongType(f"families has families: of a spec, Family.from_spec({file!r})")
        if not isinstance(each, GenlFamily | Family):
            raise WrongType(f"families has families, and {each!r} is none")
    return found


class Booted:
    """The kernel, and what stands for its machine, its journal and its faults in a test.

    ``own_journal`` and ``own_faults`` are for the kernel's thread, ``journal`` and ``faults``
    for any.
    """

    def __init__(self, options: BootOptions, calls: Calls) -> None:
        self.calls: Final = calls
        self.clock: Final = VirtualClock()
        machine = Machine(
            cpus=Cpus(options.cpus), clock=self.clock, pid_max=options.profile.config.pid_max
        )
        self.kernel: Final[BootedKernel] = boot(machine, options.profile)
        self._families: Final[list[Family]] = []
        for family in options.families:
            if self.kernel.genl.by_name(family.name) is not None:
                raise WrongValue(f"families: the kernel has {family.name} already")
            self._register(family)
        self.tasks: Final = TaskTableHandle(self.kernel, calls.call)
        self.cpus: Final = CpusHandle(self.kernel, calls.call)
        self.cgroups: Final = CgroupsHandle(self.kernel, calls.call)
        self._populate(options.tasks)
        described = [describe(family.declaration) for family in self._families]
        self.own_journal: Final = Journal(self.kernel, families=[NETLINK_EMU, *described])
        self.own_faults: Final = Faults(self.kernel, self.own_journal, options.seed)
        self.journal: Final[Journal] = guarded(self.own_journal, calls.look)
        self.faults: Final[Faults] = guarded(self.own_faults, calls.call)
        if options.control:
            self._enable_control()

    def _register(self, family: GenlFamily | Family) -> GenlFamily:
        if isinstance(family, GenlFamily):
            if family.failed is None:
                family.failed = partial(self._slipped, family.name)
            self.kernel.genl.register_family(family)
            return family
        failed = partial(self._slipped, family.name)
        genl = family.attach(self.kernel, call=self.calls.call_here, failed=failed)
        self._families.append(family)
        return genl

    def _slipped(self, name: str, exc: BaseException) -> None:
        slip = FamilyFailed(f"a function of family {name} raised {type(exc).__name__}: {exc}")
        slip.__cause__ = exc
        self.calls.failed(slip)

    def register(self, family: GenlFamily | Family) -> None:
        """Add a family to the running kernel; in the kernel's thread."""
        self._register(family)
        if not isinstance(family, GenlFamily):
            self.own_journal.know(describe(family.declaration))

    def unregister(self, family: GenlFamily | Family) -> None:
        """Remove a family from the running kernel; in the kernel's thread."""
        genl = family if isinstance(family, GenlFamily) else family.genl
        self.kernel.genl.unregister_family(genl)

    @property
    def taskstats_id(self) -> int:
        """The number of TASKSTATS; raises ValueError without it."""
        family = self.kernel.genl.by_name("TASKSTATS")
        if family is None:
            raise ValueError("this kernel is configured without TASKSTATS")
        return family.id

    def _populate(self, tasks: Tasks) -> None:
        machine = self.kernel.machine
        if isinstance(tasks, str):
            if tasks == "any":
                machine.tasks.sources.append(AnyTasks(machine))
            elif tasks == "host":
                from netlink_emu.host.tasks import HostTasks

                machine.tasks.sources.append(HostTasks(machine))
            else:
                raise WrongValue(f'tasks is a list, "any" or "host", not {tasks!r}')
            return
        if not isinstance(tasks, Iterable):
            raise WrongType(f'tasks is a list, "any" or "host", not {tasks!r}')
        for wanted in tasks:
            if isinstance(wanted, str):
                self.tasks.spawn(wanted)
            elif isinstance(wanted, Mapping):
                known = [*checks.called(TaskTableHandle.spawn), *AMOUNTS]
                checks.keywords("a task of tasks", wanted, known)
                self.tasks.spawn(**wanted)
            else:
                raise WrongType(f"tasks is a list of names and of dicts; {wanted!r} is neither")

    def _enable_control(self) -> None:
        from netlink_emu.families.control import Control

        control = Control(self.kernel, self.own_journal, self.own_faults, owner=os.geteuid())

        def began(pending: PendingWait) -> None:
            # Clients are served in the loop's thread, and nowhere else.
            self.calls.loop.later(pending.timeout_ms / 1000, pending.expire)

        control.began_wait = began
