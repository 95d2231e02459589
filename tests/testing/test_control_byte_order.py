"""NETLINK_EMU of a kernel whose byte order is not this machine's; and of one that says nothing."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from errno import EINVAL, ENOENT, ETIMEDOUT
from pathlib import Path
from typing import Any, Final

import pytest
from helpers.nets import SECONDS
from helpers.specs import SPECS

from netlink_emu.cli.ctl import carry_out
from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.usage.remote import connected
from netlink_emu.cli.watching.asking import Asking, Watcher
from netlink_emu.cli.watching.news import Wanted
from netlink_emu.journal.entries import Note
from netlink_emu.protocol.format import BIG, LITTLE
from netlink_emu.protocol.ours.hello import Hello, encode_hello
from netlink_emu.specs.spec import read_spec_file
from netlink_emu.testing import EmulatedKernel, Family
from netlink_emu.testing.errors import ControlError
from netlink_emu.testing.remote import kernel as remotes
from netlink_emu.testing.remote.family_client import FamilyClient, FamilyError
from netlink_emu.testing.remote.kernel import Remote

LITTLE_HERE: Final = sys.byteorder == "little"
OTHER_ARCH: Final = "s390x" if LITTLE_HERE else "x86_64"
OTHER_ORDER: Final = BIG if LITTLE_HERE else LITTLE
LAMPS: Final = """\
name: lamps
attribute-sets:
  - name: lamp
    attributes:
      - {name: id, type: u32}
      - {name: level, type: u16, checks: {max: 1000}}
operations:
  list:
    - name: lamp-get
      attribute-set: lamp
      do: {request: {attributes: [id]}, reply: {attributes: &all [id, level]}}
      dump: {reply: {attributes: *all}}
    - name: lamp-set
      attribute-set: lamp
      do: {request: {attributes: *all}}
"""


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    lamps = Family.from_spec(LAMPS, state={"lamp": [{"id": 1, "level": 300}]})
    with EmulatedKernel(
        "6.18", arch=OTHER_ARCH, cpus=4, control=True, families=[lamps], allow_unused=True
    ) as kernel:
        yield kernel


@pytest.mark.parametrize(
    ("arch", "order"),
    [("x86_64", LITTLE), ("s390x", BIG), ("ppc", BIG), ("ppc64le", LITTLE)],
)
@pytest.mark.parametrize("release", ["6.18", "2.6.32"])
def test_the_byte_order_is_found_out(arch: str, order: Any, release: str) -> None:
    with (
        EmulatedKernel(release, arch=arch, control=True, allow_unused=True) as kernel,
        Remote(kernel.path) as remote,
    ):
        assert remote.order is order
        remote.do("task-new", {"comm": "x", "pid": 4242})
        assert kernel.tasks[4242].comm == "x"


def test_the_answer_to_a_hello_has_it(kernel: EmulatedKernel) -> None:
    sock = kernel.connect()
    sock.send(encode_hello(Hello(portid=77)))
    assert sock.recv(4096) == encode_hello(Hello(portid=77, options=1))


def test_refusals_have_their_text(remote: Remote) -> None:
    with pytest.raises(ControlError, match=r"CPU 99 is not possible") as raised:
        remote.do("task-new", {"comm": "x", "cpu": 99})
    assert raised.value.errno == EINVAL


def test_the_journal_as_it_grows(kernel: EmulatedKernel, remote: Remote) -> None:
    events = remote.events()
    kernel.journal.note("here")
    (text,) = [attr.value for attr in next(events).attrs if attr.name.endswith("_TEXT")]
    assert text.endswith("here")


def test_those_who_control_are_not_in_the_journal(kernel: EmulatedKernel, remote: Remote) -> None:
    remote.do("journal-note", {"text": "here"})
    remote.close()
    assert [entry.text for entry in kernel.journal if isinstance(entry, Note)] == ["here"]
    assert len(kernel.journal) == 1


def test_commands_over_one_connection(kernel: EmulatedKernel) -> None:
    with connected(kernel.path) as connection:
        commands = (
            "tasks spawn nginx --pid 4201 utime=1.2",
            "faults add delay seconds=0.5 cmd=TASKSTATS_CMD_GET",
            "faults list",
            "journal note here",
            "journal listeners",
            "family objects lamps lamp",
        )
        for command in commands:
            answer = carry_out(connection, command)
            assert answer["ok"], answer
        (lamp,) = carry_out(connection, "family objects lamps lamp")["result"]
        assert lamp == {"id": 1, "level": 300}
    assert kernel.tasks[4201].task.utime_ns == 1_200_000_000


def test_what_the_view_asks(kernel: EmulatedKernel, remote: Remote) -> None:
    kernel.tasks.spawn("nginx", pid=4201, cpu=3)
    kernel.faults.drop(cmd="TASKSTATS_CMD_GET")
    kernel.journal.note("here")
    sock = kernel.connect(portid=5000)
    found = Asking(remote).ask(Wanted())
    assert found.release.startswith("6.18")
    assert [row["pid"] for row in found.task_rows] == [1, 4201]
    assert [row["cpu"] for row in found.cpu_rows] == [0, 1, 2, 3]
    assert [row["portid"] for row in found.socket_rows] == [5000]
    assert [row["rule"] for row in found.rules] == ["drop cmd=TASKSTATS_CMD_GET"]
    assert any("here" in message.text for message in found.messages)
    sock.close()


class TestFamilyClient:
    """The operations of any family, by the names of its spec."""

    def test_values_and_refusals(self, kernel: EmulatedKernel, tmp_path: Path) -> None:
        (tmp_path / "lamps.yaml").write_text(LAMPS)
        lamps = read_spec_file(tmp_path / "lamps.yaml").declaration
        get, put = lamps.operation("lamp-get"), lamps.operation("lamp-set")
        with FamilyClient(kernel.path) as client:
            assert [*client.call(lamps, get, {"id": 1})] == [{"id": 1, "level": 300}]
            assert [*client.call(lamps, put, {"id": 1, "level": 700})] == []
            assert [*client.call(lamps, get, {}, dump=True)] == [{"id": 1, "level": 700}]
            with pytest.raises(FamilyError, match=r"attribute level\)"):
                [*client.call(lamps, put, {"id": 1, "level": 1001})]
            nlctrl = read_spec_file(SPECS / "7.3" / "nlctrl.yaml").declaration
            asked = {"family-name": "lamps"}
            (answer,) = client.call(nlctrl, nlctrl.operation("getfamily"), asked)
            assert answer["family-id"] == client.number("lamps")
            with pytest.raises(FamilyError) as raised:
                client.number("nosuch")
            assert raised.value.errno == ENOENT


# --- a server that says nothing


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket to which somebody listens who never answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "nl"))
        sock.settimeout(SECONDS)
        yield sock


SAID: Final = r"the server at .*/nl has not answered within 0.05 seconds"


def test_nobody_answers_a_hello(silent: socket.socket) -> None:
    path = Path(silent.getsockname())
    with pytest.raises(ControlError, match=SAID) as raised:
        Remote(path, patience=0.05)
    assert raised.value.errno == ETIMEDOUT
    with pytest.raises(ControlError, match=SAID):
        FamilyClient(path, patience=0.05)


def test_a_command_gives_up_in_one_sentence(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remotes, "PATIENCE", 0.05)
    with pytest.raises(UserError, match=SAID), connected(Path(silent.getsockname())) as connection:
        connection.remote.dump("task-get")


def test_the_view_waits_until_it_is_left(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remotes, "PATIENCE", 0.0)
    watcher = Watcher(Path(silent.getsockname()))
    watcher.start()
    _, (end,), _, _ = socket.recv_fds(silent, 4096, 1)
    assert (watcher.ended, watcher.snapshot, watcher.is_alive()) == ("", None, True)
    socket.close(end)
    watcher.join(SECONDS)
    assert "EPROTO" in watcher.ended


def test_nobody_reads_a_hello(silent: socket.socket) -> None:
    path = Path(silent.getsockname())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                other.sendto(b"more", str(path))
    with pytest.raises(ControlError, match=SAID) as raised:
        Remote(path, patience=0.05)
    assert raised.value.errno == ETIMEDOUT


def test_nobody_answers_netlink(silent: socket.socket) -> None:
    ends: list[int] = []

    def answer() -> None:
        _, fds, _, _ = socket.recv_fds(silent, 4096, 1)
        ends.extend(fds)
        with socket.socket(fileno=fds[0]) as end:
            end.send(encode_hello(Hello()))
            over.wait(SECONDS)

    over = threading.Event()
    server = threading.Thread(target=answer)
    server.start()
    try:
        with pytest.raises(ControlError, match=SAID) as raised:
            Remote(Path(silent.getsockname()), patience=0.05)
        assert raised.value.errno == ETIMEDOUT
        assert ends
    finally:
        over.set()
        server.join(SECONDS)
