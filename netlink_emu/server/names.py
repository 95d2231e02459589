"""Names of Unix sockets: whether anybody answers to one, and whether it is who did before."""

from __future__ import annotations

from pathlib import Path
from socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, socket

from netlink_emu.server.unix_diag import NO_DESCRIPTOR, find_inode

Address = str | bytes  # a file's path, or an abstract name with its NUL


def identity_of(address: Address) -> tuple[int, ...] | None:
    """What a socket of the same name bound later has not; None if nobody has that name.

    Raises OSError without a descriptor to look with. In the file system it is the file's device
    and inode, and the inode's time of change, for the number may be used again at once; of an
    abstract name the socket's own inode.
    """
    if isinstance(address, bytes):
        inode = find_inode(address)
        return None if inode is None else (inode,)
    try:
        found = Path(address).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns


def is_bound(address: Address) -> bool:
    """Whether a datagram socket answers to a name, as far as can be told.

    EPERM says that it is connected to us. Raises OSError without a descriptor to try it with.
    """
    try:
        with socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC) as probe:
            probe.connect(address)
    except (ConnectionRefusedError, FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        if exc.errno in NO_DESCRIPTOR:
            raise
    return True
