"""sched_setscheduler(2) and the mark that it leaves: kernel/sched/core.c."""

from __future__ import annotations

from errno import EPERM

import pytest
from helpers.kernel import fails, make_bench

from netlink_emu.kernel.current import Current
from netlink_emu.kernel.releases import profile_for
from netlink_emu.kernel.sched import sched_setscheduler
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.task import PF_SUPERPRIV

NORMAL, FIFO, BATCH, IDLE, DEADLINE = 0, 1, 3, 5, 6


@pytest.mark.parametrize(
    ("release", "policies", "used"),
    [
        ("5.10", [NORMAL], True),
        ("6.0", [BATCH], True),
        ("6.1", [NORMAL], False),
        ("6.1", [BATCH], False),
        ("6.1", [IDLE], False),
        ("6.1", [IDLE, BATCH], True),  # IDLE is as nice 20: to leave it is to rise
        ("6.1", [FIFO], True),
        ("6.1", [DEADLINE], True),
    ],
)
def test_whether_a_capability_was_used(release: str, policies: list[int], used: bool) -> None:
    bench = make_bench(profile_for(release))
    task = bench.machine.tasks.fork(pid=777)
    for policy in policies:
        sched_setscheduler(bench.kernel, Current.of(task), task, policy)
    assert bool(task.flags & PF_SUPERPRIV) is used
    assert task.policy == policies[-1]


@pytest.mark.parametrize("release", ["5.10", "6.18"])
def test_without_the_capability(release: str) -> None:
    bench = make_bench(profile_for(release))
    cred = Cred.for_ids(bench.machine.init_user_ns, 1000, 1000)
    task = bench.machine.tasks.fork(pid=777, cred=cred)
    current = Current.of(task)
    sched_setscheduler(bench.kernel, current, task, BATCH)
    assert (task.policy, task.flags & PF_SUPERPRIV) == (BATCH, 0)
    with fails(EPERM):
        sched_setscheduler(bench.kernel, current, task, FIFO)
    sched_setscheduler(bench.kernel, current, task, IDLE)
    with fails(EPERM):
        sched_setscheduler(bench.kernel, current, task, NORMAL)
    assert task.policy == IDLE
