"""What a stopped call reads of its client: what the last such call read, in one transfer."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Iterator

import pytest

from netlink_emu.interpose.client.memory import ClientGone, ClientMemory, Sight
from netlink_emu.interpose.filter.seccomp import Notification
from netlink_emu.interpose.syscalls.trap import Trap
from netlink_emu.protocol.errors import NetlinkError

PAGE = mmap.PAGESIZE


class Counting(ClientMemory):
    """Of this very process; counts the transfers."""

    def __init__(self) -> None:
        super().__init__(capacity=1 << 12)
        self.looks = 0

    def look(self, tid: int, sight: Sight) -> bytes:
        self.looks += 1
        return super().look(tid, sight)


class Pages:
    """Pages of our own, far from one another, which can be taken away."""

    def __init__(self, count: int) -> None:
        self._maps = [mmap.mmap(-1, 3 * PAGE) for _ in range(count)]
        self.at = [self._address(number) + PAGE for number in range(count)]

    def _address(self, number: int) -> int:
        return ctypes.addressof(ctypes.c_char.from_buffer(self._maps[number]))

    def put(self, number: int, data: bytes) -> None:
        self._maps[number][PAGE : PAGE + len(data)] = data

    def take_away(self, number: int) -> None:
        """Not by unmapping: something else might be mapped there."""
        at = ctypes.c_void_p(self._address(number))
        assert ctypes.CDLL(None).mprotect(at, ctypes.c_size_t(3 * PAGE), 0) == 0

    def close(self) -> None:
        for pages in self._maps:
            pages.close()


@pytest.fixture
def pages() -> Iterator[Pages]:
    made = Pages(12)
    for number in range(12):
        made.put(number, bytes([number + 1]) * 8)
    yield made
    made.close()


@pytest.fixture
def memory() -> Counting:
    return Counting()


class Asked:
    """Whether a call still waits: it does until ``gone``."""

    def __init__(self) -> None:
        self.times = 0
        self.gone = False

    def __call__(self, _id: int) -> bool:
        self.times += 1
        return not self.gone


def call(memory: ClientMemory, asked: Asked | None = None, nr: int = 46) -> Trap:
    notification = Notification(7, os.getpid(), 0, nr, 0, 0, 0, 0, 0, 0, 0, 0)
    return Trap(notification, memory, asked or Asked())


def test_what_the_last_such_call_read_is_read_at_once(memory: Counting, pages: Pages) -> None:
    for number in range(4):
        before = memory.looks
        asked = Asked()
        trap = call(memory, asked)
        for place in range(3):
            assert trap.read(pages.at[place], 8) == bytes([place + 1]) * 8
        assert memory.looks - before == asked.times == (3 if not number else 1)


def test_it_is_read_anew_for_each_call(memory: Counting, pages: Pages) -> None:
    for byte in b"abc":
        pages.put(0, bytes([byte]) * 8)
        pages.put(1, bytes([byte]) * 8)
        trap = call(memory)
        assert trap.read(pages.at[0], 8) + trap.read(pages.at[1], 4) == bytes([byte]) * 12


def test_what_stands_beside_comes_from_the_same_look(memory: Counting, pages: Pages) -> None:
    trap = call(memory)
    assert trap.read(pages.at[0], 4) + trap.read(pages.at[0] + 4, 8) == b"\1" * 8 + bytes(4)
    assert memory.looks == 1


def test_kinds_of_calls_are_kept_apart(memory: Counting, pages: Pages) -> None:
    for nr, place in ((46, 0), (47, 1), (46, 0), (47, 1)):
        before = memory.looks
        trap = call(memory, nr=nr)
        assert trap.read(pages.at[place], 1) == bytes([place + 1])
        assert memory.looks - before == 1
        assert len(memory.expected[os.getpid(), nr].spans) == 1


@pytest.mark.parametrize("lost", [0, 1])
def test_what_is_not_there_any_more_is_a_fault_for_who_asks_for_it(
    memory: Counting, pages: Pages, lost: int
) -> None:
    trap = call(memory)
    for place in range(3):
        trap.read(pages.at[place], 8)
    pages.take_away(lost)
    for _ in range(2):
        trap = call(memory)
        for place in range(3):
            if place != lost:
                assert trap.read(pages.at[place], 8) == bytes([place + 1]) * 8
        with pytest.raises(NetlinkError) as caught:
            trap.read(pages.at[lost], 8)
        assert caught.value.errno == errno.EFAULT


def test_a_lost_place_costs_one_call_only(memory: Counting, pages: Pages) -> None:
    trap = call(memory)
    for place in range(3):
        trap.read(pages.at[place], 8)
    pages.take_away(1)
    counts = []
    for _ in range(4):
        before = memory.looks
        trap = call(memory)
        trap.read(pages.at[0], 8)
        trap.read(pages.at[2], 8)
        counts.append(memory.looks - before)
    assert counts[-1] == 1, counts


def test_very_many_places_are_not_kept(memory: Counting, pages: Pages) -> None:
    for _ in range(3):
        trap = call(memory)
        for place in range(12):
            assert trap.read(pages.at[place], 8) == bytes([place + 1]) * 8
        assert len(memory.expected[os.getpid(), 46].spans) <= 8


def test_very_many_threads_are_not_kept(memory: Counting, pages: Pages) -> None:
    sight = Sight((memory.span(pages.at[0], 8),))
    for tid in range(5000):
        memory.expect(tid, 46, sight)
    assert len(memory.expected) <= 1024


def test_pieces_are_joined(memory: Counting, pages: Pages) -> None:
    trap = call(memory)
    pieces = [(pages.at[1], 2), (pages.at[0], 0), (pages.at[2], 3)]
    assert trap.gather(pieces) == b"\2\2\3\3\3"


def test_bytes_of_a_call_that_is_gone_are_of_no_use(memory: Counting, pages: Pages) -> None:
    asked = Asked()
    trap = call(memory, asked)
    trap.read(pages.at[0], 8)
    asked.gone = True
    with pytest.raises(ClientGone):
        trap.read(pages.at[1], 8)


def test_who_only_writes_is_asked_before_it_writes(memory: Counting, pages: Pages) -> None:
    asked = Asked()
    trap = call(memory, asked)
    trap.only_writes = True
    assert trap.read(pages.at[0], 8) == b"\1" * 8
    assert asked.times == 0
    trap.write([(pages.at[1], b"written!")])
    assert asked.times == 1
    assert call(memory).read(pages.at[1], 8) == b"written!"
    asked.gone = True
    with pytest.raises(ClientGone):
        trap.write([(pages.at[1], b"too late")])
    assert call(memory).read(pages.at[1], 8) == b"written!"


def note(memory: Counting, pages: Pages, made: object) -> None:
    """What two places say of the first one's address, at the second call that reads there."""
    reads = [(pages.at[0], 8), (pages.at[1], 4)]
    for made_then in (object(), made):
        trap = call(memory)
        for read in reads:
            trap.read(*read)
        trap.note(pages.at[0], [*reads, (pages.at[3], 0)], made_then)


def test_what_was_made_of_an_address_is_remembered_while_all_is_the_same(
    memory: Counting, pages: Pages
) -> None:
    made = object()
    assert call(memory).recall(pages.at[0]) is None
    note(memory, pages, made)
    for _ in range(2):
        before = memory.looks
        asked = Asked()
        trap = call(memory, asked)
        assert trap.recall(pages.at[0]) is made
        assert trap.read(pages.at[1], 4) == b"\2" * 4
        assert memory.looks - before == asked.times == 1
    assert call(memory).recall(pages.at[1]) is None
    assert call(memory, nr=47).recall(pages.at[0]) is None


@pytest.mark.parametrize("changed", [0, 1])
def test_what_has_changed_is_read_by_the_same_look(
    memory: Counting, pages: Pages, changed: int
) -> None:
    note(memory, pages, object())
    pages.put(changed, b"another!")
    before = memory.looks
    asked = Asked()
    trap = call(memory, asked)
    assert trap.recall(pages.at[0]) is None
    assert trap.read(pages.at[changed], 4) == b"anot"
    assert memory.looks - before == asked.times == 1


@pytest.mark.parametrize("lost", [0, 1])
def test_what_is_not_there_any_more_is_not_remembered(
    memory: Counting, pages: Pages, lost: int
) -> None:
    note(memory, pages, object())
    pages.take_away(lost)
    trap = call(memory)
    assert trap.recall(pages.at[0]) is None
    with pytest.raises(NetlinkError) as caught:
        trap.read(pages.at[lost], 4)
    assert caught.value.errno == errno.EFAULT


def test_nothing_is_remembered_of_a_thread_that_is_gone(memory: Counting, pages: Pages) -> None:
    asked = Asked()
    note(memory, pages, object())
    asked.gone = True
    with pytest.raises(ClientGone):
        call(memory, asked).recall(pages.at[0])


def test_of_a_call_that_has_read_already_nothing_is_remembered(
    memory: Counting, pages: Pages
) -> None:
    """As of the second message of sendmmsg(2)."""
    made = object()
    note(memory, pages, made)
    trap = call(memory)
    assert trap.recall(pages.at[0]) is made
    assert trap.recall(pages.at[0]) is None
    trap.forget()
    assert trap.recall(pages.at[0]) is made


def test_what_was_not_read_cannot_be_noted(memory: Counting, pages: Pages) -> None:
    for _ in range(2):
        trap = call(memory)
        trap.note(pages.at[0], [(pages.at[0], 8)], object())
        trap.read(pages.at[0], 8)
        trap.note(pages.at[0], [(pages.at[0], 8), (pages.at[1], 8)], object())
        assert call(memory).recall(pages.at[0]) is None


def test_nothing_is_noted_where_it_was_never_read_before(memory: Counting, pages: Pages) -> None:
    """A program that has its arguments elsewhere each time gains nothing by it."""
    made = object()
    for remembered in (None, made):
        trap = call(memory)
        trap.read(pages.at[0], 8)
        trap.note(pages.at[0], [(pages.at[0], 8)], made)
        assert call(memory).recall(pages.at[0]) is remembered
