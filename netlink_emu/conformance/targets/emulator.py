"""The target ``emulator``: an emulated kernel for each case, in virtual time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from netlink_emu.conformance.cases.case import Case
from netlink_emu.conformance.cases.machine import RecordedMachine
from netlink_emu.families import BootedKernel, boot
from netlink_emu.kernel.config import configure
from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.releases import UnknownArchError, UnknownReleaseError, profile_for
from netlink_emu.kernel.skbuff import max_header_for
from netlink_emu.machine.cpus import Cpus
from netlink_emu.machine.machine import Machine

from .emulated.foreign import foreign_families
from .emulated.session import EmulatedSession
from .premises import cpus_used, recorded_family_id

Boot = Callable[[Machine, Profile], BootedKernel]


class EmulatorTarget:
    """Emulates the machine that each case was recorded on.

    ``release``, ``arch`` and the ``settings`` of KernelConfig override what the recording says.
    ``boot`` makes the kernel; a test of the runner puts one there that is broken.
    """

    name: Final = "emulator"
    exact_sequence: Final = True

    def __init__(
        self,
        release: str | None = None,
        boot: Boot = boot,
        *,
        arch: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.release: Final = release
        self.arch: Final = arch
        self.settings: Final = dict(settings or {})
        self._boot: Final = boot
        self._profiles: dict[tuple[str, str, int | None, RecordedMachine | None], Profile] = {}
        # So that a wrong name is refused at once.
        profile_for(release or Profile().release, arch=arch or Profile().arch.name)

    def describe(self) -> dict[str, str]:
        said = {
            "release": self.release or "that of each case",
            "CPUs": "as each case was recorded with",
        }
        if self.arch is not None:
            said["arch"] = self.arch
        return said | {name: str(value) for name, value in self.settings.items()}

    def profile(self, case: Case) -> Profile:
        """The profile for a case.

        Raises UnknownReleaseError or UnknownArchError if nobody knows its kernel.
        """
        machine = case.machine or RecordedMachine()
        release = self.release or case.kernel or machine.release or Profile().release
        arch = self.arch or machine.arch_name or case.arch or Profile().arch.name
        number = machine.family_id or recorded_family_id(case)
        key = (release, arch, number, case.machine)
        if key not in self._profiles:
            settings = machine.settings
            if number is not None:
                settings["taskstats_family_id"] = number
            if self.arch is not None:
                settings.pop("efficient_unaligned_access", None)
            profile = profile_for(release, arch=arch, config=configure(settings))
            # What a small datagram cost is recorded, not the configuration that made it so.
            if machine.skb_small_truesize is not None:
                max_header = max_header_for(profile, machine.skb_small_truesize)
                settings |= {} if max_header is None else {"max_header": max_header}
            config = configure(settings | self.settings)
            self._profiles[key] = profile_for(release, arch=arch, config=config)
        return self._profiles[key]

    def family_id_of(self, case: Case) -> int | None:
        return self.profile(case).config.taskstats_family_id

    def premise_missing(self, case: Case) -> str | None:
        try:
            profile = self.profile(case)
        except (UnknownReleaseError, UnknownArchError) as exc:
            return str(exc)
        if profile.arch.order is not case.order:
            order = profile.arch.order.name
            return f"{profile.arch.name} is {order}-endian, the bytes of {case.arch} are not"
        cpus = possible_cpus(case.cpus_possible)
        if absent := cpus_used(case).difference(cpus):
            return f"the machine has no CPU {min(absent)} to run tasks on"
        if len(cpus) > profile.config.nr_cpus:
            return f"a kernel with nr_cpus={profile.config.nr_cpus} has no {len(cpus)} CPUs"
        return None

    def attempts(self, case: Case) -> int:
        return 1

    @contextlib.contextmanager
    def session(self, case: Case) -> Iterator[EmulatedSession]:
        machine = Machine(cpus=Cpus(possible_cpus(case.cpus_possible)))
        kernel = self._boot(machine, self.profile(case))
        for family in foreign_families(case):
            if family.id in kernel.genl.families:  # another configuration than the recorded one
                family.id = 0
            kernel.genl.register_family(family)
        yield EmulatedSession(kernel)


def possible_cpus(text: str) -> tuple[int, ...]:
    """The CPUs in ``0-1,4``; two if the case does not say."""
    numbers: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    return tuple(sorted(numbers)) or (0, 1)
