"""Serves an emulated kernel on a Unix datagram socket."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from socket import AF_UNIX, SO_DOMAIN, SO_TYPE, SOCK_SEQPACKET, SOCK_STREAM, SOL_SOCKET, socket
from typing import Final, NoReturn

import trio

from netlink_emu.families import BootedKernel
from netlink_emu.protocol.netlink import NETLINK_GENERIC
from netlink_emu.protocol.ours.hello import is_hello
from netlink_emu.protocol.ours.relay import RelayHello, decode_relay_hello
from netlink_emu.server.channel import Channel
from netlink_emu.server.datagrams import Clients
from netlink_emu.server.endpoint import bound_socket
from netlink_emu.server.linger import STRETCH, Linger
from netlink_emu.server.receive import Message, Receiver, receive_buffer
from netlink_emu.server.relay import Relay, Relays
from netlink_emu.server.service import CredentialPolicy, Service, Ucred, everyone_is_root
from netlink_emu.server.statistics import Drop, Statistics

# Descriptors that channels leave for what else needs one: pidfds, looking for clients.
_SPARE: Final = 32


class Server:
    """A server that runs: what :func:`serve` gives to whoever started it."""

    def __init__(
        self, kernel: BootedKernel, path: Path, sock: socket, policy: CredentialPolicy,
        nursery: trio.Nursery, protocol: int = NETLINK_GENERIC,
    ) -> None:  # fmt: skip
        self.path: Final = path
        self.kernel: Final = kernel
        self._sock: Final = sock
        self._nursery: Final = nursery
        self._pending = trio.Event()
        self._service: Final = Service(kernel, policy, self._on_ready, protocol)
        self._clients: Final = Clients(self._service, sock, self._start)
        self._channels: set[Channel] = set()
        self._relays: Final = Relays()
        self._buffer: Final = receive_buffer()
        self._linger: Final = Linger(sock)

    def statistics(self) -> Statistics:
        """The figures as they are now."""
        counters, taskstats = self._service.counters, self.kernel.taskstats
        dropped = counters.dropped.copy()
        socks = [peer.sock for peer in (*self._clients, *self._channels)]
        socks += self._relays.socks()
        overruns = sum(sock.drops for sock in socks if not sock.closed)
        if overruns:
            dropped[Drop.OVERRUN.name] += overruns
        return Statistics(
            datagrams_in=counters.datagrams_in,
            datagrams_out=counters.datagrams_out,
            dropped=dict(dropped),
            sockets=len(socks),
            channels=len(self._channels),
            listeners=sum(map(len, taskstats.listeners.values())) if taskstats else 0,
            backlogged=sum(bool(sock.receive_queue) for sock in socks),
        )

    def _start(self, task: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(task)

    def _on_ready(self) -> None:
        self._pending.set()

    async def flush_forever(self) -> None:
        """Send on what the kernel queues while no client calls it: exit events."""
        while True:
            await self._pending.wait()
            self._pending = trio.Event()
            self.flush()

    def flush(self) -> None:
        """Send on what has just been queued now, not a moment later."""
        self._service.flush()
        self._clients.note_backlog()

    async def retry_forever(self) -> None:
        """Carry on with the clients whose queues were full."""
        await self._clients.retry_forever()

    async def watch_again_forever(self) -> None:
        """Look after the clients that could not be watched from the first."""
        await self._clients.watches.watch_again_forever()

    async def receive_forever(self) -> NoReturn:
        """Read and answer; each wake-up serves whoever goes on asking, for a stretch."""
        receiver = Receiver(self._sock, self._buffer)
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            self._serve_stretch(receiver)

    def _serve_stretch(self, receiver: Receiver) -> None:
        end = time.monotonic() + STRETCH
        while time.monotonic() < end:
            try:
                message = receiver.receive()
            except BlockingIOError:
                if self._linger.wait():
                    continue
                return
            try:
                self._receive(message)
            finally:
                if message.fds:
                    message.close_fds()

    def _receive(self, message: Message) -> None:
        counters = self._service.counters
        counters.datagrams_in += 1
        if message.truncated:
            counters.drop(Drop.TOO_LONG)
        elif message.fds and is_hello(message.data):
            self._open_channel(message)
        else:
            self._clients.receive(message.address, message.ucred, message.data)

    def _open_channel(self, message: Message) -> None:
        """The hand-over: the first descriptor is the channel, the hello is answered there."""
        fd = message.fds.pop(0)
        relayed = decode_relay_hello(message.data)
        end = _socket_of(fd, SOCK_SEQPACKET if relayed is None else SOCK_STREAM)
        if end is None:
            self._service.counters.drop(Drop.BAD_HELLO)
            return
        if fd >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE:
            self._service.counters.drop(Drop.NO_DESCRIPTORS)
            end.close()
            return
        if relayed is not None:
            self._open_relay(end, message.ucred, relayed)
            return
        self._linger.add(end)
        channel = Channel(self._service, end, message.ucred, self._buffer, self._forget)
        self._channels.add(channel)
        self._service.receive(channel, message.ucred, message.data)
        self._nursery.start_soon(channel.run)

    def _forget(self, channel: Channel, end: socket) -> None:
        """The channel is about to be closed."""
        self._channels.discard(channel)
        self._linger.remove(end)

    def _open_relay(self, end: socket, ucred: Ucred, hello: RelayHello) -> None:
        if self._relays.full:
            self._service.counters.drop(Drop.TOO_MANY_RELAYS)
            end.close()
            return
        relay = Relay(self._service, end, ucred, hello, self._linger, self._relays)
        self._nursery.start_soon(relay.run)


def _socket_of(fd: int, wanted: int) -> socket | None:
    """The Unix socket of the wanted type that ``fd`` is; else None, and ``fd`` is closed."""
    try:
        end = socket(fileno=fd)
    except OSError:  # ENOTSOCK
        os.close(fd)
        return None
    domain, kind = (end.getsockopt(SOL_SOCKET, option) for option in (SO_DOMAIN, SO_TYPE))
    if (domain, kind) == (AF_UNIX, wanted):
        return end
    end.close()
    return None


async def serve(
    kernel: BootedKernel,
    path: str | os.PathLike[str],
    *,
    policy: CredentialPolicy = everyone_is_root,
    protocol: int = NETLINK_GENERIC,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer datagrams of a netlink protocol on a Unix datagram socket at ``path``, for ever.

    The file's directory must be of mode 0700 and ours; it is made if it is missing. Cancelling
    is the way to stop; the file is then gone. Raises ServerError before it has started.
    A mistake in the kernel or here stops the server: a wrong answer would be worse.
    """
    with bound_socket(Path(path)) as sock:
        async with trio.open_nursery() as nursery:
            server = Server(kernel, Path(path), sock, policy, nursery, protocol)
            nursery.start_soon(server.flush_forever)
            nursery.start_soon(server.retry_forever)
            nursery.start_soon(server.watch_again_forever)
            nursery.start_soon(server.receive_forever)
            task_status.started(server)
