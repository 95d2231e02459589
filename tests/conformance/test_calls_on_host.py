"""The socket's own calls against the host's AF_NETLINK: the same calls, the same answers.

Options, bind(2), connect(2) and the names, in any order and with any bytes. What only a running
kernel knows (time stamps, busy polling, memory charged) is left out.
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from typing import Any

import pytest
from helpers.kernel import make_bench
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netlink_emu.kernel.current import Current
from netlink_emu.protocol.errors import NetlinkError

pytestmark = pytest.mark.real_kernel

SOL_SOCKET, SOL_NETLINK = 1, 270
# SO_ATTACH_*, SO_DETACH_FILTER, SO_COOKIE, SO_MEMINFO, SO_RXQ_OVFL's kin and the time stamps:
# of their own, or answered by whoever stands below us (ENOPROTOOPT of the model at SOL_SOCKET).
OPTIONS = (
    *range(1, 25), 30, 32, 33, 34, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 48, 59, 66, 67, 69,
    -1, 1 << 30,
)  # fmt: skip
_libc = ctypes.CDLL(None, use_errno=True)


def _call(function: Any, *arguments: Any) -> int:
    result: int = function(*arguments)
    return -ctypes.get_errno() if result < 0 else result


class Host:
    """A socket of the host's."""

    def __init__(self) -> None:
        self.fd = _libc.socket(16, 3, 16)

    def close(self) -> None:
        os.close(self.fd)

    def setsockopt(self, level: int, option: int, value: bytes) -> int:
        return _call(_libc.setsockopt, self.fd, level, option, value, len(value))

    def getsockopt(self, level: int, option: int, room: int) -> int | tuple[int, bytes]:
        buffer, length = ctypes.create_string_buffer(256), ctypes.c_int(room)
        error = _call(_libc.getsockopt, self.fd, level, option, buffer, ctypes.byref(length))
        return error or (length.value, buffer.raw.rstrip(b"\0"))

    def bind(self, address: bytes) -> int:
        return _call(_libc.bind, self.fd, address, len(address))

    def connect(self, address: bytes) -> int:
        return _call(_libc.connect, self.fd, address, len(address))

    def names(self) -> list[bytes]:
        names = []
        for function in (_libc.getsockname, _libc.getpeername):
            buffer, length = ctypes.create_string_buffer(64), ctypes.c_int(64)
            _call(function, self.fd, buffer, ctypes.byref(length))
            names.append(buffer.raw[: length.value])
        return names


class Model:
    """A socket of the emulated kernel's, of a task with this process's number."""

    def __init__(self) -> None:
        bench = make_bench()
        task = bench.machine.tasks.fork(comm="host")
        task.numbers = ((bench.machine.init_pid_ns, os.getpid()),)
        self.current = Current.of(task)
        self.sock = bench.kernel.socket(self.current, 3, 16)

    def close(self) -> None:
        self.sock.release()

    def setsockopt(self, level: int, option: int, value: bytes) -> int:
        return self._errno(lambda: self.sock.setsockopt(self.current, level, option, value))

    def getsockopt(self, level: int, option: int, room: int) -> int | tuple[int, bytes]:
        try:
            data, length = self.sock.getsockopt(level, option, room)
        except NetlinkError as error:
            return -error.errno
        return length, data.rstrip(b"\0")

    def bind(self, address: bytes) -> int:
        return self._errno(lambda: self.sock.bind(self.current, address))

    def connect(self, address: bytes) -> int:
        return self._errno(lambda: self.sock.connect(self.current, address))

    def names(self) -> list[bytes]:
        return [self.sock.getsockname(), self.sock.getpeername()]

    @staticmethod
    def _errno(call: Any) -> int:
        try:
            call()
        except NetlinkError as error:
            return -error.errno
        return 0


@dataclass(frozen=True)
class Call:
    """One call with its arguments."""

    name: str
    arguments: tuple[Any, ...]


words = st.sampled_from([0, 1, -1, 2, 64, 65, 212992, 1 << 20, -(1 << 31), (1 << 31) - 1])
ints = st.one_of(words, st.integers(-(1 << 31), (1 << 31) - 1))
values = st.builds(
    lambda numbers, length: struct.pack("=5i", *numbers)[:length],
    st.tuples(*[ints] * 5),
    st.sampled_from([4, 4, 4, 8, 16, 0, 1, 3, 12, 20]),
)
seconds = st.one_of(
    st.integers(-2, 3), st.sampled_from([(1 << 63) - 1, ((1 << 63) - 1) // 250 - 1, -(1 << 63)])
)
timeouts = st.builds(
    lambda sec, micro: struct.pack("=qq", sec, micro),
    seconds,
    st.sampled_from([0, 1, 3999, 4001, 999_999, 1_000_000, -1]),
)
addresses = st.builds(
    lambda family, pad, pid, groups, length: (
        struct.pack("=HHII", family, pad, pid, groups) + bytes(120)
    )[:length],
    st.sampled_from([16, 16, 16, 0, 1, 0xFFFF]),
    st.sampled_from([0, 0xFFFF]),
    st.sampled_from([0, os.getpid(), 0xFFFF_F123]),
    st.one_of(st.just(0), st.integers(0, (1 << 32) - 1)),
    st.sampled_from([12, 12, 12, 0, 1, 2, 8, 11, 13, 128, 129]),
)
rooms = st.sampled_from([4, 4, 0, 1, 2, 3, 5, 8, 12, 16, 64, -1, -(1 << 31)])
calls = st.one_of(
    st.builds(
        lambda *a: Call("setsockopt", a), st.just(SOL_SOCKET), st.sampled_from(OPTIONS), values
    ),
    st.builds(
        lambda *a: Call("setsockopt", a),
        st.just(SOL_SOCKET),
        st.sampled_from([20, 21, 66, 67]),
        timeouts,
    ),
    st.builds(
        lambda *a: Call("setsockopt", a),
        st.sampled_from([SOL_NETLINK, SOL_NETLINK, 0, 6, -1]),
        st.integers(-1, 14),
        values,
    ),
    st.builds(
        lambda *a: Call("getsockopt", a), st.just(SOL_SOCKET), st.sampled_from(OPTIONS), rooms
    ),
    st.builds(
        lambda *a: Call("getsockopt", a),
        st.sampled_from([SOL_NETLINK, SOL_NETLINK, 0, -1]),
        st.integers(-1, 14),
        rooms,
    ),
    st.builds(lambda a: Call("bind", (a,)), addresses),
    st.builds(lambda a: Call("connect", (a,)), addresses),
    st.just(Call("names", ())),
)


@pytest.fixture(scope="module")
def host() -> None:
    fd = _libc.socket(16, 3, 16)
    if fd < 0:
        pytest.skip("this host has no generic netlink")
    os.close(fd)
    if os.geteuid() != 0:
        pytest.skip("the emulated task is root's, and this process is not")


NEVER = struct.pack("=qq", ((1 << 63) - 1) // 250 - 1, 0)
AT_ONCE = struct.pack("=qq", -1, 999_999)


@example(sequence=[Call("setsockopt", (1, 20, NEVER)), Call("getsockopt", (1, 20, 16))])
@example(sequence=[Call("setsockopt", (1, 20, AT_ONCE)), Call("getsockopt", (1, 20, 16))])
@given(sequence=st.lists(calls, min_size=1, max_size=12))
@settings(max_examples=300)
@pytest.mark.usefixtures("host")
def test_the_same_calls_give_the_same(sequence: list[Call]) -> None:
    real, model = Host(), Model()
    try:
        for call in sequence:
            found = [getattr(side, call.name)(*call.arguments) for side in (real, model)]
            assert found[0] == found[1], call
    finally:
        real.close()
        model.close()
