"""The test process's side: carries out what the helper asks for, in the kernel's thread."""

from __future__ import annotations

import os
from socket import socket

import trio

from netlink_emu.families import BootedKernel
from netlink_emu.machine.credentials import Cred
from netlink_emu.protocol.ours.relay import RelayHello
from netlink_emu.server.relay import Relay
from netlink_emu.server.service import Service, Ucred


async def serve(
    kernel: BootedKernel, end: socket, cred: Cred, *, task_status: trio.TaskStatus[None]
) -> None:
    """Serve the sockets of one filtered thread and what it starts, as those of ``cred``.

    Returns when the helper has closed the stream; the sockets are closed then, and ``end`` is.
    """
    here = Ucred(os.getpid(), os.geteuid(), os.getegid())
    relay = Relay(Service(kernel, lambda *_: cred, lambda: None), end, here, RelayHello())
    task_status.started()
    await relay.run()
