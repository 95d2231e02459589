"""A scenario that begins with its first client: what it waits for, seen by an observer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.kernel import Kernel
from netlink_emu.kernel.netlink_rcv import Request
from netlink_emu.kernel.trace import Observer
from netlink_emu.machine.start import Start
from netlink_emu.machine.timeline import Timeline

if TYPE_CHECKING:
    from netlink_emu.kernel.current import Current


class Starter(Observer):
    """Begins a timeline when a client first listens or, with Start.CLIENT, asks; then it is done.

    Who listens is registered for all its CPUs by then; who asks finds the tasks of time 0.
    """

    def __init__(self, kernel: Kernel, timeline: Timeline, start: Start) -> None:
        self._kernel: Final = kernel
        self._timeline: Final = timeline
        self._asking: Final = start is Start.CLIENT
        self._listened = False
        kernel.observe(self)

    def listener_registered(self, portid: int, cpu: int) -> None:
        self._listened = True

    def request_done(self, request: Request, err: int) -> None:
        if self._listened:
            self._begin()

    def stats_wanted(self, current: Current) -> None:
        if self._asking:
            self._begin()

    def _begin(self) -> None:
        if not self._timeline.begun:
            self._kernel.unobserve(self)
            self._timeline.begin()
            self._timeline.run_due()
