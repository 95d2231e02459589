"""A scenario that begins with its first client: what it waits for, seen by an observer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.kernel import Kernel
from netlink_emu.kernel.netlink_rcv import Request
from netlink_emu.kernel.trace import Observer
from netlink_emu.machine.start import Start
from netlink_emu.machine.timeline import Timeline
from netlink_emu.protocol.netlink import NETLINK_GENERIC, nlmsg_walk

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.skbuff import SkBuff


class Starter(Observer):
    """Begins a timeline when a client first listens or, with Start.CLIENT, asks; then it is done.

    Who listens is registered for all its CPUs by then, or has joined a group of a family that the
    timeline changes; who asks finds the tasks and the objects of time 0.
    """

    def __init__(self, kernel: Kernel, timeline: Timeline, start: Start) -> None:
        self._kernel: Final = kernel
        self._timeline: Final = timeline
        self._asking: Final = start is Start.CLIENT
        self._listened = False
        changed = [*filter(None, map(kernel.genl.by_name, timeline.families))]
        self._numbers: Final = {family.id for family in changed}
        self._groups: Final = sum(
            1 << family.mcgrp_offset + index - 1
            for family in changed
            for index in range(len(family.mcgrps))
        )
        kernel.observe(self)

    def listener_registered(self, portid: int, cpu: int) -> None:
        self._listened = True

    def request_done(self, request: Request, err: int) -> None:
        if self._listened:
            self._begin()

    def stats_wanted(self, current: Current) -> None:
        if self._asking:
            self._begin()

    def groups_changed(self, sk: NetlinkSock, joined: int, left: int) -> None:
        if sk.protocol == NETLINK_GENERIC and joined & self._groups:
            self._begin()

    def sent(self, sk: NetlinkSock, skb: SkBuff, portid: int) -> None:
        if self._asking and not portid and sk.protocol == NETLINK_GENERIC and self._numbers:
            order = self._kernel.profile.arch.order
            if any(h.nlmsg_type in self._numbers for _, h in nlmsg_walk(skb.data, order)):
                self._begin()

    def _begin(self) -> None:
        if not self._timeline.begun:
            self._kernel.unobserve(self)
            self._timeline.begin()
            self._timeline.run_due()
