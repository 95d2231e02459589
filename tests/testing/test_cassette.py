"""A test's kernel that answers from a cassette: kernels, programs, threads, and the plugin."""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.interposed import needs_interposer
from helpers.plugin import project, run

from netlink_emu.cassettes import (
    Answer,
    Bound,
    Cassette,
    Event,
    Head,
    Request,
    Stream,
    write_cassette,
)
from netlink_emu.cassettes.text import texted
from netlink_emu.testing import EmulatedKernel, NotUsed
from netlink_emu.testing.errors import NoSuchName, WrongType, WrongValue

pytest_plugins = ["pytester"]
__all__ = ["project"]

CLIENT = """
import socket, struct, sys

def addresses(family=2, group=0, count=1):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.settimeout(60)
        sock.bind((0, group))
        found = []
        for seq in range(count):
            sock.send(struct.pack("=IHHIIB3x", 20, 22, 0x301, 1234 + seq, 0, family))
            while True:
                data = sock.recv(65536)
                kind, _, number, pid = struct.unpack_from("=HHII", data, 4)
                assert (number, pid) == (1234 + seq, sock.getsockname()[0]), (number, pid)
                if kind == 2:
                    return "refused"
                if kind == 3:
                    break
                found.append(data[20:24].hex())
        return " ".join(found)

if __name__ == "__main__":
    print(addresses(int((sys.argv + ["2"])[1])))
"""


def nlmsg(kind: int, flags: int, seq: int, pid: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, seq, pid) + body


def request(family: int = 2) -> Request:
    return Request(nlmsg(22, 0x301, 9, 0, bytes([family, 0, 0, 0])))


def dump(address: bytes) -> tuple[Event, ...]:
    return (
        Answer(nlmsg(20, 2, 9, 777, bytes(4) + address)),
        Answer(nlmsg(3, 2, 9, 777, bytes(4))),
    )


NEWS = tuple(
    Answer(nlmsg(20, 0, 0, 0, bytes(4) + bytes([n] * 4)), group=5, after=1000 * n) for n in (1, 2)
)
ADDRESSES = (Bound(777), request(), *dump(b"\xfe\x80\x00\x01"))


def cassette(*events: Event, release: str = "6.12.1") -> Cassette:
    stream = Stream(0, 3, "client", events or ADDRESSES)
    return texted(Cassette(Head(release, os.uname().machine), (stream,)))


def write(path: Path, *events: Event) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write_cassette(cassette(*events)))
    return path


def addresses(*args: int, **options: int) -> str:
    """The client's function, as it stands in CLIENT."""
    found: str = globals_of_client["addresses"](*args, **options)
    return found


globals_of_client: dict[str, Any] = {"__name__": "client"}
exec(CLIENT, globals_of_client)


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
                sock.settimeout(60)
                name = struct.pack("=HH12s", 14, 2, b"TASKSTATS")
                sock.send(nlmsg(16, 1, 1, 0, b"\3\1\0\0" + name))
                kind: int = struct.unpack_from("=H", sock.recv(65536), 4)[0]
                return kind

        with EmulatedKernel(cassette=cassette()) as kernel:
            assert kernel.thread(addresses).result() == "fe800001"
            assert kernel.thread(ask).result() == 16

    def test_faults_on_what_is_played(self) -> None:
        asked = nlmsg(40, 1, 9, 0, b"\1\1\0\0")
        stream = Stream(16, 3, "", (Request(asked), Answer(nlmsg(40, 0, 9, 777, b"\2\1\0\0"))))

        def ask() -> int:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
                sock.settimeout(60)
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
            sock.settimeout(60)
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
            ({"cassette": "nosuch"}, WrongValue, "the cassette nosuch cannot be read: No such"),
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


TESTS = """
import sys
import pytest
from client import addresses

@pytest.mark.netlink_cassette
def test_program(netlink_emu):
    kernel = netlink_emu()
    assert kernel.run([sys.executable, "client.py"]).stdout == "fe800001\\n"
    assert kernel.cassette.path.name == "test_program.cassette"
    second = netlink_emu()
    assert second.run([sys.executable, "client.py"]).stdout == "00000002\\n"

@pytest.mark.netlink_cassette("shared")
@pytest.mark.parametrize("n", [1, 2])
def test_thread(netlink_emu_kernel, n):
    assert netlink_emu_kernel.thread(addresses).result() == "fe800001"

@pytest.mark.netlink_cassette("shared", repeat=True)
@pytest.mark.netlink_emu(here=True)
class TestHere:
    def test_here(self):
        assert addresses(count=2) == "fe800001 fe800001"

@pytest.mark.netlink_cassette
class TestNames:
    @pytest.mark.parametrize("path", ["/a/b", "x"])
    def test_of_parameters(self, netlink_emu_kernel, path):
        assert netlink_emu_kernel.thread(addresses).result() == "fe800001"
"""


@pytest.fixture
def recorded(project: pytest.Pytester) -> pytest.Pytester:
    project.makepyfile(client=CLIENT, test_them=TESTS)
    folder = project.path / "cassettes"
    for name in (
        "shared", "test_them/test_program", "test_them/TestNames.test_of_parameters-a-b",
        "test_them/TestNames.test_of_parameters-x",
    ):  # fmt: skip
        write(folder / f"{name}.cassette")
    write(folder / "test_them/test_program-2.cassette", Bound(777), request(), *dump(b"\0\0\0\2"))
    return project


@needs_interposer
class TestPlugin:
    def test_cassettes_lie_beside_the_test(self, recorded: pytest.Pytester) -> None:
        run(recorded).assert_outcomes(passed=6)

    def test_a_test_that_fails_tells_where_the_tape_is(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            client=CLIENT,
            test_it="""
            import pytest
            from client import addresses

            @pytest.mark.netlink_cassette
            def test_it(netlink_emu_kernel):
                assert netlink_emu_kernel.thread(addresses, 10).result() == "fe800001"

            @pytest.mark.netlink_cassette(name="test_it/test_it")
            def test_quiet(netlink_emu_kernel):
                netlink_emu_kernel.thread(addresses, 10).result()

            @pytest.mark.netlink_cassette
            def test_not_there(netlink_emu_kernel):
                pass

            @pytest.mark.netlink_cassette(nome="x")
            def test_slip(netlink_emu_kernel):
                pass
            """,
        )
        write(project.path / "cassettes/test_it/test_it.cassette")
        result = run(project)
        result.assert_outcomes(failed=2, errors=2)
        result.stdout.fnmatch_lines(
            [
                "*test_not_there.cassette cannot be read: No such file or directory*",
                "*netlink_cassette has no nome; it has name, ignore, repeat, news, patience*",
                "the cassette */test_it.cassette: 0 of 1 requests were played; next is request 1 "
                "of socket 1: RTM_GETADDR REQUEST|DUMP",
                "*nearest is request 1 of socket 1: header is 0a000000, recorded is 02000000*",
                "*request 1 of socket 1: RTM_GETADDR REQUEST|DUMP was not made.*",
            ]
        )
