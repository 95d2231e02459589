"""The helper process: answers the stopped calls of filtered threads of its parent.

Started as ``python -m netlink_emu.testing.inprocess.helper FD``, FD being a Unix socket by which
it is given listeners; it ends when that is closed and the last listener has.
"""

from __future__ import annotations

import array
import os
import pickle
import select
import socket
import sys
from functools import partial
from typing import Final

import trio

from netlink_emu.backends.remote import RemoteKernel
from netlink_emu.backends.wire import Wire
from netlink_emu.interpose.abi import native
from netlink_emu.interpose.errands import Errands
from netlink_emu.interpose.filter.seccomp import Listener
from netlink_emu.interpose.supervisor import Supervisor
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.credentials import Cred
from netlink_emu.testing.inprocess.threads import Start

# Calls during which CPython may hold its lock, and that are answered from here alone.
_LOCAL: Final = ("getsockopt", "setsockopt", "getsockname", "getpeername", "ioctl")


class ThreadKernel(RemoteKernel):
    """The test's kernel, and when that is gone none: then sockets are the host's.

    A thread outlives its kernel where something keeps it (trio's workers, any pool), and serves
    whoever uses it next. It cannot lose its filter.
    """

    def answers(self, protocol: int) -> bool:
        """See Backend."""
        if not self.wire.dead:
            self.wire.pump()  # its end may be there already
        return not self.wire.dead and super().answers(protocol)


class ThreadSupervisor(Supervisor):
    """Serves the clients of one listener in the kernel at the other end of ``stream``."""

    def __init__(self, start: Start, listener: Listener, stream: socket.socket) -> None:
        wire = Wire(stream)
        wire.idle = partial(_meet_others, wire)
        wire.wait()  # the welcome says what is known from ``start``
        profile = profile_for(start.release, arch=start.arch, config=start.config)
        self._kernel: Final = ThreadKernel(profile, wire, options_here=True)
        for protocol in start.protocols:
            self._kernel.here.take(protocol)
        self._calls: Final = listener
        self._later: Final = Errands()
        numbers = native().numbers
        self._local: Final = frozenset(numbers[name] for name in _LOCAL if name in numbers)
        cred = Cred.for_ids(self._kernel.machine.init_user_ns, start.uid, start.uid)
        super().__init__(
            self._kernel,
            listener,
            high=start.high,
            credentials=lambda _tid: cred,
            errands=self._later,
        )

    async def run(self) -> None:
        """Serve until the last client of the listener has ended.

        When the kernel is gone its sockets fail, and all else is let pass: without a listener
        every call that the filter stops would fail with ENOSYS.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._kernel.attend, self.flush, self.lose_kernel)
                nursery.start_soon(self._do_errands)
                fileno = self._calls.fileno()
                _serving[fileno] = self
                try:
                    await super().run()
                finally:
                    del _serving[fileno]
                nursery.cancel_scope.cancel()
        finally:
            trio.lowlevel.notify_closing(self._later.fileno())
            self._later.close()
            self._kernel.close()

    async def _do_errands(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._later.fileno())
            self._later.run()

    def meet(self) -> None:
        """Serve the next call if it is one that its process may hang in; put off all others."""
        notification = self._calls.receive()
        if notification is None:
            return
        if notification.nr not in self._local:
            self._later.put(lambda: self._serve(notification))
            return
        # What is ready meanwhile is for the call that waits: this one must not wait, too.
        ready, self._context._ready = self._context._ready, {}
        try:
            self._serve(notification)
        finally:
            self._context._ready |= ready


# By their listeners. All serve threads of one process, and of its kernels' threads one waits for
# the lock that another thread may hold.
_serving: dict[int, ThreadSupervisor] = {}


def _meet_others(wire: Wire) -> None:
    """Until an answer is there, serve calls that the answering process may hang in."""
    poll = select.poll()
    poll.register(wire, select.POLLIN)
    for fileno in _serving:
        poll.register(fileno, select.POLLIN)
    while wire.fileno() not in (ready := dict(poll.poll())):
        for fileno, events in ready.items():
            if events & select.POLLIN:
                _serving[fileno].meet()
            else:  # its last client is gone, and the answer comes all the same
                poll.unregister(fileno)


async def supervise(start: Start, listener_fd: int, wire_fd: int) -> None:
    """One filtered thread, to its end."""
    stream = socket.socket(fileno=wire_fd)
    supervisor = ThreadSupervisor(start, Listener(listener_fd), stream)
    await supervisor.run()


async def main(fd: int) -> None:
    """Take listeners until the parent is gone."""
    with socket.socket(fileno=fd) as control:
        control.settimeout(0)
        async with trio.open_nursery() as nursery:
            while True:
                await trio.lowlevel.wait_readable(control)
                data, ancillary, _, _ = control.recvmsg(1 << 16, socket.CMSG_SPACE(8))
                if not data:
                    return
                fds = array.array("i", ancillary[0][2])
                nursery.start_soon(supervise, pickle.loads(data), fds[0], fds[1])
                # The thread waits for this: from here on its calls are answered.
                control.send(b"\1")


if __name__ == "__main__":
    os.setsid()  # a Ctrl-C at the terminal is for the tests, which end us
    trio.run(main, int(sys.argv[1]))
