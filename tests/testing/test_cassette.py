"""A test's kernel that answers from a cassette: kernels, programs, threads."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.played import ADDRESSES, CLIENT, addresses, cassette, nlmsg, request, write

from netlink_emu.cassettes import (
    Answer,
    Bound,
    Cassette,
    Failed,
    Head,
    Option,
    RecordedFamily,
    Request,
    Stream,
    read_cassette,
    write_cassette,
)
from netlink_emu.cassettes.check import check
from netlink_emu.cassettes.compare import compare
from netlink_emu.host import head
from netlink_emu.host.release import release_number
from netlink_emu.interpose.summary import Summary
from netlink_emu.journal import UnknownName
from netlink_emu.testing import EmulatedKernel, NotUsed
from netlink_emu.testing.errors import NoSuchName, WrongType, WrongValue
from netlink_emu.testing.handle import recorded

# Extended acks on; a family that is there, one that is not, and all of them.
FAMILIES = """
import socket, struct
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
    sock.settimeout(300)
    sock.setsockopt(270, 11, 1)
    for flags, name in ((5, b"nlctrl"), (5, b"nosuch"), (0x301, b"")):
        attr = struct.pack("=HH8s", 11, 2, name) if name else b""
        head = struct.pack("=IHHII", 20 + len(attr), 16, flags, 7, 0)
        sock.send(head + bytes((3, 2, 0, 0)) + attr)
        kind = 0
        while kind not in (2, 3):
            data = sock.recv(65536)
            while data:
                size, kind, _, seq, pid = struct.unpack_from("=IHHII", data)
                assert (seq, pid) == (7, sock.getsockname()[0])
                print(kind, size, data[16:24].hex())
                data = data[size + 3 & ~3 :]
"""

# A portid of its own choice, an option, a send that fails.
FAILS_AND_ASKS = """
import socket, struct
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
    sock.bind((4242, 0))
    sock.setsockopt(270, 11, 1)
    try:
        sock.send(bytes(10_000_000))
    except OSError as exc:
        print(exc.errno)
    sock.send(struct.pack("=IHHIIB3x", 20, 22, 0x301, 7, 0, 2))
    print(sock.recv(65536)[16:24].hex())
"""

# Waits for one RTM_NEWLINK of RTNLGRP_LINK.
LISTENER = """
import socket
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
    sock.settimeout(300)
    sock.bind((0, 1))
    print(sock.recv(65536)[16:32].hex())
"""
NEWS_RECORDER = f"""
import subprocess, sys
from netlink_emu import EmulatedKernel
with EmulatedKernel(cassette=sys.argv[1], record="once", patience=0) as kernel:
    client = kernel.popen([sys.executable, "-c", {LISTENER!r}])
    kernel.wait_until(lambda kernel: "joined" in "\\n".join(kernel.journal.lines()), timeout=300)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    assert client.wait(300) == 0
    print(client.stdout, end="")
"""


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


@needs_interposer
class TestRecording:
    """Against the kernel that runs here."""

    def test_once(self, tmp_path: Path) -> None:
        file = tmp_path / "new" / "addresses.cassette"
        here = addresses()
        with EmulatedKernel(cassette=file, record="once") as kernel:
            assert kernel.release == release_number()
            assert kernel.thread(addresses).result() == here
            kernel.usage.assert_used()
        before = file.read_text()
        assert os.listdir(file.parent) == [file.name]
        for mode in ("none", "once"):
            with EmulatedKernel(cassette=file, record=mode) as kernel:
                assert kernel.thread(addresses).result() == here
                assert kernel.thread(addresses, 10).result() == "refused"
        assert file.read_text() == before
        found = read_cassette(before, "")
        assert found.head.release == release_number()
        assert check(found) == []
        [stream] = found.streams
        assert stream.comm

    def test_new_episodes(self, tmp_path: Path) -> None:
        file = write(tmp_path / "addresses.cassette")
        of_here = Head(release_number(), os.uname().machine)
        file.write_text(write_cassette(replace(cassette(), head=of_here)))
        here = addresses(10)
        with EmulatedKernel(cassette=file, record="new_episodes") as kernel:
            assert kernel.thread(addresses).result() == "fe800001"
            assert kernel.thread(addresses, 10).result() == here
            kernel.reset()
            assert kernel.thread(addresses, 10).result() == here
            assert kernel.cassette.unmatched == []
        assert len(read_cassette(file.read_text(), "").streams) == 2
        with EmulatedKernel(cassette=file) as kernel:
            assert kernel.thread(addresses).result() == "fe800001"
            assert kernel.thread(addresses, 10).result() == here
            kernel.usage.assert_used()

    def test_all(self, tmp_path: Path) -> None:
        file = write(tmp_path / "addresses.cassette")
        with EmulatedKernel(cassette=file, record="all") as kernel:
            assert kernel.thread(addresses).result() == addresses()
        assert len(read_cassette(file.read_text(), "").streams) == 1
        assert "fe800001" not in file.read_text()

    def test_a_program_of_generic_netlink(self, tmp_path: Path) -> None:
        """It finds its family by nlctrl: of the host's kernel then, and of the cassette."""
        client = [sys.executable, "-c", FAMILIES]
        here = subprocess.run(client, capture_output=True, check=True, text=True).stdout
        file = tmp_path / "families.cassette"
        for mode in ("once", "none"):
            with EmulatedKernel(cassette=file, record=mode) as kernel:
                assert kernel.run(client).stdout == here
                kernel.usage.assert_used()
        assert read_cassette(file.read_text(), "").head.families["nlctrl"].id == 16

    def test_a_program_as_by_record(self, tmp_path: Path) -> None:
        """Its own sockets, options, portid and failed calls; the journal has all of it."""
        file, by_record = tmp_path / "a.cassette", tmp_path / "b.cassette"
        client = [sys.executable, "-c", FAILS_AND_ASKS]
        with EmulatedKernel(cassette=file, record="once") as kernel:
            program = kernel.popen(client)
            assert program.wait() == 0
            [sent] = kernel.journal.assert_request(cmd="RTM_GETADDR")
            peer = sent.entry.peer
            assert peer is not None
            assert (peer.pid, peer.portid) == (program.pid, 4242)
            kernel.usage.assert_used()
        subprocess.run([*NETLINK_EMU, "record", "-o", by_record, "--", *client], check=True)
        ours, theirs = (read_cassette(each.read_text(), "") for each in (file, by_record))
        assert [*compare(theirs, ours)] == []
        [stream] = ours.streams
        assert Bound(4242) in stream.events
        assert Option(270, 11, bytes((1, 0, 0, 0))) in stream.events
        assert Failed("sendto", errno.EMSGSIZE) in stream.events
        with EmulatedKernel(cassette=file) as kernel:
            assert kernel.run(client).stdout == program.stdout
            kernel.usage.assert_used()

    @pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace")
    @pytest.mark.skipif(not shutil.which("unshare") or not shutil.which("ip"), reason="needs ip")
    def test_a_program_in_its_own_namespace(self, tmp_path: Path) -> None:
        """What it sees there is recorded, and descriptors in its requests mean what they do."""
        file = tmp_path / "x.cassette"
        client = ["unshare", "--net", "ip", "-json", "link"]
        with EmulatedKernel(cassette=file, record="all") as kernel:
            here = kernel.run(client).stdout
            assert [link["ifname"] for link in json.loads(here)] == ["lo"]
        with EmulatedKernel(cassette=file) as kernel:
            assert kernel.run(["ip", "-json", "link"]).stdout == here

    def test_what_is_not_recorded_fails_the_test(self, tmp_path: Path) -> None:
        with EmulatedKernel(cassette=tmp_path / "x.cassette", record="once") as kernel:
            kernel.run([sys.executable, "-c", CLIENT])
            kernel.usage.assert_used()
            missing: Any = SimpleNamespace(unseen=2, summary=Summary())
            kernel.cassette.is_recorded_by(missing)
            with pytest.raises(NotUsed, match="not recorded: 2 sockets in network namespaces"):
                kernel.usage.assert_used()

    def test_faults_are_ours_to_apply(self, tmp_path: Path) -> None:
        """So a program that is to suffer them talks to our kernel, and this asks the host's."""
        file = tmp_path / "x.cassette"
        with EmulatedKernel(cassette=file, record="once") as kernel:
            kernel.faults.errno("EPERM", cmd="RTM_GETADDR")
            assert kernel.run([sys.executable, "-c", CLIENT]).stdout == "refused\n"
            kernel.usage.assert_used()

    def test_keys_are_blanked(self, tmp_path: Path) -> None:
        key = struct.pack("=HH32s", 36, 3, b"k" * 32)
        asked = Request(nlmsg(40, 5, 1, 0, b"\1\1\0\0" + key))
        before = Cassette(Head("", "", families={"wireguard": RecordedFamily(40)}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(head, "families_here", lambda: before.head.families)
            recorded.save(tmp_path / "wg.cassette", before, (Stream(16, 3, events=(asked,)),))
        text = (tmp_path / "wg.cassette").read_text()
        assert 'redacted: ["wireguard.WGDEVICE_A_PRIVATE_KEY"]' in text
        assert b"k".hex() * 4 not in text

    @pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace")
    @pytest.mark.skipif(not shutil.which("unshare") or not shutil.which("ip"), reason="needs ip")
    def test_news(self, tmp_path: Path) -> None:
        """What comes by multicast, to a client that asks for nothing."""
        file = tmp_path / "news.cassette"
        (tmp_path / "recorder.py").write_text(NEWS_RECORDER)
        command = ["unshare", "--net", sys.executable, "recorder.py", str(file)]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        with EmulatedKernel(cassette=file) as kernel:
            assert kernel.run([sys.executable, "-c", LISTENER]).stdout == done.stdout
            kernel.usage.assert_used()
        [stream] = read_cassette(file.read_text(), "").streams
        assert [event.group for event in stream.events if isinstance(event, Answer)] == [1]

    def test_with_another_byte_order(self, tmp_path: Path) -> None:
        with pytest.raises(WrongValue, match="s390x cannot be recorded here"):
            EmulatedKernel("6.1", arch="s390x", cassette=tmp_path / "x", record="once")

    def test_where_nothing_can_be_written(self, tmp_path: Path) -> None:
        kernel = EmulatedKernel(cassette=tmp_path / "f" / "x", record="once")
        (tmp_path / "f").write_text("")
        kernel.thread(addresses).result()
        with pytest.raises(WrongValue, match="cannot be written: "):
            kernel.close()


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
