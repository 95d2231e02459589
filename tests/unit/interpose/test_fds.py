"""Which number an emulated socket gets: never one that the client may be about to get itself."""

from __future__ import annotations

import dataclasses
import errno
import os
import resource
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.host import proc
from netlink_emu.interpose.client.fds import BeyondLimit, Numbers, choose_high
from netlink_emu.interpose.client.memory import ClientGone, ClientSealed
from netlink_emu.interpose.client.threads import Client
from netlink_emu.interpose.filter.ranges import ranges
from netlink_emu.protocol.errors import NetlinkError

HIGH = 768
TGID = 4711


class Table(Client):
    """A client with a table of descriptors, a limit, and threads."""

    def __init__(self, natives: int = 3, limit: int = 1 << 20, threads: int = 2) -> None:
        super().__init__(os.getpid())
        self.open = set(range(natives))
        self.limit = limit
        self.threads = threads
        self.listed = 0
        self.refused: list[int] = []
        self.opening: set[int] = set()
        self.sealed = False

    @property
    def tgid(self) -> int:
        return TGID

    def duplicate(self, fd: int) -> int:
        if self.sealed:
            raise ClientSealed
        if fd in self.open:
            return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        raise OSError(errno.EBADF, "pidfd_getfd")

    def status(self) -> proc.Status:
        return dataclasses.replace(super().status(), threads=self.threads)

    def put(self, number: int) -> None:
        if number >= self.limit:
            self.refused.append(number)
            raise OSError(errno.EBADF, "addfd")
        if number in self.opening:
            self.refused.append(number)
            raise OSError(errno.EBUSY, "addfd")
        assert number not in self.open, "what was open there would be closed"
        self.open.add(number)


@pytest.fixture(autouse=True)
def _proc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(proc, "count_descriptors", lambda _tid: len(CLIENT[0].open))

    def descriptors(_tid: int) -> set[int]:
        CLIENT[0].listed += 1
        return set(CLIENT[0].open)

    monkeypatch.setattr(proc, "descriptors", descriptors)
    monkeypatch.setattr(resource, "prlimit", lambda _tid, _what: (CLIENT[0].limit, 1 << 20))
    yield
    for table in CLIENT:
        table.close()
    CLIENT.clear()


CLIENT: list[Table] = []


def client(natives: int = 3, limit: int = 1 << 20, threads: int = 2) -> Table:
    CLIENT.append(Table(natives, limit, threads))
    return CLIENT[-1]


def place(numbers: Numbers, table: Table, at_least: int = 0) -> int:
    return numbers.place(table, at_least, table.put)[1]


@pytest.mark.parametrize(
    ("limit", "high"),
    [(1 << 20, 768), (4096, 768), (1024, 768), (512, 256), (256, 128), (64, 32), (2, 1), (1, 1)],
)
def test_the_lowest_number(limit: int, high: int) -> None:
    assert choose_high(limit) == high


def test_one_after_the_other_and_without_listing_what_is_open() -> None:
    numbers, table = Numbers(HIGH), client()
    assert [place(numbers, table) for _ in range(300)] == [*range(768, 1024), *range(1792, 1836)]
    assert table.listed == 0


def test_the_lowest_that_was_closed_comes_next() -> None:
    numbers, table = Numbers(HIGH), client()
    given = [numbers.place(table, 0, table.put) for _ in range(8)]
    for one in (given[5], given[2]):
        table.open.discard(one[1])
        numbers.give_back([one])
    assert [place(numbers, table) for _ in range(3)] == [770, 773, 776]
    assert table.listed == 0


def test_a_child_goes_on_behind_what_it_has_inherited() -> None:
    numbers, table = Numbers(HIGH), client()
    table.open |= set(range(768, 800)) - {780}
    assert [place(numbers, table) for _ in range(4)] == [780, 800, 801, 802]
    assert table.listed == 1


def test_what_the_client_has_put_there_itself_is_left_alone() -> None:
    numbers, table = Numbers(HIGH), client()
    table.open |= {768, 770}
    assert [place(numbers, table) for _ in range(3)] == [769, 771, 772]


def test_a_number_that_another_thread_is_opening_is_not_waited_for() -> None:
    numbers, table = Numbers(HIGH), client()
    table.opening = {768, 769}
    assert [place(numbers, table) for _ in range(2)] == [770, 771]


@pytest.mark.parametrize("natives", [0, 100, 511, 513, 600, 700, 767, 800, 900, 1000, 1500, 5000])
@pytest.mark.parametrize("sockets", [1, 40])
def test_many_numbers_stay_free_below_ours(natives: int, sockets: int) -> None:
    numbers, table = Numbers(HIGH), client(natives)
    for _ in range(sockets):
        count = len(table.open)
        assert place(numbers, table) - count >= 256


@pytest.mark.parametrize(("natives", "first"), [(700, 956), (900, 1023)])
def test_where_so_many_are_not_left_the_highest_are_taken(natives: int, first: int) -> None:
    numbers, table = Numbers(HIGH), client(natives, limit=1024)
    assert place(numbers, table) == first
    assert place(numbers, table) >= natives + 64


def test_the_last_numbers_are_nobodys_while_several_threads_open_files() -> None:
    numbers, table = Numbers(HIGH), client(1000, limit=1024, threads=2)
    with pytest.raises(NetlinkError) as caught:
        place(numbers, table)
    assert caught.value.errno == errno.EMFILE
    table.threads = 1
    assert place(numbers, table) == 1023


def test_all_numbers_below_the_limit_can_be_had() -> None:
    numbers, table = Numbers(HIGH), client(limit=1024)
    assert {place(numbers, table) for _ in range(256)} == set(range(768, 1024))
    with pytest.raises(NetlinkError) as caught:
        place(numbers, table)
    assert caught.value.errno == errno.EMFILE
    table.open.discard(900)  # closed, but nobody has told us
    assert place(numbers, table) == 900


def test_a_limit_that_may_not_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def prlimit(_tid: int, _what: int) -> tuple[int, int]:
        raise PermissionError

    monkeypatch.setattr(resource, "prlimit", prlimit)
    numbers, table = Numbers(HIGH), client(800, limit=1024)
    assert place(numbers, table) == 1023
    assert table.refused == [1792, *range(2047, 1791, -1)][:1]


def test_a_limit_below_all_numbers_is_said_to_be() -> None:
    numbers, table = Numbers(HIGH), client(limit=500)
    with pytest.raises(BeyondLimit):
        place(numbers, table)


def test_a_lowest_number_can_be_asked_for() -> None:
    numbers, table = Numbers(HIGH), client()
    assert [place(numbers, table, 800) for _ in range(2)] == [800, 801]
    assert place(numbers, table, 1024) == 1792
    with pytest.raises(NetlinkError):
        place(numbers, table, numbers.end)


def test_who_may_not_be_looked_into_gets_each_number_once() -> None:
    numbers, table = Numbers(HIGH), client()
    table.sealed = True
    for expected in (768, 769, 770):
        with pytest.raises(ClientSealed):
            place(numbers, table)
        assert numbers.place_blindly(table, 0, table.put) == (TGID, expected)
    table.limit = 771
    with pytest.raises(NetlinkError):
        numbers.place_blindly(table, 0, table.put)


def test_a_sealed_client_with_a_low_limit() -> None:
    table = client(limit=768)
    with pytest.raises(BeyondLimit):
        Numbers(HIGH).place_blindly(table, 0, table.put)


def test_who_is_gone_has_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_tid: int) -> int:
        raise FileNotFoundError(errno.ENOENT, "gone")

    monkeypatch.setattr(proc, "count_descriptors", gone)
    with pytest.raises(ClientGone):
        place(Numbers(HIGH), client())


def test_tables_of_many_processes_are_forgotten() -> None:
    numbers = Numbers(HIGH)
    table = client()
    for tgid in range(3000):
        numbers._table(tgid)
    assert len(numbers._tables) <= 1024
    assert place(numbers, table) == 768


@given(high=st.integers(1, 1 << 18))
def test_ranges_are_in_order_and_apart(high: int) -> None:
    found = [number for one in ranges(high) for number in one]
    assert found[0] == high
    assert found == sorted(set(found))
    assert sum(end - first for first, end in ranges(high)) >= 256
