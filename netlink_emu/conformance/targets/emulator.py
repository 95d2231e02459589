"""The target ``emulator``: an emulated kernel for each case, in virtual time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from netlink_emu.conformance.cases.case import Case
from netlink_emu.families import BootedKernel, boot
from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.releases import UnknownArchError, UnknownReleaseError, profile_for
from netlink_emu.machine.machine import Machine

from .emulated.foreign import foreign_families
from .emulated.session import EmulatedSession

Boot = Callable[[Machine, Profile], BootedKernel]


class EmulatorTarget:
    """Emulates ``release``, or the one that each case was recorded on.

    ``boot`` makes the kernel; a test of the runner puts one there that is broken.
    """

    name: Final = "emulator"
    exact_sequence: Final = True
    family_id: Final = Profile().config.taskstats_family_id

    def __init__(self, release: str | None = None, boot: Boot = boot) -> None:
        self.release: Final = release
        self._boot: Final = boot
        self._profiles: dict[tuple[str, str], Profile] = {}
        if release is not None:
            profile_for(release)  # so that a wrong name is refused at once

    def describe(self) -> dict[str, str]:
        return {
            "release": self.release or "that of each case",
            "CPUs": "as each case was recorded with",
        }

    def profile(self, case: Case) -> Profile:
        """The profile for a case; raises UnknownReleaseError if nobody knows its kernel."""
        release, arch = self.release or case.kernel or Profile().release, case.arch or "x86_64"
        if (release, arch) not in self._profiles:
            self._profiles[release, arch] = profile_for(release, arch=arch)
        return self._profiles[release, arch]

    def premise_missing(self, case: Case) -> str | None:
        try:
            self.profile(case)
        except (UnknownReleaseError, UnknownArchError) as exc:
            return str(exc)
        return None

    def attempts(self, case: Case) -> int:
        return 1

    @contextlib.contextmanager
    def session(self, case: Case) -> Iterator[EmulatedSession]:
        machine = Machine(cpus=cpu_count(case.cpus_possible))
        kernel = self._boot(machine, self.profile(case))
        for family in foreign_families(case):
            kernel.genl.register_family(family)
        yield EmulatedSession(kernel)


def cpu_count(possible: str) -> int:
    """The number of CPUs in ``0-1``; two if the case does not say."""
    last = possible.replace("-", ",").split(",")[-1]
    return int(last) + 1 if last.isdigit() else 2
