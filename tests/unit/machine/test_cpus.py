"""Which CPUs there are and which are online; a clock that goes one way."""

from __future__ import annotations

import pytest

from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.cpus import Cpus


def test_holes_between_the_possible() -> None:
    cpus = Cpus([0, 2, 5, 2])
    assert (cpus.possible, cpus.online, cpus.nr_cpu_ids) == ((0, 2, 5), (0, 2, 5), 6)
    assert Cpus(3, online=[1]).online == (1,)


def test_down_and_up() -> None:
    cpus = Cpus(2)
    cpus.set_online(0, online=False)
    assert (cpus.possible, cpus.online) == ((0, 1), (1,))
    with pytest.raises(ValueError, match="CPU 1 is the last one online"):
        cpus.set_online(1, online=False)
    cpus.set_online(0, online=True)
    assert cpus.online == (0, 1)


@pytest.mark.parametrize("cpu", [-1, 1, 2])
def test_a_cpu_that_is_not_possible(cpu: int) -> None:
    with pytest.raises(ValueError, match=f"CPU {cpu} is not possible on this machine"):
        Cpus([0]).set_online(cpu, online=True)


def test_a_machine_without_cpus() -> None:
    with pytest.raises(ValueError, match=r"at least one CPU$"):
        Cpus(0)
    with pytest.raises(ValueError, match="at least one CPU online"):
        Cpus(2, online=[])


def test_time_does_not_run_backwards() -> None:
    clock = VirtualClock()
    with pytest.raises(ValueError, match="time does not run backwards: -1 ns"):
        clock.advance_ns(-1)
