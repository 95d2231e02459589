"""Netlink sockets of this process itself, made without stopping a system call.

All of this is done in the kernel's thread. What stands for a socket in this process is one end of
a pair, as in an interposed program: so poll, select and event loops work by themselves.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Final

import trio

from netlink_emu.families import BootedKernel
from netlink_emu.host import cgroups, proc
from netlink_emu.interpose.carrier import Carrier
from netlink_emu.interpose.mirror import Mirror
from netlink_emu.interpose.sockets import EmulatedSocket
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.msghdr import MSG_PEEK, RecvMsg
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.machine.credentials import Cred

_TICK: Final = 0.01


class LocalSockets(Carrier):
    """Sockets of this process in ``kernel``, owned by ``cred``; :meth:`run` looks after them."""

    def __init__(self, kernel: BootedKernel, cred: Cred) -> None:
        super().__init__(kernel)
        self._cred: Final = cred
        self._arrival = trio.Event()
        self._late = trio.Event()
        self._closed = False
        self._made: set[tuple[int, int]] = set()  # numbers of inodes do not return
        self.on_ready = self._arrived

    def current(self, tid: int) -> Current:
        """The caller of the emulated system calls that a thread of this process makes."""
        machine = self.backend.machine
        return Current(
            cred=self._cred,
            net=machine.init_net,
            pid_ns=machine.init_pid_ns,
            tgid_vnr=os.getpid(),
            fget=partial(cgroups.file_of, tid),
            comm=partial(proc.comm_of, tid),
            tid=tid,
            host_uid=os.geteuid,
        )

    def current_of(self, sock: EmulatedSocket, tid: int) -> Current:
        """See Carrier."""
        return self.current(tid) if tid else sock.opener

    # --- calls

    def open(self, tid: int, kind: int, protocol: int, *, nonblocking: bool) -> int:
        """socket(2); returns a descriptor of the end that stands for the socket."""
        current = self.current(tid)
        nl = self.backend.socket(current, kind, protocol)
        mirror = Mirror(nonblocking=nonblocking)
        self.add_socket(EmulatedSocket(nl, mirror, current))
        self._made.add(mirror.identity)
        try:
            return os.dup(mirror.client_fileno())
        finally:
            mirror.hand_over()

    def find(self, fd: int) -> EmulatedSocket | None:
        """The socket that a descriptor of this process refers to."""
        return self.sockets.of_descriptor(fd)

    def is_over(self, fd: int) -> bool:
        """Whether a descriptor refers to a socket that we have closed before this process did."""
        status = os.fstat(fd)
        return (status.st_dev, status.st_ino) in self._made and self.find(fd) is None

    def kind(self, fd: int) -> tuple[int, int] | None:
        """The type and the protocol of the socket that a descriptor refers to, if it is ours."""
        sock = self.find(fd)
        if sock is None:
            return None
        assert isinstance(sock.nl, NetlinkSock)
        return sock.nl.type, sock.nl.protocol

    def receive(self, sock: EmulatedSocket, fd: int, size: int, flags: int) -> RecvMsg:
        """recvmsg(2) and its kin; NetlinkError(EAGAIN) where there is nothing."""
        sock.settle()
        try:
            received = sock.nl.recvmsg(size, flags)
            if not flags & MSG_PEEK:
                sock.mirror.take(fd)
                self.fill(sock)
                self.summary.received += 1
        finally:
            sock.unmark(fd)
        return received

    def send(
        self,
        sock: EmulatedSocket,
        tid: int,
        data: bytes,
        flags: int,
        address: bytes,
        control: Sequence[Cmsg],
    ) -> int:
        """sendmsg(2) and its kin."""
        sock.settle()
        current = self.current(tid)
        sent = sock.nl.sendmsg(current, data, addr=address, control=control, flags=flags)
        self.note_dump(sock)
        self.summary.sent += 1
        return sent

    def flush(self) -> None:
        """See Carrier."""
        super().flush()
        if self.is_behind:
            self._late.set()

    def serve_ends(self) -> None:
        """See Carrier."""
        if not self._closed:
            super().serve_ends()

    def close(self) -> None:
        """See Carrier."""
        self._closed = True
        super().close()

    # --- what happens without a call

    def _arrived(self) -> None:
        self._arrival.set()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Look after the sockets until this is cancelled; they are closed then."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._carry_arrivals)
                nursery.start_soon(self._catch_up)
                task_status.started()
                while True:
                    await trio.lowlevel.wait_readable(self.ends)
                    self.serve_ends()
        finally:
            trio.lowlevel.notify_closing(self.ends)
            self.close()

    async def _carry_arrivals(self) -> None:
        while True:
            await self._arrival.wait()
            self._arrival = trio.Event()
            self.flush()

    async def _catch_up(self) -> None:
        while True:
            await self._late.wait()
            self._late = trio.Event()
            while self.is_behind:
                await trio.sleep(_TICK)
                self.tick()
