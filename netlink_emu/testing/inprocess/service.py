"""The test process's side: carries out what the helper asks for, in the kernel's thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Final

import trio

from netlink_emu.host import cgroups, proc
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.kernel import Kernel
from netlink_emu.machine.credentials import Cred
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.testing.inprocess.wire import Arrived, Call, Failed, Returned, State


class Service:
    """The sockets of one filtered thread and what it starts."""

    def __init__(self, kernel: Kernel, wire: Connection, cred: Cred) -> None:
        self._kernel: Final = kernel
        self._wire: Final = wire
        self._cred: Final = cred
        self._socks: dict[int, NetlinkSock] = {}
        self._numbers: dict[NetlinkSock, int] = {}

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Serve until the helper has closed the wire; its sockets are closed then."""
        task_status.started()
        try:
            while True:
                await trio.lowlevel.wait_readable(self._wire.fileno())
                # Small and written at once: it is all there, or will be in a moment.
                self._serve(self._wire.recv())
        except (EOFError, OSError):
            return
        finally:
            for sock in self._socks.values():
                sock.data_ready = sock.error_report = None
                sock.release()
            trio.lowlevel.notify_closing(self._wire.fileno())
            self._wire.close()

    def _serve(self, call: Call) -> None:
        value, errno, sock = None, 0, self._socks.get(call.sock)
        try:
            if call.method == "socket":
                sock = self._open(self._current(call.tid), *call.args)
                value = self._numbers[sock]
            elif sock is not None:
                value = getattr(self, call.method)(sock, call)
        except NetlinkError as exc:
            errno = exc.errno
        if call.answered:
            state = _state(sock) if sock is not None else None
            self._wire.send(Returned(value, errno, state))

    def _current(self, tid: int) -> Current:
        machine = self._kernel.machine
        return Current(
            cred=self._cred,
            net=machine.init_net,
            pid_ns=machine.init_pid_ns,
            tgid_vnr=os.getpid(),
            fget=partial(cgroups.file_of, tid),
            comm=partial(proc.comm_of, tid),
        )

    def _open(self, current: Current, type: int, protocol: int) -> NetlinkSock:
        sock = self._kernel.socket(current, type, protocol)
        number = max(self._socks, default=0) + 1
        self._socks[number] = sock
        self._numbers[sock] = number
        sock.data_ready = self._arrived
        sock.error_report = self._failed
        return sock

    def _arrived(self, sock: NetlinkSock) -> None:
        skb = sock.receive_queue[-1]
        self._push(Arrived(self._numbers[sock], skb.data, skb.portid, skb.dst_group))

    def _failed(self, sock: NetlinkSock) -> None:
        self._push(Failed(self._numbers[sock], sock.sk_err))

    def _push(self, message: Arrived | Failed) -> None:
        try:
            self._wire.send(message)
        except OSError:
            return  # the helper has gone; run() sees that, too

    # --- what can be called

    def bind(self, sock: NetlinkSock, call: Call) -> None:
        sock.bind(self._current(call.tid), *call.args)

    def connect(self, sock: NetlinkSock, call: Call) -> None:
        sock.connect(self._current(call.tid), *call.args)

    def sendmsg(self, sock: NetlinkSock, call: Call) -> int:
        data, addr, control, flags, length = call.args
        current = self._current(call.tid)
        return sock.sendmsg(current, data, addr=addr, control=control, flags=flags, length=length)

    def recvmsg(self, sock: NetlinkSock, call: Call) -> Any:
        return sock.recvmsg(*call.args)

    def take_datagram(self, sock: NetlinkSock, _call: Call) -> None:
        sock.take_datagram()

    def take_error(self, sock: NetlinkSock, _call: Call) -> None:
        sock.take_error()

    def setsockopt(self, sock: NetlinkSock, call: Call) -> None:
        sock.setsockopt(self._current(call.tid), *call.args)

    def attach_filter(self, sock: NetlinkSock, call: Call) -> None:
        sock.attach_filter(*call.args)

    def detach_filter(self, sock: NetlinkSock, _call: Call) -> None:
        sock.detach_filter()

    def release(self, sock: NetlinkSock, call: Call) -> None:
        del self._socks[call.sock], self._numbers[sock]
        sock.data_ready = sock.error_report = None
        sock.release()


def _state(sock: NetlinkSock) -> State:
    return State(
        sock.portid,
        sock.bound,
        sock.groups,
        sock.groups_allocated,
        sock.connected,
        sock.dst_portid,
        sock.dst_group,
        sock.dump is not None,
    )


Serve = Callable[[Call], None]
