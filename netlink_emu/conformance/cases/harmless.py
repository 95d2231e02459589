"""What a transcript may have a real machine do.

On the target ``kernel`` its steps are system calls, usually root's. A file from elsewhere must not
be a program: it can execute, open, make and ask only what the shipped cases do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.netlink import NETLINK_GENERIC, nlmsg_walk

from . import ops
from .case import Case, Step

_PROGRAMS: Final = re.compile(r"/bin/true|/bin/cat|/bin/sleep \d{1,3}|/bin/sh -c exit \d{1,3}")
# Opened to be named to CGROUPSTATS, and never read.
_OPENED: Final = re.compile(r"/tmp|/etc/passwd|/sys/fs/cgroup(/[\w.,-]+)*")
_OPEN_FLAGS: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK
# Made, filled and removed.
_CGROUP: Final = re.compile(r"/sys/fs/cgroup/[\w,-]+/netlink-[\w-]+")
# Numbers that are no family's: the controller's own, control messages, beyond GENL_MAX_ID, and
# three that are far from those which families get.
_GENL_ID_CTRL, _GENL_MAX_ID = 16, 1023
_NOBODYS: Final = frozenset({100, 1022, 1023})


def harm(case: Case) -> str:
    """What of a case only a shipped one might do to a real machine; empty if nothing."""
    return next(_harms(case), "")


def _harms(case: Case) -> Iterator[str]:
    others: set[str] = set()  # sockets of other netlink protocols
    for step in case.steps:
        op = step.op
        if isinstance(op, ops.Socket) and op.proto not in (None, NETLINK_GENERIC):
            others.add(op.sock)
        if isinstance(op, ops.Send) and op.sock in others:
            yield f"it sends to another netlink protocol, by {op.sock}"
        yield from _harms_of(step, case.order)


def _harms_of(step: Step, order: ByteOrder) -> Iterator[str]:
    match step.op:
        case ops.Spawn(exec=list() as argv) | ops.Exit(argv=list() as argv):
            if not _PROGRAMS.fullmatch(" ".join(argv)):
                yield f"it executes {' '.join(argv)!r}"
        case ops.Open(path=str() as path, flags=flags):
            if not _OPENED.fullmatch(path) or ".." in path:
                yield f"it opens {path!r}"
            elif (flags or 0) & ~_OPEN_FLAGS:
                yield f"it opens {path!r} with flags {flags:#o}"
        case ops.Mkdir(path=path) | ops.Rmdir(path=path) | ops.CgroupAttach(path=path):
            # /tmp is there: making it does nothing.
            if not (
                _CGROUP.fullmatch(path) or (path == "/tmp" and isinstance(step.op, ops.Mkdir))
            ):
                yield f"it makes, fills or removes {path!r}"
        case ops.Send(payload=payload):
            named = {mask.offset for mask in payload.masks if mask.symbol.kind == "FAMILY_ID"}
            for offset, header in nlmsg_walk(payload.data, order):
                kind = header.nlmsg_type
                if offset + 4 in named or kind <= _GENL_ID_CTRL or kind > _GENL_MAX_ID:
                    continue
                if kind not in _NOBODYS:
                    yield f"it asks family {kind}, which is not named"
