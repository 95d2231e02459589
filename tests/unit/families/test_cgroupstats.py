"""CGROUPSTATS: who is in a cgroup, by state. Facts: kernel/taskstats.c, cgroup-v1.c."""

from __future__ import annotations

import struct
from errno import EBADF, EINVAL, ENOENT

import pytest
from helpers.kernel import Bench, error_of, make_bench

from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.cgroups import Cgroup, CgroupCounts, File
from netlink_emu.machine.task import TaskState


def ask(bench: Bench, fd: int = 3, *, flags: int = 0) -> list[bytes]:
    return bench.ask(
        bench.sock(0), bench.request(0x1F, 4, [(1, struct.pack("<I", fd))], flags=flags)
    )


def counts(datagrams: list[bytes]) -> tuple[int, ...]:
    """Sleeping, running, stopped, uninterruptible, in I/O wait."""
    (datagram,) = datagrams
    assert len(datagram) == 64
    return struct.unpack_from("<5Q", datagram, 24)


@pytest.fixture
def cgroup(bench: Bench) -> Cgroup:
    cgroup = bench.machine.cgroups.mkdir("db")
    bench.client.files[3] = File(cgroup)
    return cgroup


def test_by_state(bench: Bench, cgroup: Cgroup) -> None:
    states = [
        TaskState.RUNNING, TaskState.INTERRUPTIBLE, TaskState.INTERRUPTIBLE, TaskState.STOPPED,
        TaskState.UNINTERRUPTIBLE, TaskState.UNINTERRUPTIBLE, TaskState.UNINTERRUPTIBLE,
        TaskState.OTHER, TaskState.OTHER,
    ]  # fmt: skip
    tasks = [bench.machine.tasks.fork() for _ in states]
    for task, state in zip(tasks, states, strict=True):
        task.state = state
        cgroup.attach(task)
    tasks[-1].in_iowait = True
    assert counts(ask(bench)) == (2, 1, 1, 3, 1)


@pytest.mark.parametrize(("release", "sleeping"), [("6.0", 1), ("6.1", 0), ("7.3", 0)])
def test_a_sleep_of_which_the_freezer_need_not_be_told(release: str, sleeping: int) -> None:
    """TASK_INTERRUPTIBLE | TASK_FREEZABLE is not TASK_INTERRUPTIBLE: nanosleep(2) since 6.1."""
    bench = make_bench(profile_for(release))
    cgroup = bench.machine.cgroups.mkdir("db")
    bench.client.files[3] = File(cgroup)
    task = bench.machine.tasks.fork()
    task.state = TaskState.FREEZABLE
    cgroup.attach(task)
    assert counts(ask(bench)) == (sleeping, 0, 0, 0, 0)
    task.in_iowait = True
    assert counts(ask(bench)) == (sleeping, 0, 0, 0, 1 - sleeping)


@pytest.mark.parametrize("apart", [True, False])
def test_freezable_sleepers_counted_elsewhere(apart: bool) -> None:
    bench = make_bench(Profile(task_freezable=apart))
    bench.client.files[3] = File(counts=CgroupCounts(nr_sleeping=1, nr_freezable=4))
    assert counts(ask(bench)) == (1 if apart else 5, 0, 0, 0, 0)


def test_the_dead_are_members_no_more(bench: Bench, cgroup: Cgroup) -> None:
    task = bench.machine.tasks.fork()
    cgroup.attach(task)
    assert counts(ask(bench)) == (1, 0, 0, 0, 0)
    bench.machine.tasks.do_exit(task, 0)
    assert counts(ask(bench)) == (0, 0, 0, 0, 0)
    bench.machine.tasks.reap(task)
    assert not cgroup.tasks


@pytest.mark.parametrize("file", [None, File(o_path=True), File(Cgroup(), o_path=True)])
def test_what_fdget_does_not_find(bench: Bench, file: File | None) -> None:
    if file is not None:
        bench.client.files[3] = file
    assert ask(bench) == []
    newer = make_bench(Profile(cgroup_bad_fd_ebadf=True))
    assert error_of(ask(newer)) == EBADF


def test_something_else(bench: Bench) -> None:
    bench.client.files[3] = File()
    assert error_of(ask(bench)) == EINVAL


def test_counted_elsewhere(bench: Bench) -> None:
    bench.client.files[3] = File(counts=CgroupCounts(1, 2, 3, 4, 5))
    assert counts(ask(bench)) == (1, 2, 3, 4, 5)


def test_removed_while_open(bench: Bench, cgroup: Cgroup) -> None:
    cgroup.rmdir()
    assert error_of(ask(bench)) == ENOENT
    older = make_bench(Profile(cgroup_removed_enoent=False))
    older.client.files[3] = File(cgroup)
    assert counts(ask(older)) == (0, 0, 0, 0, 0)


def test_without_a_descriptor(bench: Bench) -> None:
    assert error_of(bench.ask(bench.sock(0), bench.request(0x1F, 4))) == EINVAL


def test_threads_share_their_descriptors(bench: Bench, cgroup: Cgroup) -> None:
    thread = bench.machine.tasks.clone_thread(bench.client)
    assert thread.files[3].cgroup is cgroup
