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
from errno import EIO
from multiprocessing.connection import Connection
from typing import Final

import trio

from netlink_emu.interpose.errands import Errands
from netlink_emu.interpose.filter.abi import native
from netlink_emu.interpose.filter.seccomp import Listener, Notification
from netlink_emu.interpose.supervisor import Supervisor
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.testing.inprocess.remote import RemoteKernel
from netlink_emu.testing.inprocess.wire import Arrived, Call, Failed, Returned, Start

# Calls during which CPython may hold its lock, and that are answered from here alone.
_LOCAL: Final = ("getsockopt", "setsockopt", "getsockname", "getpeername", "ioctl")


class ThreadSupervisor(Supervisor):
    """Serves the clients of one listener in a kernel at the other end of ``wire``."""

    def __init__(self, start: Start, listener: Listener, wire: Connection) -> None:
        profile = profile_for(start.release, arch=start.arch, config=start.config)
        # A thread that waits for nothing of ours may be asked for by the kernel's own process.
        self._remote: Final = RemoteKernel(Machine(cpus=1), profile)
        self._remote.attach(self._ask, self._tell, lambda: self._tid)
        self._wire: Final = wire
        self._calls: Final = listener
        self._later: Final = Errands()
        self._tid = 0
        numbers = native().numbers
        self._local: Final = frozenset(numbers[name] for name in _LOCAL if name in numbers)
        super().__init__(self._remote, listener, high=start.high, errands=self._later)

    async def run(self) -> None:
        """Serve until the last client of the listener has ended."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read_pushes, nursery.cancel_scope)
                nursery.start_soon(self._do_errands)
                await super().run()
                nursery.cancel_scope.cancel()
        finally:
            trio.lowlevel.notify_closing(self._later.fileno())
            self._later.close()
            self._wire.close()

    async def _do_errands(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._later.fileno())
            self._later.run()

    async def _read_pushes(self, scope: trio.CancelScope) -> None:
        """What arrives while nobody asks: carried on at once, so that no call finds it undone."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._wire.fileno())
                while self._wire.poll():
                    message = self._wire.recv()
                    assert isinstance(message, Arrived | Failed)
                    self._remote.pushed(message)
                self.flush()
        except (EOFError, OSError):
            scope.cancel()  # the kernel is gone

    def _serve(self, notification: Notification) -> None:
        outer, self._tid = self._tid, notification.tid
        try:
            super()._serve(notification)
        finally:
            self._tid = outer

    # --- the wire

    def _tell(self, call: Call) -> None:
        try:
            self._wire.send(call)
        except OSError:
            return

    def _ask(self, call: Call) -> Returned:
        """The answer; EIO when the kernel is gone."""
        try:
            self._wire.send(call)
            return self._wait()
        except (EOFError, OSError) as exc:
            raise NetlinkError(EIO) from exc

    def _wait(self) -> Returned:
        """Until the answer is there, serve calls that the answering process may hang in."""
        poll = select.poll()
        poll.register(self._wire.fileno(), select.POLLIN)
        poll.register(self._calls, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._wire.fileno() in ready:
                message = self._wire.recv()
                if isinstance(message, Returned):
                    return message
                self._remote.pushed(message)
            elif ready.get(self._calls.fileno(), 0) & select.POLLIN:
                self._meet(self._calls.receive())
            else:  # the last client is gone, and the answer comes all the same
                poll.unregister(self._calls)

    def _meet(self, notification: Notification | None) -> None:
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


async def supervise(start: Start, listener_fd: int, wire_fd: int) -> None:
    """One filtered thread, to its end."""
    supervisor = ThreadSupervisor(start, Listener(listener_fd), Connection(wire_fd))
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
