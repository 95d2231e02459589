"""A test's kernel that answers from a cassette: kernels, programs, threads."""

from __future__ import annotations

import socket
import struct
import sys
from pathlib import Path

import pytest
from helpers.interposed import needs_interposer
from helpers.played import ADDRESSES, CLIENT, addresses, cassette, nlmsg, request, write

from netlink_emu.cassettes import (
    Answer,
    Bound,
    Cassette,
    Request,
    Stream,
)
from netlink_emu.journal import UnknownName
from netlink_emu.testing import EmulatedKernel, NotUsed
from netlink_emu.testing.errors import NoSuchName, WrongType, WrongValue

NEWS = tuple(
    Answer(nlmsg(20, 0, 0, 0, bytes(4) + bytes([n] * 4)), group=5, after=1000 * n) for n in (1, 2)
)


@needs_interposer
class TestClients:
    def test_a_program(self, tmp_path: Path) -> None:
        file = write(tmp_path / "addresses.cassette")
        with EmulatedKernel(cassette=file) as kernel:
            assert kernel.release == "6.12.1"
            assert kernel.run([sys.executable, "-c", CLIENT]).stdout == "fe800001\n"
            assert (kernel.cassette.played, kernel.cassette.unused) == (1, [])
            assert "played request 1 of socket 1" in "\n".join(kernel.journal.lines())
            kernel.usage.assert_used()

    def test_a_thread(self) -> None:
        with EmulatedKernel("6.1", cassette=cassette()) as kernel:
            assert kernel.thread(addresses).result() == "fe800001"
            assert kernel.cassette.path is None
            kernel.usage.assert_used()

    def test_reset_winds_back(self) -> None:
        with EmulatedKernel(cassette=cassette()) as kernel:
            for _ in range(2):
                assert kernel.thread(addresses).result() == "fe800001"
                kernel.reset()
            assert kernel.cassette.played == 0

    def test_what_is_asked_again(self) -> None:
        with EmulatedKernel(cassette=cassette(), repeat=True) as kernel:
            assert kernel.thread(addresses, count=3).result() == " ".join(["fe800001"] * 3)

    def test_what_is_not_recorded(self) -> None:
        with EmulatedKernel(cassette=cassette()) as kernel:
            assert kernel.thread(addresses, 10).result() == "refused"
            [said] = kernel.cassette.unmatched
            assert said.endswith(
                "asked what is not recorded: not on the cassette; nearest is request 1 of "
                "socket 1: header is 0a000000, recorded is 02000000"
            )
            assert (
                "the cassette: 0 of 1 requests were played; next is request 1 of socket 1: "
                "RTM_GETADDR REQUEST|DUMP"
            ) in kernel.report()
            with pytest.raises(NotUsed) as raised:
                kernel.usage.assert_used()
            assert "request 1 of socket 1: RTM_GETADDR REQUEST|DUMP was not made." in str(
                raised.value
            )
            assert "allow_unused=['cassette', 'unrecorded']" in str(raised.value)

    def test_a_missing_answer_is_no_hang(self) -> None:
        with EmulatedKernel(cassette=cassette(Bound(777), request()), patience=0.3) as kernel:
            with pytest.raises(TimeoutError):
                kernel.thread(addresses).result()
            assert "waits for more than was recorded: all of socket 1 was played" in (
                kernel.report()
            )

    def test_beside_emulated_families(self) -> None:
        def ask() -> int:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
                sock.settimeout(300)
                name = struct.pack("=HH12s", 14, 2, b"TASKSTATS")
                sock.send(nlmsg(16, 1, 1, 0, b"\3\1\0\0" + name))
                kind: int = struct.unpack_from("=H", sock.recv(65536), 4)[0]
                return kind

        with EmulatedKernel(cassette=cassette()) as kernel:
            assert kernel.thread(addresses).result() == "fe800001"
            assert kernel.thread(ask).result() == 16

    def test_faults_and_journal_of_other_protocols(self) -> None:
        with EmulatedKernel(cassette=cassette()) as kernel:
            kernel.faults.errno("EPERM", cmd="RTM_GETADDR")
            assert kernel.thread(addresses).result() == "refused"
            kernel.usage.assert_used()
            said = "\n".join(kernel.journal.lines())
            assert "route RTM_GETADDR REQUEST|DUMP seq 1234" in said
            assert "NLMSG_ERROR EPERM" in said
            assert "about route RTM_GETADDR seq 1234" in said
            kernel.journal.assert_request(cmd="RTM_GETADDR", family="route")
        with EmulatedKernel(cassette=cassette()) as kernel:
            kernel.faults.delay(seconds=3, kind="done")
            thread = kernel.thread(addresses)
            kernel.wait_until(lambda kernel: kernel.journal.answers(cmd="RTM_NEWADDR"))
            kernel.advance(3)
            assert thread.result() == "fe800001"

    def test_attributes_of_rtnetlink_by_name(self) -> None:
        """As criteria of the journal and of faults."""
        mtu = bytes(16) + struct.pack("=HHI", 8, 4, 1500)
        asked = nlmsg(18, 1, 9, 0, mtu)
        stream = Stream(0, 3, "", (Request(asked), Answer(nlmsg(16, 0, 9, 777, mtu))))

        def ask() -> int:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
                sock.settimeout(300)
                sock.send(asked)
                kind: int = struct.unpack_from("=H", sock.recv(65536), 4)[0]
                return kind

        with EmulatedKernel(cassette=Cassette(streams=(stream,)), repeat=True) as kernel:
            assert kernel.thread(ask).result() == 16
            kernel.journal.assert_request(cmd="RTM_GETLINK", IFLA_MTU=1500)
            kernel.journal.assert_no_request(IFLA_MTU=1400)
            kernel.faults.errno("EBUSY", IFLA_MTU=1500)
            assert kernel.thread(ask).result() == 2
            with pytest.raises(UnknownName, match="there is no attribute 'IFLA_MUT'"):
                kernel.journal.requests(IFLA_MUT=1500)

    def test_faults_on_what_is_played(self) -> None:
        asked = nlmsg(40, 1, 9, 0, b"\1\1\0\0")
        stream = Stream(16, 3, "", (Request(asked), Answer(nlmsg(40, 0, 9, 777, b"\2\1\0\0"))))

        def ask() -> int:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
                sock.settimeout(300)
                sock.send(asked)
                kind: int = struct.unpack_from("=H", sock.recv(65536), 4)[0]
                return kind

        with EmulatedKernel(cassette=Cassette(streams=(stream,))) as kernel:
            kernel.faults.errno("EPERM")
            assert kernel.thread(ask).result() == 2
            kernel.usage.assert_used()
        with EmulatedKernel(cassette=Cassette(streams=(stream,))) as kernel:
            kernel.faults.delay(seconds=3)
            thread = kernel.thread(ask)
            kernel.wait_until(lambda kernel: kernel.cassette.played)
            kernel.advance(3)
            assert thread.result() == 40


@needs_interposer
class TestNews:
    @staticmethod
    def listen(count: int = 1) -> list[str]:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
            sock.settimeout(300)
            sock.bind((0, 1 << 4))
            sock.send(request().data)
            found: list[str] = []
            while len(found) < count:
                data = sock.recv(65536)
                if struct.unpack_from("=I", data, 8) == (0,):
                    found.append(data[20:24].hex())
            return found

    def test_at_once(self) -> None:
        with EmulatedKernel(cassette=cassette(*ADDRESSES, *NEWS)) as kernel:
            assert kernel.thread(self.listen, 2).result() == ["01010101", "02020202"]
            with pytest.raises(WrongValue, match="news="):
                kernel.cassette.emit()

    def test_when_the_test_says_so(self) -> None:
        with EmulatedKernel(cassette=cassette(*ADDRESSES, *NEWS), news="emit") as kernel:
            thread = kernel.thread(self.listen, 2)
            kernel.wait_until(lambda kernel: kernel.cassette.played)
            assert kernel.cassette.emit(1) == 1
            assert thread.running
            assert kernel.cassette.emit() == 1
            assert thread.result() == ["01010101", "02020202"]
            assert kernel.cassette.emit() == 0

    def test_as_time_passes(self) -> None:
        with EmulatedKernel(cassette=cassette(*ADDRESSES, *NEWS), news="clock") as kernel:
            thread = kernel.thread(self.listen, 2)
            kernel.wait_until(lambda kernel: kernel.cassette.played)
            before = kernel.now
            kernel.advance(0.999)
            assert "01010101" not in "\n".join(kernel.journal.lines())
            kernel.advance(2)
            assert thread.result() == ["01010101", "02020202"]
            assert kernel.now == pytest.approx(before + 2.999)


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "error", "said"),
        [
            ({"cassette": 7}, WrongType, "cassette is a file, or a Cassette, not 7"),
            ({"cassette": "nosuch"}, WrongValue, "there is no cassette nosuch: make it with "),
            ({"cassette": __file__}, WrongValue, "test_cassette.py:"),
            ({"cassette": cassette(), "news": "later"}, WrongValue, "there is no news 'later'"),
            ({"cassette": cassette(), "patience": "x"}, WrongType, "patience is a number"),
            ({"cassette": cassette(), "ignore": "IFLA_X"}, WrongValue,
             "ignore: no recorded request has an attribute IFLA_X"),
        ],
    )  # fmt: skip
    def test_they_are_one_sentence(
        self, options: dict[str, object], error: type[Exception], said: str
    ) -> None:
        with pytest.raises(error, match=r".") as raised:
            EmulatedKernel(**options)  # type: ignore[arg-type]  # wrong on purpose
        assert said in str(raised.value)

    def test_a_kernel_without(self, kernel: EmulatedKernel) -> None:
        with pytest.raises(NoSuchName, match="plays no cassette"):
            _ = kernel.cassette

    def test_a_release_that_is_not_known(self) -> None:
        with EmulatedKernel(cassette=cassette(release="9.99")) as kernel:
            assert kernel.release == "6.18"
