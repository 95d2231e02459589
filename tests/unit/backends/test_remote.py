"""A server that says what makes no sense, to a supervisor elsewhere: it is as good as gone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from errno import ECONNRESET
from pathlib import Path

import pytest

from netlink_emu.backends.connect import ConnectError, welcomed
from netlink_emu.backends.remote import RemoteKernel, RemoteSock
from netlink_emu.backends.wire import Wire
from netlink_emu.kernel.current import Current
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.ours.relay import RelayReport, ReportKind, SockState, encode_report

HERE = Path("here")


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        yield Wire(ours), theirs


def say(server: socket.socket, *reports: RelayReport) -> None:
    server.sendall(b"".join(map(encode_report, reports)))


def welcome(text: bytes) -> RelayReport:
    return RelayReport(ReportKind.WELCOME, data=text)


def opened(wire: Wire, server: socket.socket) -> tuple[RemoteKernel, RemoteSock]:
    say(server, welcome(b"6.18\0x86_64"), RelayReport(ReportKind.RETURNED, value=1))
    kernel = welcomed(wire, HERE)
    return kernel, kernel.socket(Current.of(kernel.machine.tasks.init_task), 3, 16)


@pytest.mark.parametrize("text", [b"9.99\0x86_64", b"6.18\0vax", b"\xff", b""])
def test_a_kernel_that_is_not_known(ends: tuple[Wire, socket.socket], text: bytes) -> None:
    wire, server = ends
    say(server, welcome(text))
    with pytest.raises(ConnectError, match="the server at here has a kernel that is not known"):
        welcomed(wire, HERE)


def test_no_welcome(ends: tuple[Wire, socket.socket]) -> None:
    wire, server = ends
    say(server, RelayReport(ReportKind.RETURNED, data=b"6.18\0x86_64"))
    with pytest.raises(ConnectError, match="of another version"):
        welcomed(wire, HERE)


@pytest.mark.parametrize(
    "report",
    [
        RelayReport(ReportKind.RETURNED, 1, error=4096),
        RelayReport(ReportKind.RETURNED, 1, error=-1),
        RelayReport(ReportKind.RETURNED, 1, sk_err=4096),
        RelayReport(ReportKind.FAILED, 1, error=-1),
    ],
)
def test_an_errno_that_there_is_not(ends: tuple[Wire, socket.socket], report: RelayReport) -> None:
    wire, server = ends
    kernel, sock = opened(wire, server)
    say(server, report)
    with pytest.raises(NetlinkError) as failed:
        sock.bind(Current.of(kernel.machine.tasks.init_task), bytes(12))
    assert (failed.value.errno, wire.dead) == (ECONNRESET, True)


@pytest.mark.parametrize("control", [b"", b"junk"])
def test_a_datagram_that_never_came_or_has_junk_with_it(
    ends: tuple[Wire, socket.socket], control: bytes
) -> None:
    wire, server = ends
    kernel, sock = opened(wire, server)
    if control:
        say(server, RelayReport(ReportKind.ARRIVED, 1, data=b"datagram"))
    else:
        say(server, RelayReport(ReportKind.FAILED, 1, error=5))
    wire.pump()
    state = int(SockState.CONTROL)
    answer = RelayReport(ReportKind.RETURNED, 1, state=state, data=b"datagram", control=control)
    say(server, RelayReport(ReportKind.RETURNED, 1, state=state, sk_err=0 if control else 5))
    sock.setsockopt(Current.of(kernel.machine.tasks.init_task), 270, 3, bytes(4))
    say(server, answer)
    with pytest.raises(NetlinkError) as failed:
        sock.recvmsg(4096)
    assert (failed.value.errno, wire.dead) == (ECONNRESET, True)


def test_reports_are_taken_in_their_order(ends: tuple[Wire, socket.socket]) -> None:
    wire, server = ends
    say(server, *[RelayReport(ReportKind.RETURNED, value=value) for value in (1, 2)])
    assert [report.value for report in (wire.wait(), wire.wait()) if report] == [1, 2]
