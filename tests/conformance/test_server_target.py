"""The cases that a Unix datagram socket can carry, against running servers."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.serving import serving

from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.report.text import failure
from netlink_emu.conformance.runner import Report, Verdict, run
from netlink_emu.conformance.targets.server import ServerTarget
from netlink_emu.conformance.targets.target import TargetError
from netlink_emu.families import boot
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.errors import NetlinkError

CASES = load_corpus()


def told(report: Report) -> str:
    failed = [result for result in report.results if result.verdict is Verdict.FAILED]
    return "\n".join(line for result in failed for line in failure(result))


class PlainServer:
    """Somebody else's server: answers netlink over a Unix socket, and knows no hello."""

    def __init__(self, path: Path, *, cpus: int, wrong: bool = False) -> None:
        self.machine = Machine(cpus=cpus)
        self.kernel = boot(self.machine)
        self.wrong = wrong
        self.peers: dict[str, NetlinkSock] = {}
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        self.current = Current.of(self.machine.tasks.init_task)

    def serve(self) -> None:
        while True:
            waiting = any(sock.receive_queue for sock in self.peers.values())
            if select.select([self.sock], [], [], 0.001 if waiting else None)[0]:
                data, peer = self.sock.recvfrom(1 << 20)
                if data == b"stop":
                    return
                if peer not in self.peers:
                    self.peers[peer] = self.kernel.socket(self.current, 3, 16)
                with contextlib.suppress(NetlinkError):
                    self.peers[peer].sendmsg(self.current, data)
            for peer in list(self.peers):
                self.answer(peer)

    def answer(self, peer: str) -> None:
        """Send what is queued, as far as the client takes it now."""
        sock = self.peers[peer]
        while sock.receive_queue:
            answer = bytearray(sock.receive_queue[0].data)
            if self.wrong and answer[4] == 2:
                answer[6] ^= 0x02
            try:
                self.sock.sendto(answer, socket.MSG_DONTWAIT, peer)
            except BlockingIOError:
                return
            except OSError:  # the client is gone
                sock.release()
                del self.peers[peer]
                return
            with contextlib.suppress(NetlinkError):
                sock.recvmsg(1 << 16)


@contextlib.contextmanager
def plain_server(path: Path, *, cpus: int = 2, wrong: bool = False) -> Iterator[Path]:
    server = PlainServer(path, cpus=cpus, wrong=wrong)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield path
    finally:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"stop", str(path))
        thread.join()
        server.sock.close()


def test_our_server_holds_what_it_can_carry(tmp_path: Path) -> None:
    with serving(tmp_path / "s", cpus=2), ServerTarget(tmp_path / "s") as target:
        assert target.speaks_hello
        assert target.describe()["binds portids"] == "yes"
        report = run(CASES, target)
    assert not report.failed, told(report)
    assert report.count(Verdict.PASSED) > 240
    reasons = Counter(r.reason for r in report.results if r.verdict is Verdict.SKIPPED)
    assert reasons["a server's socket makes no tasks"] > 200


def test_a_server_that_knows_no_hello(tmp_path: Path) -> None:
    with plain_server(tmp_path / "s"), ServerTarget(tmp_path / "s") as target:
        assert not target.speaks_hello
        report = run(CASES, target)
    assert not report.failed, told(report)
    assert report.count(Verdict.PASSED) > 100


def test_a_server_that_is_wrong(tmp_path: Path) -> None:
    with plain_server(tmp_path / "s", wrong=True), ServerTarget(tmp_path / "s") as target:
        report = run([case for case in CASES if case.name == "frame_flag_ack_error"], target)
    assert report.failed
    assert "nlmsg_flags" in told(report)


def test_cpu_lists_are_left_out_where_there_are_other_cpus(tmp_path: Path) -> None:
    with plain_server(tmp_path / "s", cpus=8), ServerTarget(tmp_path / "s") as target:
        report = run(CASES, target)
    assert not report.failed, told(report)
    reasons = {r.reason for r in report.results if r.verdict is Verdict.SKIPPED}
    assert "the server's kernel has other than two CPUs" in reasons


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"cannot reach .*: No such file or directory"):
        ServerTarget(tmp_path / "s")


def test_a_server_that_goes_away(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        with plain_server(tmp_path / "s"):
            target = stack.enter_context(ServerTarget(tmp_path / "s"))
        report = run([case for case in CASES if case.name == "frame_flag_ack_error"], target)
    (result,) = report.results
    assert result.verdict is Verdict.FAILED
    assert "TargetError" in result.reason
