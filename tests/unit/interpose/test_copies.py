"""Duplicates that are kept from one call to the next; the client is this very thread."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Iterator

import pytest

from netlink_emu.interpose.client import pidfd
from netlink_emu.interpose.syscalls.copies import Copies


class Client:
    """Descriptors of ours, and duplicates of them that are kept."""

    def __init__(self) -> None:
        self.tid = threading.get_native_id()
        self.copies = Copies[str]()
        self.fds = [self.open() for _ in range(12)]
        self._files: dict[int, os.stat_result] = {}

    def open(self) -> int:
        return os.memfd_create("a socket")

    def keep(self, fd: int, sock: str) -> int:
        copy = os.dup(fd)
        self._files[copy] = os.fstat(copy)
        self.copies.keep(self.tid, fd, sock, copy)
        return copy

    def holds(self, copy: int) -> bool:
        """Whether a duplicate is open; its number may have become something else's."""
        try:
            return os.path.samestat(os.fstat(copy), self._files[copy])
        except OSError:
            return False

    def take(self, fd: int) -> tuple[str, int] | None:
        return self.copies.take(self.tid, fd)

    def close(self) -> None:
        self.copies.close()
        for fd in self.fds:
            os.close(fd)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


def test_what_is_kept_is_there_for_the_next_call(client: Client) -> None:
    fd, other = client.fds[:2]
    assert client.take(fd) is None
    copy = client.keep(fd, "mine")
    assert client.take(other) is None
    assert client.take(fd) == ("mine", copy)
    assert client.take(fd) is None  # whoever takes it has it
    assert client.holds(copy)
    os.close(copy)


def test_a_descriptor_that_has_become_another_is_noticed(client: Client) -> None:
    fd, other = client.fds[:2]
    copy = client.keep(fd, "mine")
    os.dup2(other, fd)
    assert client.take(fd) is None
    assert not client.holds(copy)


def test_a_descriptor_that_is_closed_is_noticed(client: Client) -> None:
    fd = client.open()
    copy = client.keep(fd, "mine")
    os.close(fd)
    assert client.take(fd) is None
    assert not client.holds(copy)


def test_a_duplicate_is_the_same(client: Client) -> None:
    fd, other = client.fds[:2]
    copy = client.keep(fd, "mine")
    os.dup2(copy, other)
    os.dup2(other, fd)
    assert client.take(fd) == ("mine", copy)
    os.close(copy)


def test_none_is_kept_any_more(client: Client) -> None:
    kept = [client.keep(fd, "mine") for fd in client.fds[:3]]
    client.copies.close()
    assert not any(map(client.holds, kept))
    assert client.take(client.fds[0]) is None


def test_few_are_kept(client: Client) -> None:
    kept = [client.keep(fd, "mine") for fd in client.fds]
    assert sum(map(client.holds, kept)) < len(kept)
    assert client.take(client.fds[0]) is None


@pytest.mark.parametrize(
    ("error", "kept"), [(errno.ENOSYS, False), (errno.EPERM, False), (errno.ESRCH, True)]
)
def test_without_a_comparison_none_is_kept(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: int, kept: bool
) -> None:
    def fails(*_args: int) -> int:
        ctypes.set_errno(error)
        return -1

    fd = client.fds[0]
    copy = client.keep(fd, "mine")
    with monkeypatch.context() as patch:
        patch.setattr(pidfd, "kcmp", fails)
        assert client.take(fd) is None
    assert not client.holds(copy)
    copy = client.keep(fd, "mine")
    assert client.holds(copy) == kept
