"""Another process's memory, on the real machine."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Iterator

import pytest

from netlink_emu.interpose.client.memory import ClientGone, ClientMemory
from netlink_emu.protocol.errors import NetlinkError

PAGE = mmap.PAGESIZE


class Region:
    """Three pages that a child has, too: readable and writable, read-only, absent."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
        libc.mmap.restype = ctypes.c_void_p
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self.start: int = libc.mmap(
            None, ctypes.c_size_t(3 * PAGE), mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0
        )
        self.read_only = self.start + PAGE
        self.absent = self.start + 2 * PAGE
        ctypes.memset(self.start, ord("a"), 2 * PAGE)
        assert libc.mprotect(self.read_only, PAGE, mmap.PROT_READ) == 0
        assert libc.munmap(self.absent, PAGE) == 0


@pytest.fixture(scope="module")
def region() -> Region:
    return Region()


@pytest.fixture
def child(region: Region) -> Iterator[int]:
    hold, release = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(release)
        os.read(hold, 1)
        os._exit(0)
    os.close(hold)
    yield pid
    os.close(release)
    os.waitpid(pid, 0)


@pytest.fixture
def memory() -> ClientMemory:
    return ClientMemory(capacity=64)  # small, so that it has to grow


def test_what_is_written_is_read(memory: ClientMemory, child: int, region: Region) -> None:
    memory.write(child, [(region.start + 1, b"one"), (region.start + 100, b"two" * 100)])
    assert memory.read(child, region.start, 5) == b"aonea"
    assert memory.read(child, region.start + 100, 300) == b"two" * 100
    # The child has a copy of its own: ours is as it was.
    assert ctypes.string_at(region.start, 5) == b"aaaaa"


def test_pieces_are_joined_in_their_order(
    memory: ClientMemory, child: int, region: Region
) -> None:
    memory.write(child, [(region.start, bytes(range(100)))])
    pieces = [(region.start + 90, 2), (region.start, 0), (region.start + 5, 3)]
    assert memory.gather(child, pieces) == bytes([90, 91, 5, 6, 7])


def test_more_pieces_than_one_call_takes(memory: ClientMemory, child: int, region: Region) -> None:
    places = [(region.start + 2 * n, bytes([n & 0xFF])) for n in range(1024)]
    memory.write(child, places)
    gathered = memory.gather(child, [(address, 1) for address, _ in places])
    assert gathered == bytes(n & 0xFF for n in range(1024))


def test_nothing_reads_from_anywhere(memory: ClientMemory, child: int) -> None:
    assert memory.read(child, 0, 0) == b""
    memory.write(child, [(0, b"")])


@pytest.mark.parametrize(
    ("offset", "size"),
    [
        pytest.param(2 * PAGE, 1, id="absent"),
        pytest.param(2 * PAGE - 1, 2, id="into what is absent"),
        pytest.param(-(1 << 40), 1, id="far away"),
    ],
)
def test_what_cannot_be_read_is_efault(
    memory: ClientMemory, child: int, region: Region, offset: int, size: int
) -> None:
    with pytest.raises(NetlinkError) as caught:
        memory.read(child, region.start + offset, size)
    assert caught.value.errno == errno.EFAULT


@pytest.mark.parametrize("address", [0, 0xFFFF_FFFF_FFFF_FFFF, 0xFFFF_8000_0000_0000])
def test_no_address_of_the_kernel_or_null(memory: ClientMemory, child: int, address: int) -> None:
    for access in (
        lambda: memory.read(child, address, 8),
        lambda: memory.write(child, [(address, b"12345678")]),
    ):
        with pytest.raises(NetlinkError) as caught:
            access()
        assert caught.value.errno == errno.EFAULT


def test_protection_is_respected(memory: ClientMemory, child: int, region: Region) -> None:
    assert memory.read(child, region.read_only, 3) == b"aaa"
    with pytest.raises(NetlinkError) as caught:
        memory.write(child, [(region.start, b"before"), (region.read_only, b"after")])
    assert caught.value.errno == errno.EFAULT
    assert memory.read(child, region.read_only, 3) == b"aaa"
    assert memory.read(child, region.start, 6) == b"before", "what comes first is written"


def test_what_comes_before_an_address_beyond_all_is_written(
    memory: ClientMemory, child: int, region: Region
) -> None:
    with pytest.raises(NetlinkError):
        memory.write(child, [(region.start, b"before"), (0xFFFF_FFFF_FFFF_FFFF, b"after")])
    assert memory.read(child, region.start, 6) == b"before"


def test_a_client_that_is_gone(memory: ClientMemory, region: Region) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    with pytest.raises(ClientGone):
        memory.read(pid, region.start, 1)
    with pytest.raises(ClientGone):
        memory.write(pid, [(region.start, b"x")])
