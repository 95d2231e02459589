"""Open files of a client, as CGROUPSTATS sees them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netlink_emu.host.cgroups import file_of


def test_a_closed_descriptor_is_no_file() -> None:
    assert file_of(os.getpid(), 1_000_000) is None


def test_a_process_that_is_gone_has_no_files() -> None:
    assert file_of(4194304 + 1, 0) is None


def test_a_plain_directory_is_a_file_without_counts(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        file = file_of(os.getpid(), fd)
    finally:
        os.close(fd)
    assert file is not None
    assert (file.counts, file.cgroup, file.o_path) == (None, None, False)


def test_o_path_shows(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    try:
        file = file_of(os.getpid(), fd)
    finally:
        os.close(fd)
    assert file is not None
    assert file.o_path


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc where descriptor 5 of process 9 is a cgroup v1 directory with five tasks."""
    cgroup = tmp_path / "cgroup"
    cgroup.mkdir()
    (cgroup / "tasks").write_text("11\n12\n13\n14\n15\n16\n")
    for number, state in enumerate("RSSDT", start=11):  # 16 has ended
        (tmp_path / str(number)).mkdir()
        stat = f"{number} (t) {state}" + " 0" * 49
        (tmp_path / str(number) / "stat").write_text(stat)
    (tmp_path / "9" / "fd").mkdir(parents=True)
    (tmp_path / "9" / "fdinfo").mkdir()
    (tmp_path / "9" / "fd" / "5").symlink_to(cgroup)
    (tmp_path / "9" / "fdinfo" / "5").write_text("pos:\t0\nflags:\t0100000\nmnt_id:\t30\n")
    device = cgroup.stat().st_dev
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(
        f"30 1 {os.major(device)}:{os.minor(device)} / /x rw - cgroup cgroup rw,cpu\n"
    )
    return tmp_path


def test_the_tasks_of_a_cgroup_are_counted_by_state(proc: Path) -> None:
    file = file_of(9, 5, proc)
    assert file is not None
    counts = file.counts
    assert counts is not None
    assert (counts.nr_running, counts.nr_sleeping) == (1, 2)
    assert (counts.nr_uninterruptible, counts.nr_stopped, counts.nr_io_wait) == (1, 1, 0)
    assert not counts.removed


def test_a_removed_cgroup_is_said_to_be_removed(proc: Path) -> None:
    (proc / "cgroup" / "tasks").unlink()
    file = file_of(9, 5, proc)
    assert file is not None
    assert file.counts is not None
    assert file.counts.removed


def test_cgroup_v2_is_not_counted(proc: Path) -> None:
    mountinfo = proc / "self" / "mountinfo"
    mountinfo.write_text(mountinfo.read_text().replace("- cgroup ", "- cgroup2 "))
    file = file_of(9, 5, proc)
    assert file is not None
    assert file.counts is None


@pytest.mark.parametrize(
    ("where", "freezable"),
    [
        ("hrtimer_nanosleep", 2), ("futex_do_wait", 2), ("futex_wait_queue_me", 2),
        ("do_sigtimedwait.isra.0", 2), ("unix_stream_read_generic", 2), ("do_wait", 0), ("0", 0),
        ("poll_schedule_timeout.constprop.0", 0), ("anon_pipe_read", 0),
    ],
)  # fmt: skip
def test_who_sleeps_freezably(proc: Path, where: str, freezable: int) -> None:
    for number in (12, 13):
        (proc / str(number) / "wchan").write_text(where)
    file = file_of(9, 5, proc)
    assert file is not None
    assert file.counts is not None
    assert (file.counts.nr_freezable, file.counts.nr_sleeping) == (freezable, 2 - freezable)
