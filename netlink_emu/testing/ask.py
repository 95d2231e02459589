"""Asking the emulated kernel as root of its own machine, past journal and faults."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from netlink_emu.families import BootedKernel
from netlink_emu.kernel.current import Current
from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.genetlink import genl_request
from netlink_emu.protocol.netlink import NETLINK_GENERIC
from netlink_emu.protocol.reading.decode import Decoder, Message
from netlink_emu.protocol.taskstats import (
    TASKSTATS_CMD_ATTR_PID,
    TASKSTATS_CMD_ATTR_TGID,
    TASKSTATS_CMD_GET,
)

_SOCK_RAW = 3


@contextmanager
def unobserved(kernel: BootedKernel) -> Iterator[None]:
    """Nobody looks on, and nothing goes wrong."""
    trace, injector = kernel.trace, kernel.injector
    kernel.trace = kernel.injector = None
    try:
        yield
    finally:
        kernel.trace, kernel.injector = trace, injector


def ask_stats(kernel: BootedKernel, pid: int, *, tgid: bool) -> dict[str, Any]:
    """struct taskstats of a task or a thread group; raises KeyError if there is none."""
    assert kernel.taskstats is not None
    attrs = AttrWriter(kernel.profile.arch.order)
    attrs.put_u32(TASKSTATS_CMD_ATTR_TGID if tgid else TASKSTATS_CMD_ATTR_PID, pid)
    reply = _ask(kernel, kernel.taskstats.family.id, TASKSTATS_CMD_GET, bytes(attrs.data))
    stats = reply.find("TASKSTATS_TYPE_STATS")
    if stats is None or not isinstance(stats.value, dict):
        raise KeyError(pid)
    return dict(stats.value)


def _ask(kernel: BootedKernel, family: int, cmd: int, attrs: bytes) -> Message:
    order = kernel.profile.arch.order
    with unobserved(kernel):
        current = Current.of(kernel.machine.tasks.init_task)
        sock = kernel.socket(current, _SOCK_RAW, NETLINK_GENERIC)
        try:
            # So that even init's portid is left to who may ask for it.
            address = struct.pack(order.char + "HHII", 16, 0, _free_portid(kernel), 0)
            sock.bind(current, address)
            sock.sendmsg(current, genl_request(order, family, cmd, attrs))
            data = sock.recvmsg(1 << 16).data
        finally:
            sock.release()
    ids = {number: known.name for number, known in kernel.genl.families.items()}
    return Decoder(order, ids).datagram(data)[0]


def _free_portid(kernel: BootedKernel) -> int:
    taken = kernel.netlink.sockets(kernel.machine.init_net, NETLINK_GENERIC)
    return next(portid for portid in range(0xFFFFFFFF, 0, -1) if portid not in taken)
