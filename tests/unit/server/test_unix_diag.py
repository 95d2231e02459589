"""What this kernel tells of Unix sockets."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from netlink_emu.server import unix_diag
from netlink_emu.server.unix_diag import find_inode, has_read_all

UNKNOWN_PROTOCOL = 31


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def bound(sockets: ExitStack, name: str, kind: int = socket.SOCK_DGRAM) -> socket.socket:
    sock = sockets.enter_context(socket.socket(socket.AF_UNIX, kind))
    sock.bind(name)
    return sock


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def test_an_abstract_name_among_many(sockets: ExitStack) -> None:
    many = [bound(sockets, f"\0netlink-emu {os.getpid()} {number}") for number in range(900)]
    for sock in (many[0], many[450], many[-1]):
        name = sock.getsockname()
        assert isinstance(name, bytes)
        assert find_inode(name) == inode(sock)


def test_who_is_not_connected_is_found_without_a_look_at_all(
    sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    sock = bound(sockets, f"\0netlink-emu {os.getpid()}")
    monkeypatch.setattr(unix_diag, "_dump", lambda: pytest.fail("all sockets were asked for"))
    assert find_inode(os.fsencode(sock.getsockname())) == inode(sock)


def test_who_is_connected_is_found_all_the_same(sockets: ExitStack) -> None:
    server = bound(sockets, f"\0netlink-emu server {os.getpid()}")
    sock = bound(sockets, f"\0netlink-emu {os.getpid()}")
    sock.connect(server.getsockname())
    assert find_inode(os.fsencode(sock.getsockname())) == inode(sock)


def test_a_file(sockets: ExitStack, tmp_path: Path) -> None:
    sock = bound(sockets, str(tmp_path / "a\nname"))
    assert find_inode(os.fsencode(tmp_path / "a\nname") + b"\0") == inode(sock)


def test_nobody_and_other_kinds(sockets: ExitStack, tmp_path: Path) -> None:
    bound(sockets, str(tmp_path / "stream"), socket.SOCK_STREAM)
    assert find_inode(os.fsencode(tmp_path / "stream") + b"\0") is None
    assert find_inode(os.fsencode(tmp_path / "none") + b"\0") is None


def test_a_file_that_is_called_as_an_abstract_name_is_shown(
    sockets: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"netlink-emu {os.getpid()}"
    monkeypatch.chdir(tmp_path)
    file, abstract = bound(sockets, f"@{name}"), bound(sockets, f"\0{name}")
    assert find_inode(f"\0{name}".encode()) == inode(abstract)
    assert find_inode(f"@{name}\0".encode()) == inode(file)


def test_names_that_read_like_the_end_of_a_dump(sockets: ExitStack) -> None:
    done = struct.pack("=IHHI", 20, 3, 2, 0)  # and 8 bytes of UNIX_DIAG_SHUTDOWN behind it
    many = []
    for number in range(900):  # several datagrams of them, each of which ends so
        sock = sockets.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        sock.bind(b"\0%08x%08x   " % (os.getpid(), number) + done)
        many.append(sock)
    for sock in (many[0], many[450], many[-1]):
        name = sock.getsockname()
        assert isinstance(name, bytes)
        assert find_inode(name) == inode(sock)


def test_two_files_of_one_relative_name(
    sockets: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"netlink-emu-{os.getpid()}"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        bound(sockets, name)
    assert find_inode(name.encode() + b"\0") is None


def test_what_is_unread(sockets: ExitStack) -> None:
    reader, writer = bound(sockets, ""), bound(sockets, "")
    assert has_read_all(inode(reader)) is True
    for _ in range(2):
        writer.sendto(b"x", reader.getsockname())
    for unread in (2, 1):
        assert has_read_all(inode(reader)) is False, unread
        reader.recv(1)
    assert has_read_all(inode(reader)) is True


def test_a_socket_that_is_not_there(sockets: ExitStack) -> None:
    sock = bound(sockets, "")
    number = inode(sock)
    sock.close()
    assert has_read_all(number) is None


def test_a_kernel_that_cannot_be_asked(
    sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    sock = bound(sockets, f"\0netlink-emu {os.getpid()}")
    monkeypatch.setattr(unix_diag, "NETLINK_SOCK_DIAG", UNKNOWN_PROTOCOL)
    assert find_inode(os.fsencode(sock.getsockname())) is None
    assert has_read_all(inode(sock)) is None


def test_a_kernel_that_does_not_know_unix_sockets(
    sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers with an error."""
    sock = bound(sockets, f"\0netlink-emu {os.getpid()}")
    monkeypatch.setattr(unix_diag, "SOCK_DIAG_BY_FAMILY", 19)
    assert find_inode(os.fsencode(sock.getsockname())) is None
    assert has_read_all(inode(sock)) is None


def test_no_descriptor_left(sockets: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    sock = bound(sockets, f"\0netlink-emu {os.getpid()}")

    def none_left() -> socket.socket:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(unix_diag, "_open", none_left)
    with pytest.raises(OSError, match="too many"):
        find_inode(os.fsencode(sock.getsockname()))
    assert has_read_all(inode(sock)) is None
