"""What a new process does first: it becomes the task that a step asks for."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.names import comm_bytes

from . import libc
from .agent import NeedMaps, Ready, serve
from .calls import Calls
from .channel import Channel


def become_task(
    channel: Channel, name: str, op: ops.Spawn, driver: int, stdin: tuple[int, int] | None
) -> None:
    """In the new process: be what the step says, then serve. Does not return."""
    try:
        if stdin is not None:
            os.dup2(stdin[0], 0)
        keep = {0, 1, 2, channel.read_fd, channel.write_fd}
        for fd in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
            if fd not in keep:
                with contextlib.suppress(OSError):
                    os.close(fd)
        os.sched_setaffinity(0, {op.cpu or 0})
        libc.set_comm(comm_bytes(f"orc-{name}" if op.comm is None else op.comm))
        _new_namespaces(op.unshare or [], channel)
        if op.ids is not None:
            uid, gid = op.ids
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        if not op.orphan:
            libc.die_with_parent(signal.SIGKILL)
        channel.send(Ready(os.getpid()))
        if op.exec is not None:
            os.execv(op.exec[0], op.exec)
        serve(channel, Calls())
    finally:
        os._exit(120)


def _new_namespaces(kinds: list[str], channel: Channel) -> None:
    if "user" in kinds:
        libc.unshare(libc.CLONE_NEWUSER)
        channel.send(NeedMaps())
        channel.receive()
    if "net" in kinds:
        libc.unshare(libc.CLONE_NEWNET)


def map_ids(pid: int) -> None:
    """Root in the user namespace of a task is root outside."""
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{pid}/{name}").write_text("0 0 1")
