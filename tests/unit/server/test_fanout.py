"""One datagram to many: what arrives is what single sends would have brought."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from helpers.examples import SHARING_A_FIXTURE
from helpers.kernel import Bench, make_bench
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.server import outbox as outbox_module
from netlink_emu.server.fanout import UIO_MAXIOV, FanOut
from netlink_emu.server.outbox import Outbox
from netlink_emu.server.statistics import Counters


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _datagram_socket(stack: ExitStack, name: str | bytes | None = None) -> socket.socket:
    sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    sock.setblocking(False)
    if name is not None:
        sock.bind(name)
    return sock


def _read(sock: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(sock.recv(1 << 17))
        except BlockingIOError:
            return found


@pytest.mark.parametrize("kind", ["path", "longest path", "abstract", "autobound"])
def test_every_kind_of_address(stack: ExitStack, tmp_path: Path, kind: str) -> None:
    names: dict[str, str | bytes] = {
        "path": str(tmp_path / "client"),
        "longest path": str(tmp_path / ("x" * (106 - len(str(tmp_path))))),
        "abstract": b"\0netlink-emu test " + str(tmp_path).encode()[-60:] + b"\0\xff",
        "autobound": b"",
    }
    reader, sender = _datagram_socket(stack, names[kind]), _datagram_socket(stack)
    address = reader.getsockname()
    fan_out = FanOut(sender.fileno())
    destination = fan_out.destination(address if isinstance(address, bytes) else address.encode())
    assert fan_out.send(b"event", [destination] * 3) == 3
    assert _read(reader) == [b"event"] * 3


def test_it_stops_at_the_first_that_cannot_be_sent_to(stack: ExitStack, tmp_path: Path) -> None:
    readers = [_datagram_socket(stack, str(tmp_path / str(number))) for number in range(5)]
    (tmp_path / "3").unlink()
    fan_out = FanOut(_datagram_socket(stack).fileno())
    destinations = [fan_out.destination(str(tmp_path / str(n)).encode()) for n in range(5)]
    assert fan_out.send(b"event", destinations) == 3
    assert [len(_read(reader)) for reader in readers] == [1, 1, 1, 0, 0]
    assert fan_out.send(b"event", destinations[3:]) == 0
    assert fan_out.send(b"event", destinations[4:]) == 1


def test_more_than_one_call_takes(stack: ExitStack, tmp_path: Path) -> None:
    """A reader that is connected to the sender holds as much as the sender's buffer."""
    sender = _datagram_socket(stack, str(tmp_path / "sender"))
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    reader = _datagram_socket(stack, str(tmp_path / "reader"))
    reader.connect(str(tmp_path / "sender"))
    fan_out = FanOut(sender.fileno())
    destination = fan_out.destination(str(tmp_path / "reader").encode())
    room = sender.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 1024
    count = min(UIO_MAXIOV + 5, room)
    assert fan_out.send(b"x", [destination] * count) == count
    assert len(_read(reader)) == count


def test_what_is_too_long_is_for_a_send_of_its_own(stack: ExitStack, tmp_path: Path) -> None:
    reader = _datagram_socket(stack, str(tmp_path / "reader"))
    fan_out = FanOut(_datagram_socket(stack).fileno(), longest=8)
    destination = fan_out.destination(str(tmp_path / "reader").encode())
    assert fan_out.send(bytes(9), [destination]) == 0
    assert fan_out.send(bytes(8), [destination]) == 1
    assert _read(reader) == [bytes(8)]


# --- an outbox with many clients --------------------------------------------------------------


class Reader:
    def __init__(self, stack: ExitStack, path: Path, sock: NetlinkSock) -> None:
        self.sock = sock
        self.end = _datagram_socket(stack, str(path))
        self.address: str | bytes = str(path)

    def has_read_all(self) -> bool | None:
        return None


class Town:
    """Clients of an outbox, some of whom are gone, full, or have something else queued."""

    def __init__(self, stack: ExitStack, folder: Path, states: list[str], events: int) -> None:
        folder.mkdir()
        bench: Bench = make_bench()
        sender = _datagram_socket(stack, str(folder / "sender"))
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.gone: list[Reader] = []
        self.counters = Counters()
        self.outbox: Outbox[Reader] = Outbox(sender, self.counters, self._gone)
        self.readers = [
            Reader(stack, folder / str(number), bench.sock()) for number in range(len(states))
        ]
        for reader, state in zip(self.readers, states, strict=True):
            if state == "full":
                while True:
                    try:
                        sender.sendto(b"old", str(reader.address))
                    except BlockingIOError:
                        break
            elif state == "gone":
                Path(str(reader.address)).unlink()
            elif state == "ahead":
                reader.sock.deliver(SkBuff(b"its own", 512))
        for number in range(events):
            skb = SkBuff(b"event %d" % number, 512)
            for reader, state in zip(self.readers, states, strict=True):
                if state != "nothing":
                    reader.sock.deliver(skb)

    def _gone(self, reader: Reader) -> None:
        self.gone.append(reader)
        reader.sock.release()  # as the server does: nothing is queued for nobody

    def told(self) -> list[object]:
        return [
            [reader in self.gone for reader in self.readers],
            [reader in self.outbox.backlog for reader in self.readers],
            [[skb.data for skb in reader.sock.receive_queue] for reader in self.readers],
            [_read(reader.end) for reader in self.readers],
            self.counters.datagrams_out,
        ]


STATES = st.lists(
    st.sampled_from(["reads", "reads", "reads", "reads", "gone", "full", "ahead", "nothing"]),
    min_size=1,
    max_size=24,
)


@given(states=STATES, events=st.integers(1, 4))
@example(states=["gone"] * 12, events=2)
@settings(max_examples=60, suppress_health_check=SHARING_A_FIXTURE)
def test_all_at_once_are_as_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, states: list[str], events: int
) -> None:
    folder = tmp_path_factory.mktemp("town")
    with ExitStack() as stack:
        singly = Town(stack, folder / "a", states, events)
        at_once = Town(stack, folder / "b", states, events)
        for reader in singly.readers:
            singly.outbox.flush(reader)
        at_once.outbox.flush_all(at_once.readers)
        assert at_once.told() == singly.told()


def test_a_fan_out_is_one_system_call(
    stack: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    class Counting(FanOut):
        def send(self, datagram: bytes, destinations: object) -> int:
            sent = super().send(datagram, destinations)  # type: ignore[arg-type]
            calls.append(sent)
            return sent

    monkeypatch.setattr(outbox_module, "FanOut", Counting)
    town = Town(stack, tmp_path / "town", ["reads"] * 20, 2)
    town.outbox.flush_all(town.readers)
    assert calls == [20, 20]
