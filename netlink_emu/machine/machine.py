"""The emulated machine: CPUs, tasks, cgroups, namespaces and a clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from netlink_emu.machine.cgroups import Cgroup
from netlink_emu.machine.clock import Clock, VirtualClock
from netlink_emu.machine.cpus import Cpus
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.namespaces import (
    HostNamespaces,
    NetNamespace,
    PidNamespace,
    UserNamespace,
)
from netlink_emu.machine.tasks import TaskTable


def seeded(seed: int) -> Callable[[int], int]:
    """Numbers below a bound from a 64-bit linear congruential generator (Knuth's MMIX).

    Nothing here needs better randomness: it stands in for get_random_u32_below() in autobind,
    and makes a test's second run equal to its first.
    """
    state = seed

    def below(bound: int) -> int:
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        return (state >> 33) % bound

    return below


class Machine:
    """What the emulated kernel runs on. ``random(n)`` gives a number from 0 to n - 1."""

    def __init__(
        self,
        *,
        cpus: int | Cpus = 1,
        clock: Clock | None = None,
        random: Callable[[int], int] | None = None,
        pid_max: int = 32768,
    ) -> None:
        self.cpus: Final = cpus if isinstance(cpus, Cpus) else Cpus(cpus)
        self.clock: Final[Clock] = clock if clock is not None else VirtualClock()
        self.random: Final = random if random is not None else seeded(1)
        self.init_user_ns: Final = UserNamespace()
        self.init_pid_ns: Final = PidNamespace()
        self.init_net: Final = NetNamespace(self.init_user_ns, is_init=True)
        self.cgroups: Final = Cgroup()
        # Cgroups by (st_dev, st_ino) of a directory of the host that stands for each.
        self.stand_ins: Final[dict[tuple[int, int], Cgroup]] = {}
        self.host_namespaces: Final = HostNamespaces()
        self.tasks: Final = TaskTable(
            init_cred=Cred(self.init_user_ns),
            init_net=self.init_net,
            init_pid_ns=self.init_pid_ns,
            monotonic_ns=self.clock.monotonic_ns,
            realtime_ns=self.clock.realtime_ns,
            pid_max=pid_max,
        )
