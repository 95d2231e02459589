"""A cassette answers sockets of an emulated kernel as the recorded kernel did."""

from __future__ import annotations

import errno
import struct

import pytest

from netlink_emu.cassettes import (
    Answer,
    Bound,
    Cassette,
    Event,
    Failed,
    Head,
    RecordedFamily,
    Request,
    Stream,
)
from netlink_emu.cassettes.playing.following import following
from netlink_emu.cassettes.playing.tape import Tape
from netlink_emu.families import BootedKernel, boot
from netlink_emu.faults import Faults
from netlink_emu.journal.entries import Sent
from netlink_emu.journal.journal import Journal
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import LITTLE

ROUTE, GENERIC = 0, 16
GETLINK, NEWLINK, GETADDR = 18, 16, 22
REQUEST, MULTI, ACK, DUMP = 1, 2, 4, 0x300
EXT_ACK = 11


def nlmsg(kind: int, flags: int, seq: int, pid: int = 0, body: bytes = b"") -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, seq, pid) + body


def error(number: int, seq: int, pid: int, about: bytes) -> bytes:
    return nlmsg(2, 0, seq, pid, struct.pack("=i", -number) + about)


class Client:
    """A socket, and what it receives."""

    def __init__(self, kernel: BootedKernel, protocol: int = ROUTE) -> None:
        self.current = Current.of(kernel.machine.tasks.init_task)
        self.sk: NetlinkSock = kernel.socket(self.current, 3, protocol)

    def send(self, data: bytes) -> int:
        return self.sk.sendmsg(self.current, data)

    def ask(self, data: bytes) -> list[bytes]:
        self.send(data)
        return self.receive()

    def receive(self, size: int = 65536) -> list[bytes]:
        found = []
        while self.sk.receive_queue or self.sk.sk_err:
            found.append(self.sk.recvmsg(size).data)
        return found


def play(
    *streams: Stream, head: Head | None = None, repeat: bool = False
) -> tuple[BootedKernel, Tape]:
    kernel = boot(Machine(cpus=2))
    return kernel, Tape(kernel, Cassette(head or Head(), streams), repeat=repeat)


def route(*events: Event) -> Stream:
    return Stream(ROUTE, 3, "ip", (Bound(777), *events))


LINKS = route(
    Request(nlmsg(GETLINK, REQUEST | DUMP, 50)),
    Answer(nlmsg(NEWLINK, MULTI, 50, 777, b"lo.." * 4)),
    Answer(nlmsg(3, MULTI, 50, 777, bytes(4))),
    Request(nlmsg(GETLINK, REQUEST | ACK, 51, 0, b"nope")),
    Answer(error(19, 51, 777, nlmsg(GETLINK, REQUEST | ACK, 51, 0, b"nope"))),
)


def test_answers_have_the_numbers_of_the_client() -> None:
    kernel, tape = play(LINKS)
    client = Client(kernel)
    first = client.ask(nlmsg(GETLINK, REQUEST | DUMP, 9))
    portid = client.sk.portid
    assert portid != 777
    assert first == [
        nlmsg(NEWLINK, MULTI, 9, portid, b"lo.." * 4),
        nlmsg(3, MULTI, 9, portid, bytes(4)),
    ]
    asked = nlmsg(GETLINK, REQUEST | ACK, 10, 0, b"nope")
    assert client.ask(asked) == [error(19, 10, portid, asked)]
    assert (tape.played, tape.unused, tape.unmatched) == (2, [], [])


def test_each_socket_has_a_stream_of_its_own() -> None:
    """ethtool -k reads the first socket's ack after the second one's exchange."""
    one = route(Request(nlmsg(GETLINK, REQUEST, 1)), Answer(nlmsg(NEWLINK, 0, 1, 777, b"1111")))
    two = route(Request(nlmsg(GETADDR, REQUEST, 1)), Answer(nlmsg(NEWLINK, 0, 1, 777, b"2222")))
    kernel, tape = play(one, two)
    first, second = Client(kernel), Client(kernel)
    second.send(nlmsg(GETADDR, REQUEST, 5))
    first.send(nlmsg(GETLINK, REQUEST, 6))
    assert first.receive() == [nlmsg(NEWLINK, 0, 6, first.sk.portid, b"1111")]
    assert second.receive() == [nlmsg(NEWLINK, 0, 5, second.sk.portid, b"2222")]
    assert not tape.unused


def test_answers_are_those_of_their_request() -> None:
    """Two requests were sent before the first answer was read."""
    kernel, _ = play(
        route(
            Request(nlmsg(GETLINK, REQUEST, 1)),
            Request(nlmsg(GETADDR, REQUEST, 2)),
            Answer(nlmsg(NEWLINK, 0, 2, 777, b"addr")),
            Answer(nlmsg(NEWLINK, 0, 1, 777, b"link")),
        )
    )
    client = Client(kernel)
    assert client.ask(nlmsg(GETLINK, REQUEST, 7))[0].endswith(b"link")
    assert client.ask(nlmsg(GETADDR, REQUEST, 8))[0].endswith(b"addr")


def test_equal_requests_are_answered_in_turn() -> None:
    exchanges: list[Event] = []
    for value in (b"1111", b"2222"):
        exchanges += [
            Request(nlmsg(GETLINK, REQUEST, 1)),
            Answer(nlmsg(NEWLINK, 0, 1, 777, value)),
        ]
    for repeat in (False, True):
        kernel, tape = play(route(*exchanges), repeat=repeat)
        client = Client(kernel)
        said = [client.ask(nlmsg(GETLINK, REQUEST, 3))[0][-4:] for _ in range(2)]
        assert said == [b"1111", b"2222"]
        third = client.ask(nlmsg(GETLINK, REQUEST, 3))[0]
        if repeat:
            assert third.endswith(b"2222")
        else:
            assert "repeat it with --repeat" in tape.unmatched[0].said


def test_a_request_without_equal_is_refused_with_the_nearest() -> None:
    kernel, tape = play(LINKS)
    client = Client(kernel)
    client.sk.setsockopt(client.current, 270, EXT_ACK, struct.pack("=i", 1))
    [answer] = client.ask(nlmsg(GETLINK, REQUEST | ACK, 4, 0, b"nopf"))
    assert struct.unpack_from("=i", answer, 16) == (-errno.EOPNOTSUPP,)
    assert b"nearest is request 2 of socket 1: header is 6e6f7066, recorded is 6e6f7065" in answer
    client.ask(nlmsg(99, REQUEST, 5))
    assert [each.said for each in tape.unmatched][1] == (
        "no request of this type is on the cassette"
    )
    assert [(each.stream, each.index) for each in tape.unused] == [(1, 1), (1, 2)]


def test_what_may_differ() -> None:
    kernel = boot(Machine(cpus=2))
    tape = Tape(
        kernel,
        Cassette(streams=(LINKS,)),
        ignore=lambda _protocol, message: (range(16, len(message)),),
    )
    client = Client(kernel)
    assert client.ask(nlmsg(GETLINK, REQUEST | ACK, 4, 0, b"else"))
    assert not tape.unmatched


def test_errors_of_calls() -> None:
    kernel, _ = play(
        route(
            Request(nlmsg(GETLINK, REQUEST, 1)),
            Failed("sendto", errno.EPERM),
            Request(nlmsg(GETADDR, REQUEST, 2)),
            Failed("recvmsg", errno.ENOBUFS),
            Answer(nlmsg(NEWLINK, 0, 2, 777)),
        )
    )
    client = Client(kernel)
    with pytest.raises(NetlinkError) as caught:
        client.send(nlmsg(GETLINK, REQUEST, 1))
    assert caught.value.errno == errno.EPERM
    client.send(nlmsg(GETADDR, REQUEST, 1))
    with pytest.raises(NetlinkError) as caught:
        client.sk.recvmsg(4096)
    assert caught.value.errno == errno.ENOBUFS
    assert len(client.receive()) == 1


def test_an_error_comes_when_what_was_before_it_is_read() -> None:
    """A receive reports an error before what is queued, whatever came first."""
    kernel, _ = play(
        route(
            Request(nlmsg(GETLINK, REQUEST | DUMP, 1)),
            Answer(nlmsg(NEWLINK, MULTI, 1, 777, b"1111")),
            Failed("recvmsg", errno.ENOBUFS),
            Answer(nlmsg(NEWLINK, MULTI, 1, 777, b"2222")),
            Failed("recvmsg", errno.EPERM),
            Failed("recvmsg", errno.ENOBUFS),
            Answer(nlmsg(NEWLINK, 0, 0, 0, b"3333"), group=1),
            Answer(nlmsg(3, MULTI, 1, 777, bytes(4))),
        )
    )
    client = Client(kernel)
    client.send(nlmsg(GETLINK, REQUEST | DUMP, 9))
    found: list[object] = []
    while client.sk.receive_queue or client.sk.sk_err:
        try:
            found.append(client.sk.recvmsg(65536).data[16:])
        except NetlinkError as exc:
            found.append(exc.errno)
    assert found == [b"1111", errno.ENOBUFS, b"2222", errno.ENOBUFS, b"3333", bytes(4)]


def test_news_before_any_request_come_when_groups_are_joined() -> None:
    """As of ip monitor."""
    news = nlmsg(NEWLINK, 0, 0, 0, b"up!!")
    kernel, tape = play(
        Stream(ROUTE, 3, "ip", (Bound(777, (1,)), Answer(news, group=1), Answer(news, group=1)))
    )
    client = Client(kernel)
    client.sk.bind(client.current, struct.pack("=HHII", 16, 0, 0, 1))
    received = client.sk.recvmsg(4096)
    assert (received.data, received.name) == (news, struct.pack("=HHII", 16, 0, 0, 1))
    assert client.receive() == [news]
    assert not tape.unused


def test_a_full_buffer_holds_answers_back() -> None:
    """As a kernel's dump waits for its reader; nothing is lost."""
    parts = [nlmsg(NEWLINK, MULTI, 1, 777, bytes([n]) * 3000) for n in range(60)]
    kernel, _ = play(route(Request(nlmsg(GETLINK, REQUEST | DUMP, 1)), *map(Answer, parts)))
    client = Client(kernel)
    client.send(nlmsg(GETLINK, REQUEST | DUMP, 1))
    assert 0 < len(client.sk.receive_queue) < 60
    assert client.sk.dumping
    assert [data[16:] for data in client.receive()] == [part[16:] for part in parts]
    assert not client.sk.dumping


def test_a_reader_of_small_buffers_gets_smaller_parts() -> None:
    messages = [nlmsg(NEWLINK, MULTI, 1, 777, bytes([n]) * 1000) for n in range(20)]
    recorded = Answer(b"".join(messages))
    kernel, _ = play(route(Request(nlmsg(GETLINK, REQUEST | DUMP, 1)), recorded))
    client = Client(kernel)
    client.send(nlmsg(GETLINK, REQUEST | DUMP, 1))
    found = client.receive(4096)
    assert max(map(len, found)) <= 4096
    assert b"".join(found)[16:1000] == recorded.data[16:1000]
    assert sum(map(len, found)) == len(recorded.data)


def test_an_emulated_family_beside() -> None:
    """nlctrl and TASKSTATS answer what the cassette has not."""
    lamp = RecordedFamily(45)
    stream = Stream(
        GENERIC, 3, "x",
        (Bound(777), Request(nlmsg(45, REQUEST, 1, 0, b"\1\1\0\0")), Answer(nlmsg(45, 0, 1, 777))),
    )  # fmt: skip
    kernel, tape = play(stream, head=Head(families={"lamp": lamp}))
    client = Client(kernel, GENERIC)
    assert len(client.ask(nlmsg(45, REQUEST, 8, 0, b"\1\1\0\0"))) == 1
    name = struct.pack("=HH", 14, 2) + b"TASKSTATS\0\0\0"
    [family] = client.ask(nlmsg(16, REQUEST, 8, 0, b"\3\1\0\0" + name))
    assert b"TASKSTATS" in family
    client.ask(nlmsg(45, REQUEST, 8, 0, b"\2\1\0\0"))
    assert len(tape.unmatched) == 1


def test_equal_requests_of_one_number() -> None:
    """A client that never counts: each answer is that of the request before it."""
    request, answer = nlmsg(GETLINK, REQUEST, 7), nlmsg(NEWLINK, 0, 7, 777, b"lo..")
    kernel, tape = play(route(*(Request(request), Answer(answer)) * 3))
    client = Client(kernel)
    assert [len(client.ask(request)) for _ in range(3)] == [1, 1, 1]
    assert tape.unused == []


def test_who_has_a_secret_is_answered_by_a_cassette_that_has_it_not() -> None:
    def request(key: bytes) -> bytes:
        return nlmsg(40, REQUEST, 7, 0, b"\1\1\0\0" + struct.pack("=HH", 36, 3) + key)

    head = Head(
        families={"wireguard": RecordedFamily(40)}, redacted=("wireguard.WGDEVICE_A_PRIVATE_KEY",)
    )
    answer = nlmsg(2, 0x100, 7, 777, bytes(20))
    recorded = Stream(GENERIC, 3, "wg", (Bound(777), Request(request(bytes(32))), Answer(answer)))
    kernel, tape = play(recorded, head=head)
    client = Client(kernel, GENERIC)
    assert len(client.ask(request(bytes(range(32))))) == 1
    assert tape.unmatched == []


def test_what_came_of_a_request_is_its_own() -> None:
    """A late acknowledgement is the first request's, news and strays are the last one's."""
    first, second = Request(nlmsg(GETLINK, REQUEST | ACK, 1)), Request(nlmsg(GETADDR, REQUEST, 2))
    news, stray = Answer(nlmsg(NEWLINK, 0, 0, 0), 0, 1), Answer(nlmsg(NEWLINK, 0, 9, 777))
    answer, late = Answer(nlmsg(NEWLINK, 0, 2, 777)), Answer(nlmsg(2, 0, 1, 777, bytes(20)))
    found = following(route(first, second, answer, news, late, stray), LITTLE)
    assert found == {1: [late], 2: [answer, news, stray]}


# --- several requests in a datagram

BATCH_ASKED = nlmsg(GETLINK, REQUEST | ACK, 1) + nlmsg(GETADDR, REQUEST | ACK, 2)
BATCH = route(
    Request(BATCH_ASKED),
    Answer(nlmsg(NEWLINK, 0, 1, 777, b"1111")),
    Answer(error(0, 1, 777, nlmsg(GETLINK, REQUEST | ACK, 1))),
    Answer(nlmsg(20, 0, 2, 777, b"2222")),
    Answer(error(1, 2, 777, nlmsg(GETADDR, REQUEST | ACK, 2))),
)


@pytest.mark.parametrize(
    ("cmd", "types"),
    [("RTM_GETLINK", [2, 20, 2]), ("RTM_GETADDR", [NEWLINK, 2, 2])],
)
def test_a_fault_meets_the_request_that_it_is_for(cmd: str, types: list[int]) -> None:
    """The others of the datagram have their answers."""
    kernel, tape = play(BATCH)
    faults = Faults(kernel, Journal(kernel))
    rule = faults.errno("EBUSY", cmd=cmd)
    client = Client(kernel)
    found = client.ask(BATCH_ASKED)
    assert [struct.unpack_from("=H", data, 4)[0] for data in found] == types
    assert rule.applied == 1
    failed = [data for data in found if data[16:20] == struct.pack("=i", -errno.EBUSY)]
    assert len(failed) == 1
    assert not tape.unused


def test_the_journal_knows_which_request_was_answered() -> None:
    kernel, _ = play(BATCH)
    journal = Journal(kernel)
    client = Client(kernel)
    client.ask(BATCH_ASKED)
    [sent] = [entry for entry in journal.entries if isinstance(entry, Sent)]
    assert sent.errors == [0, errno.EPERM]
    answers = journal.answers(cmd="RTM_NEWADDR")
    assert [view.answers for view in answers] == ["RTM_GETADDR"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        # Beside attributes that are none.
        (bytes(8) + b"\xff\xff\xff\xff\1", "byte 28 is 0x01, recorded is 0x02"),
        (bytes(8) + b"\xff\xff\xff\xff\2\2", "it has 30 bytes, recorded are 29"),
    ],
)
def test_a_difference_in_what_is_no_field(body: bytes, said: str) -> None:
    recorded = bytes(8) + b"\xff\xff\xff\xff\2"
    kernel, tape = play(route(Request(nlmsg(GETADDR, REQUEST, 1, 0, recorded))))
    Client(kernel).send(nlmsg(GETADDR, REQUEST, 1, 0, body))
    [unmatched] = tape.unmatched
    assert unmatched.said.endswith(said)
