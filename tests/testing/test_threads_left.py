"""Threads that outlive their kernel."""

from __future__ import annotations

import os
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import trio
from helpers.in_thread import ask, generic
from helpers.interposed import needs_interposer
from helpers.messages import get
from helpers.nets import SECONDS

from netlink_emu.interpose.client import fds
from netlink_emu.testing import EmulatedKernel

pytestmark = needs_interposer


class Worker:
    """A thread of a pool: made wherever it is first needed, it serves whoever comes."""

    def __init__(self) -> None:
        self._work: queue.Queue[tuple[Callable[[], Any], Future[Any]] | None] = queue.Queue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            function, future = work
            try:
                future.set_result(function())
            except BaseException as exc:
                future.set_exception(exc)

    def do(self, function: Callable[[], Any]) -> Any:
        future: Future[Any] = Future()
        self._work.put((function, future))
        return future.result(SECONDS)

    def end(self) -> None:
        self._work.put(None)
        if self._thread is not None:
            self._thread.join(SECONDS)


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.end()


def whose_family() -> int:
    """The id of nlctrl, which every kernel has; it is asked for by the number that it has."""
    with generic() as sock:
        sock.send(struct.pack("=IHHIIBBH", 32, 16, 1, 1, 0, 3, 1, 0) + b"\x0b\0\x02\0nlctrl\0\0")
        (kind,) = struct.unpack_from("=H", sock.recv(65536), 4)
        return int(kind)


def is_emulated() -> bool:
    with generic() as sock:
        return sock.fileno() >= fds.choose_high(fds.open_files_limit())


class TestThreadsThatOutliveTheirKernel:
    """A filter stays for good, and the thread is anybody's when the kernel is gone."""

    def test_it_has_the_hosts_netlink_then(self, worker: Worker) -> None:
        with EmulatedKernel() as kernel:
            kernel.thread(worker.start).result()
            assert worker.do(is_emulated)
        for _ in range(3):
            assert not worker.do(is_emulated)
            assert worker.do(whose_family) == 16
        with EmulatedKernel() as kernel:
            assert kernel.thread(ask, 1).result()["ac_comm"] == "init"
            assert not worker.do(is_emulated)

    def test_what_it_has_open_fails(self, worker: Worker) -> None:
        with EmulatedKernel() as kernel:
            kernel.thread(worker.start).result()
            sock = worker.do(generic)
        with pytest.raises(ConnectionResetError):
            worker.do(lambda: sock.recv(65536))
        with pytest.raises(ConnectionResetError):
            worker.do(lambda: sock.send(get(1)))
        worker.do(sock.close)
        assert not worker.do(is_emulated)

    def test_files_beyond_the_threshold(self, worker: Worker) -> None:
        with EmulatedKernel() as kernel:
            kernel.thread(worker.start).result()
        high = fds.choose_high(fds.open_files_limit())

        def use() -> bytes:
            read, write = os.pipe()
            os.dup2(read, high + 7)
            os.write(write, b"text")
            for fd in (read, write):
                os.close(fd)
            try:
                return os.read(high + 7, 9)
            finally:
                os.close(high + 7)

        assert worker.do(use) == b"text"

    def test_a_worker_that_trio_keeps(self) -> None:
        async def in_worker() -> bool:
            return await trio.to_thread.run_sync(is_emulated)

        with EmulatedKernel() as kernel:
            kernel.thread(lambda: trio.run(in_worker)).result()
        assert not trio.run(in_worker)

    def test_a_program_that_it_left_running(self) -> None:
        code = (
            "import socket, sys\nprint(1, flush=True)\nsys.stdin.read(1)\n"
            "s = socket.socket(16, 3, 16); s.bind((0, 0)); print(s.fileno() < 20)"
        )

        def start() -> subprocess.Popen[str]:
            program = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert program.stdout is not None
            program.stdout.readline()
            return program

        with EmulatedKernel() as kernel:
            program = kernel.thread(start).result(SECONDS)
        assert program.communicate("x", timeout=SECONDS)[0] == "True\n"
