"""Reading /proc/T/status and /proc/T/fd."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from netlink_emu.host.proc import (
    StatusFile,
    count_descriptors,
    descriptors,
    is_thread_of,
    parse_status,
    read_status,
)

STATUS = """\
Name:\tdaemon:\twith a tab
Umask:\t0022
State:\tS (sleeping)
Tgid:\t4242
Ngid:\t0
Pid:\t4243
PPid:\t1
TracerPid:\t0
Uid:\t1000\t1001\t1002\t1003
Gid:\t100\t101\t102\t103
NStgid:\t4242\t17\t1
NSpid:\t4243\t18\t2
Threads:\t3
SigQ:\t0/15000
SigPnd:\t0000000000002200
ShdPnd:\t0000000000000005
SigBlk:\t0000000000000204
SigIgn:\t0000000000001000
SigCgt:\t0000000180004a02
CapInh:\t0000000000000000
CapPrm:\t0000000000003000
CapEff:\t0000000000001001
"""


def test_status_is_read() -> None:
    status = parse_status(STATUS)
    assert status.tgid == 4242
    assert status.ns_tgid == 1
    assert status.uids == (1000, 1001, 1002, 1003)
    assert status.gids == (100, 101, 102, 103)
    assert status.capabilities == {0, 12}
    assert status.threads == 3


def test_only_what_is_neither_blocked_nor_ignored_is_deliverable() -> None:
    status = parse_status(STATUS)
    assert status.deliverable_to_thread == 0x2000
    assert status.deliverable_to_process == 0x0001


def test_our_own_status() -> None:
    status = read_status(threading.get_native_id())
    assert status.tgid == os.getpid()
    assert status.uids == (*os.getresuid(), os.geteuid())


def test_a_status_file_is_read_again_and_again() -> None:
    file = StatusFile(os.getpid())
    before = file.read().threads
    started, go = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        go.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    started.wait()
    assert file.read().threads == before + 1
    go.set()
    thread.join()
    file.close()


def test_a_status_is_parsed_where_a_signal_waits() -> None:
    file = StatusFile(threading.get_native_id())
    assert file.read_if_signalled() is None
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        status = file.read_if_signalled()
        assert status is not None
        assert status.thread_pending == 1 << signal.SIGUSR1 - 1
        assert not status.deliverable_to_thread
        assert signal.sigtimedwait({signal.SIGUSR1}, 0) is not None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert file.read_if_signalled() is None
    file.close()


def test_threads_belong_to_their_process() -> None:
    assert is_thread_of(threading.get_native_id(), os.getpid())
    assert not is_thread_of(1, os.getpid())
    assert not is_thread_of(os.getpid(), 0)


def test_descriptors() -> None:
    read_end, write_end = os.pipe()
    assert {read_end, write_end} <= descriptors(os.getpid())
    before = count_descriptors(os.getpid())
    os.close(read_end)
    os.close(write_end)
    assert write_end not in descriptors(os.getpid())  # the other number may be its own
    assert count_descriptors(os.getpid()) == before - 2


def test_who_is_gone_has_no_status() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    with pytest.raises(FileNotFoundError):
        read_status(pid)
