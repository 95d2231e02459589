"""A server that answers first, and is stopped then: by SIGSTOP, Ctrl-Z or a debugger."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from errno import ETIMEDOUT
from pathlib import Path
from typing import Final

import pytest
from helpers.nets import SECONDS
from helpers.stopped import Stopped

from netlink_emu.cli.ctl import carry_out
from netlink_emu.cli.usage.remote import connected
from netlink_emu.protocol.genetlink import GENL_ID_CTRL, genl_request
from netlink_emu.protocol.reading.decode import Message
from netlink_emu.testing import EmulatedKernel
from netlink_emu.testing.errors import ControlError
from netlink_emu.testing.remote.family_client import FamilyClient
from netlink_emu.testing.remote.kernel import Connection, Remote

SOON: Final = 0.05  # seconds, in which a server that is stopped answers nothing
SAID: Final = r"the server at .* has not answered within {:g} seconds: it is stopped or"


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", control=True, allow_unused=True) as kernel:
        yield kernel


@pytest.fixture
def remote(kernel: EmulatedKernel) -> Iterator[Remote]:
    with Remote(kernel.path, patience=SECONDS) as remote:
        yield remote


def hurry(patch: pytest.MonkeyPatch, connection: Connection) -> None:
    """From now on a server is given up soon."""
    patch.setattr(connection, "_patience", SOON)


def test_requests_and_dumps(
    kernel: EmulatedKernel, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, remote)
    with Stopped(kernel):
        for ask in (lambda: remote.do("watch-get"), lambda: remote.dump("task-get")):
            with pytest.raises(ControlError, match=SAID.format(SOON)) as raised:
                ask()
            assert raised.value.errno == ETIMEDOUT


def test_a_wait_has_its_own_time_too(
    kernel: EmulatedKernel, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, remote)
    with Stopped(kernel), pytest.raises(ControlError, match=SAID.format(0.3)):
        remote.wait({"cpu": 0, "timeout": 250})


def test_following_fails_before_it_begins(
    kernel: EmulatedKernel, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, remote)
    with Stopped(kernel), pytest.raises(ControlError, match=SAID.format(SOON)):
        remote.events()


def test_who_follows_waits_for_news_without_an_end(
    kernel: EmulatedKernel, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = remote.events()
    heard: list[Message] = []
    follower = threading.Thread(target=lambda: heard.append(next(events)))
    hurry(monkeypatch, remote)
    with Stopped(kernel):
        follower.start()
        follower.join(4 * SOON)
    kernel.journal.note("at last")
    follower.join(SECONDS)
    assert [message.cmd for message in heard] == ["NLEMU_CMD_JOURNAL_NTF"]


def test_an_answer_that_comes_late_is_not_that_of_the_next_request(
    kernel: EmulatedKernel, remote: Remote
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch, remote)
        with Stopped(kernel), pytest.raises(ControlError, match="has not answered"):
            remote.dump("cpu-get")
    reply = remote.do("task-get", {"pid": 1})
    assert reply is not None
    assert {attr.name: attr.value for attr in reply.attrs}["NLEMU_A_TASK_COMM"] == "init"


def test_a_server_that_reads_no_more(
    kernel: EmulatedKernel, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests fill its socket: the next is given up as an answer is."""
    sock = remote._sock
    limit = struct.unpack("@ll", sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16))
    assert limit == (SECONDS, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 0, 50_000))
    hurry(monkeypatch, remote)
    request = genl_request(remote.order, GENL_ID_CTRL, 3, bytes(4096), flags=0, seq=1)

    def fill() -> None:
        while True:
            remote._send(request)

    with Stopped(kernel), pytest.raises(ControlError, match=SAID.format(SOON)) as raised:
        fill()
    assert raised.value.errno == ETIMEDOUT


def test_a_family_is_not_looked_up(
    kernel: EmulatedKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FamilyClient(kernel.path, patience=SECONDS) as client:
        assert client.number("TASKSTATS") == kernel.family_id
        hurry(monkeypatch, client)
        with Stopped(kernel), pytest.raises(ControlError, match=SAID.format(SOON)):
            client.number("TASKSTATS")


def test_ctl_says_so_and_goes_on(kernel: EmulatedKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    path: Path = kernel.path
    with connected(path) as connection:
        assert carry_out(connection, "journal note here")["ok"]
        with pytest.MonkeyPatch.context() as patch, Stopped(kernel):
            hurry(patch, connection.remote)
            told = carry_out(connection, "tasks list")
        assert (told["ok"], told["errno"]) == (False, "ETIMEDOUT")
        assert "it is stopped or very busy" in told["error"]
        monkeypatch.setattr(connection.remote, "_patience", SECONDS)
        assert carry_out(connection, "tasks list")["ok"]
