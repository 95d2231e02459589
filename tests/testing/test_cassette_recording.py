"""A test's kernel that records a cassette, against the kernel that runs here."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.played import CLIENT, addresses, cassette, nlmsg, write

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
from netlink_emu.testing import EmulatedKernel, NotUsed
from netlink_emu.testing.errors import WrongValue
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
