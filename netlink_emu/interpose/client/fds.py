"""Descriptor numbers: where in a client an emulated socket goes.

The filter looks at numbers from a threshold on, which is fixed when the client starts.
"""

from __future__ import annotations

import resource
from errno import EMFILE
from typing import Final

from netlink_emu.host import proc
from netlink_emu.interpose.client.memory import ClientGone, ClientSealed
from netlink_emu.protocol.errors import NetlinkError

# Below FD_SETSIZE (1024), so that select() can watch such a descriptor, and above what most
# programs open.
_HIGH: Final = 512
_NEIGHBOURS: Final = 8


def choose_high(soft_limit: int) -> int:
    """The threshold for a client with this RLIMIT_NOFILE."""
    return min(_HIGH, max(soft_limit // 2, 1))


def open_files_limit() -> int:
    """Our own soft limit, which a client inherits."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _HIGH * 2 if soft == resource.RLIM_INFINITY else soft


def raise_our_limit() -> None:
    """Every emulated socket takes one descriptor of ours, every waiting call two."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_number(tid: int, at_least: int) -> int:
    """The lowest number from ``at_least`` on that the client has not in use.

    Another thread of it may take the number before we do; nothing prevents that, and the kernel
    would then close what it put there. Raises ClientGone, ClientSealed, or NetlinkError(EMFILE).
    """
    try:
        for number in range(at_least, at_least + _NEIGHBOURS):
            if not proc.has_descriptor(tid, number):
                return number
        used = proc.descriptors(tid)
    except PermissionError as exc:
        raise ClientSealed from exc
    except OSError as exc:
        raise ClientGone from exc
    number = at_least + _NEIGHBOURS
    while number in used:
        number += 1
    if number > 0x7FFFFFFF:
        raise NetlinkError(EMFILE)
    return number
