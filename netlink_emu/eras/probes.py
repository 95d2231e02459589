"""For each capability a small experiment whose outcome it decides.

A probe is carried out on an emulated kernel and says in lines what a client saw. Two kernels
that differ in a capability differ in its probe: ``netlink-emu releases diff`` shows both sides,
and the tests of the eras hold each side against what is known of the kernels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from netlink_emu.eras.bench import Bench
from netlink_emu.kernel.profile import Profile

Experiment = Callable[[Bench], list[str]]
_MODULES: Final = ("stats", "requests", "genl", "acks", "sockets", "options", "buffers")


@dataclass(frozen=True, slots=True)
class Probe:
    """An experiment for a capability; ``doing`` says what is tried.

    ``config`` overrides members of the profile's KernelConfig.
    """

    capability: str
    doing: str
    experiment: Experiment
    cpus: int
    config: Mapping[str, Any]

    def run(self, profile: Profile) -> list[str]:
        """What a client sees on a kernel with this profile."""
        config = dataclasses.replace(profile.config, **self.config)
        return self.experiment(Bench(dataclasses.replace(profile, config=config), cpus=self.cpus))


_PROBES: Final[dict[str, Probe]] = {}


def probe(capability: str, *, cpus: int = 2, **config: Any) -> Callable[[Experiment], Experiment]:
    """Register the decorated experiment; its docstring's first line says what is tried."""

    def register(experiment: Experiment) -> Experiment:
        doing = (experiment.__doc__ or "").partition("\n")[0].rstrip(".")
        _PROBES[capability] = Probe(capability, doing, experiment, cpus, config)
        return experiment

    return register


@cache
def probes() -> Mapping[str, Probe]:
    """All probes by capability."""
    for name in _MODULES:
        import_module(f"netlink_emu.eras.probes_{name}")
    return _PROBES
