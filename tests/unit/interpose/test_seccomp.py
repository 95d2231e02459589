"""A listener and a stopped thread of our own, on the real machine."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import threading
from collections.abc import Callable, Iterator

import pytest
from helpers.nets import SECONDS

from netlink_emu.interpose.abi import native
from netlink_emu.interpose.filter.bpf_filter import (
    NR,
    SECCOMP_RET_ALLOW,
    SECCOMP_RET_USER_NOTIF,
    Assembler,
)
from netlink_emu.interpose.filter.seccomp import (
    Listener,
    Notification,
    encode_program,
    install_filter,
)

_libc = ctypes.CDLL(None, use_errno=True)


def listen(fd: int, backlog: int) -> tuple[int, int]:
    """listen(2), the call that stops here: its result and errno."""
    ctypes.set_errno(0)
    return _libc.listen(fd, backlog), ctypes.get_errno()


class Stopped:
    """A thread whose listen(2) stops."""

    def __init__(self) -> None:
        asm = Assembler()
        asm.load(NR)
        asm.equal(native().numbers["listen"], "stop")
        asm.give(SECCOMP_RET_ALLOW)
        asm.label("stop")
        asm.give(SECCOMP_RET_USER_NOTIF)
        self._program = asm.assemble()
        self._ready = threading.Event()
        self._ask = threading.Event()
        self.result: tuple[int, int] | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        self.listener = Listener(install_filter(self._program))
        self._ready.set()
        self._ask.wait()
        if not self.abandoned:
            self.result = listen(77, 5)

    abandoned = False

    def call(self) -> Notification:
        self._ask.set()
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        assert poll.poll(SECONDS * 1000)
        notification = self.listener.receive()
        assert notification is not None
        return notification

    def outcome(self) -> tuple[int, int] | None:
        self._thread.join()
        return self.result

    def close(self) -> None:
        self.abandoned = True
        self._ask.set()
        self.listener.close()
        self._thread.join()


@pytest.fixture
def stopped() -> Iterator[Stopped]:
    stopped = Stopped()
    yield stopped
    stopped.close()


def test_a_stopped_call_is_described(stopped: Stopped) -> None:
    call = stopped.call()
    assert call.nr == native().numbers["listen"]
    assert call.arch == native().audit_arch
    assert (call.arg0, call.arg1) == (77, 5)
    assert os.path.exists(f"/proc/{os.getpid()}/task/{call.tid}")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(lambda of, c: of.answer(c.id, value=42), (42, 0), id="value"),
        pytest.param(
            lambda of, c: of.answer(c.id, error=errno.EXDEV), (-1, errno.EXDEV), id="error"
        ),
        pytest.param(lambda of, c: of.let_pass(c.id), (-1, errno.EBADF), id="the kernel's own"),
    ],
)
def test_answers(
    stopped: Stopped,
    answer: Callable[[Listener, Notification], bool],
    outcome: tuple[int, int],
) -> None:
    call = stopped.call()
    assert stopped.listener.is_waiting(call.id)
    assert answer(stopped.listener, call)
    assert stopped.outcome() == outcome
    assert not stopped.listener.is_waiting(call.id)
    assert not answer(stopped.listener, call), "nobody waits for a second answer"


def test_a_descriptor_is_the_answer(stopped: Stopped) -> None:
    call = stopped.call()
    read_end, write_end = os.pipe()
    stopped.listener.add_descriptor(call.id, write_end, 333, cloexec=True)
    assert stopped.outcome() == (333, 0)
    assert os.fstat(333).st_ino == os.fstat(write_end).st_ino
    assert not os.get_inheritable(333)
    for fd in (read_end, write_end, 333):
        os.close(fd)
    with pytest.raises(FileNotFoundError):
        stopped.listener.add_descriptor(call.id, 0, 334, cloexec=False)


def test_a_number_beyond_the_limit(stopped: Stopped) -> None:
    call = stopped.call()
    with pytest.raises(OSError, match="Bad file descriptor"):
        stopped.listener.add_descriptor(call.id, 0, 1 << 30, cloexec=False)
    assert stopped.listener.is_waiting(call.id)
    stopped.listener.answer(call.id, error=errno.EMFILE)


def test_a_closed_listener_fails_the_call(stopped: Stopped) -> None:
    stopped.call()
    stopped.listener.close()
    assert stopped.outcome() == (-1, errno.ENOSYS)
    stopped.listener.close()  # once more does no harm


def test_the_listener_hangs_up_with_the_last_thread(stopped: Stopped) -> None:
    stopped.abandoned = True
    stopped._ask.set()
    assert stopped.outcome() is None
    poll = select.poll()
    poll.register(stopped.listener, select.POLLIN)
    assert poll.poll(SECONDS * 1000) == [(stopped.listener.fileno(), select.POLLHUP)]


def test_instructions_are_encoded_as_struct_sock_filter() -> None:
    assert encode_program([(0x15, 1, 2, 0xC000003E), (6, 0, 0, 0)]) == bytes.fromhex(
        "15 00 01 02 3e 00 00 c006 00 00 00 00 00 00 00"
    )
