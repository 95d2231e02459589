"""The server's socket in the file system: a private directory, stale files, an end without traces.

The directory's mode is the access control: whoever can reach the socket is root in the emulated
machine.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EMFILE, ENFILE
from pathlib import Path
from socket import (
    AF_UNIX,
    SO_PASSCRED,
    SO_SNDBUF,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOL_SOCKET,
    socket,
)
from typing import Final

from netlink_emu.backends.unix_paths import SUN_PATH_MAX, fits, may_be_short, name_in
from netlink_emu.server.ancestors import check_ancestors
from netlink_emu.server.errors import (
    AlreadyServed,
    NoDirectory,
    NotASocket,
    PathTooLong,
    UnsafeDirectory,
)

SO_SNDBUFFORCE: Final = 32  # not in Python's socket module
# All that clients have not read yet is charged to the one sending socket (net/unix/af_unix.c).
WANTED_SNDBUF: Final = 32 << 20
_ELSEWHERE: Final = "name one of your own, or one that is not there yet"


@contextmanager
def bound_socket(path: Path) -> Iterator[socket]:
    """A datagram socket at ``path``; afterwards it is closed and the file is gone.

    The directory is made (mode 0700) if it is missing. A stale socket is replaced. Raises
    ServerError.
    """
    if not fits(path) and not may_be_short(path.name):
        raise _too_long(path)
    if b"\0" in os.fsencode(path):  # an abstract name, which no directory protects
        raise NotASocket(f"{os.fspath(path)!r} is not the name of a file")
    directory = private_directory(path.parent)
    try:
        with socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC) as sock:
            made = _bind(sock, path, directory)
            try:
                raise_sndbuf(sock)
                yield sock
            finally:
                _remove(path, directory, made)
    finally:
        os.close(directory)


def _too_long(path: Path) -> PathTooLong:
    return PathTooLong(
        f"the path of a Unix socket has at most {SUN_PATH_MAX} bytes, "
        f"{path} has {len(os.fsencode(path))}"
    )


def _bind(sock: socket, path: Path, directory: int) -> os.stat_result:
    """Bind the socket in ``directory``, which ``path`` leads to; the file that was made."""
    name = os.fspath(path) if fits(path) else name_in(directory, path.name)
    if name is None:
        raise _too_long(path)
    # Held while we look and bind, so that two servers do not both find a stale file.
    fcntl.flock(directory, fcntl.LOCK_EX)
    try:
        _make_way(path, name)
        os.fchmod(sock.fileno(), 0o600)  # bind() gives the file the mode of the socket
        sock.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)  # before the first datagram can come
        try:
            sock.bind(name)
        except OSError as exc:
            raise NoDirectory(f"{path} cannot be made: {exc.strerror}") from exc
        return path.lstat()
    finally:
        fcntl.flock(directory, fcntl.LOCK_UN)


def private_directory(directory: Path) -> int:
    """Open a directory that only we may enter, making it if need be; the caller closes it."""
    with suppress(FileExistsError):
        try:
            directory.mkdir(mode=0o700)
        except FileNotFoundError as exc:
            raise NoDirectory(
                f"there is no directory {directory.parent} to make {directory} in"
            ) from exc
        except OSError as exc:
            if isinstance(exc, FileExistsError):
                raise
            raise NoDirectory(f"the directory {directory} cannot be made: {exc.strerror}") from exc
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as exc:
        if exc.errno in (EMFILE, ENFILE):
            raise
        if directory.is_symlink():
            raise UnsafeDirectory(
                f"{directory} is a symbolic link: name the directory itself"
            ) from exc
        if directory.is_dir() and directory.stat().st_uid != os.geteuid():
            raise UnsafeDirectory(
                f"the directory {directory} belongs to somebody else: {_ELSEWHERE}"
            ) from exc
        if directory.is_dir():
            raise NoDirectory(
                f"the directory {directory} cannot be opened: {exc.strerror}"
            ) from exc
        raise NoDirectory(f"{directory} is not a directory") from exc
    found = os.fstat(fd)
    problem = None
    if found.st_uid != os.geteuid():
        who = f"somebody else (uid {found.st_uid})"
        problem = f"the directory {directory} belongs to {who}: {_ELSEWHERE}"
    elif found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        problem = (
            f"the directory {directory} is open to others (mode {mode:04o}), "
            "who would be root in the emulated machine: chmod 700 it, or name one that is "
            "not there yet"
        )
    try:
        if problem is not None:
            raise UnsafeDirectory(problem)
        _check_place(directory, found)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _check_place(directory: Path, opened: os.stat_result) -> None:
    """What was opened is what the path leads to, and will go on to."""
    try:
        check_ancestors(directory)
        found = directory.lstat()
    except OSError as exc:
        raise NoDirectory(f"the directory {directory} cannot be found: {exc.strerror}") from exc
    if (found.st_dev, found.st_ino) != (opened.st_dev, opened.st_ino):
        raise UnsafeDirectory(f"the directory {directory} has just been replaced by another")


def _make_way(path: Path, name: str) -> None:
    """Remove a socket that nobody serves any more."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise NotASocket(f"{path} exists and is not a socket")
    with socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC) as probe:
        try:
            probe.connect(name)
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError:  # EPROTOTYPE, EPERM: a live socket of another kind or bound elsewhere
            pass
    raise AlreadyServed(f"{path} is served by another process")


def _remove(path: Path, directory: int, made: os.stat_result) -> None:
    """Remove the file from its directory, wherever that is now, unless it is somebody else's."""
    with suppress(FileNotFoundError):
        found = os.stat(path.name, dir_fd=directory, follow_symlinks=False)
        if (found.st_dev, found.st_ino) == (made.st_dev, made.st_ino):
            os.unlink(path.name, dir_fd=directory)


def raise_sndbuf(sock: socket) -> None:
    """As much send buffer as we may have: without CAP_NET_ADMIN, twice net.core.wmem_max."""
    try:
        sock.setsockopt(SOL_SOCKET, SO_SNDBUFFORCE, WANTED_SNDBUF // 2)
    except PermissionError:
        sock.setsockopt(SOL_SOCKET, SO_SNDBUF, WANTED_SNDBUF // 2)
