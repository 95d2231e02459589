"""The CPUs of the machine: which are possible, which are online."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final


class Cpus:
    """cpu_possible_mask and cpu_online_mask as ints, bit n for CPU n."""

    def __init__(
        self, possible: int | Iterable[int] = 1, online: Iterable[int] | None = None
    ) -> None:
        numbers = range(possible) if isinstance(possible, int) else tuple(possible)
        self.possible_mask: Final = sum(1 << cpu for cpu in set(numbers))
        if not self.possible_mask:
            raise ValueError("a machine has at least one CPU")
        self.online_mask = self.possible_mask
        if online is not None:
            self.online_mask = 0
            for cpu in online:
                self.set_online(cpu, online=True)
        if not self.online_mask:
            raise ValueError("a machine has at least one CPU online")

    @property
    def nr_cpu_ids(self) -> int:
        """The highest possible CPU number plus one."""
        return self.possible_mask.bit_length()

    @property
    def possible(self) -> tuple[int, ...]:
        return self._numbers(self.possible_mask)

    @property
    def online(self) -> tuple[int, ...]:
        return self._numbers(self.online_mask)

    def check(self, cpu: int) -> None:
        """Raise ValueError unless ``cpu`` is possible."""
        if cpu < 0 or not self.possible_mask >> cpu & 1:
            raise ValueError(f"CPU {cpu} is not possible on this machine: it has {self.possible}")

    def set_online(self, cpu: int, *, online: bool) -> None:
        """Bring a possible CPU up or down; the last one cannot go down."""
        self.check(cpu)
        mask = self.online_mask | 1 << cpu if online else self.online_mask & ~(1 << cpu)
        if not mask:
            raise ValueError(f"CPU {cpu} is the last one online")
        self.online_mask = mask

    def _numbers(self, mask: int) -> tuple[int, ...]:
        return tuple(cpu for cpu in range(mask.bit_length()) if mask >> cpu & 1)
