"""Tasks for any number."""

from __future__ import annotations

import pytest

from netlink_emu.machine.any_tasks import AnyTasks
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.namespaces import PidNamespace
from netlink_emu.machine.task import Task


@pytest.mark.parametrize("nr", [1, 2, 4242, 32767])
def test_any_number_below_pid_max_is_a_task(nr: int) -> None:
    task = AnyTasks(Machine(cpus=3)).find(nr)
    assert task is not None
    assert (task.pid, task.tgid, task.comm) == (nr, nr, b"any/%d" % nr)
    assert task.cpu in (0, 1, 2)


@pytest.mark.parametrize("nr", [-1, 0, 32768])
def test_others_are_not(nr: int) -> None:
    assert AnyTasks(Machine()).find(nr) is None


def test_figures_grow_with_time() -> None:
    clock = VirtualClock()
    source = AnyTasks(Machine(clock=clock))
    figures = []
    for _ in range(3):
        task = source.find(77)
        assert task is not None
        figures.append((task.utime_ns, task.run_count, task.io.read_bytes))
        clock.advance(10)
    assert figures[0] == (0, 1, 0)
    for earlier, later in zip(figures[0], figures[1], strict=True):
        assert later > earlier
    assert sorted(figures) == figures


def test_a_real_task_of_the_machine_comes_first() -> None:
    machine = Machine()
    machine.tasks.sources.append(AnyTasks(machine))
    own = machine.tasks.fork(pid=77, comm="mine")
    assert machine.tasks.find_task_by_pid_ns(77, machine.init_pid_ns) is own
    other = machine.tasks.find_task_by_pid_ns(78, machine.init_pid_ns)
    assert other is not None
    assert other.comm == b"any/78"


def test_new_tasks_take_numbers_that_a_source_does_not_occupy() -> None:
    class Source:
        def find(self, nr: int, ns: PidNamespace | None = None) -> Task | None:
            return None

        def occupies(self, nr: int) -> bool:
            return nr < 10

    machine = Machine()
    machine.tasks.sources.append(Source())
    assert machine.tasks.fork().pid == 10


def test_the_init_of_a_source_stands_before_the_machine_s_own() -> None:
    machine = Machine()
    source = AnyTasks(machine)
    machine.tasks.sources.append(source)
    assert machine.tasks.fork().pid == 2
    found = machine.tasks.find_task_by_pid_ns(1, machine.init_pid_ns)
    assert found is not None
    assert found.comm == b"any/1"
