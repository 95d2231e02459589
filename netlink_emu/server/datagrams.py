"""Clients of the server's datagram socket: who they are, from their first datagram to their end.

A client is known by its Unix address. A datagram socket does not tell when a client closes; so
the process that sent first is watched, and when it ends its sockets are tried: the emulated
kernel then finds nobody at their portids, as a real one would. A client that closes its socket
and lives on is noticed when something is sent to it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import cached_property, partial
from pathlib import Path
from socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, socket
from typing import Final

import trio

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.server.outbox import FIRST_RETRY, Outbox
from netlink_emu.server.service import Service, Ucred
from netlink_emu.server.statistics import Drop
from netlink_emu.server.unix_diag import NO_DESCRIPTOR, find_inode, has_read_all

Address = str | bytes
# When there are so many clients, those that are gone are looked for, and then at each doubling.
_SWEEP: Final = 256
_WATCH_AGAIN: Final = 0.25  # seconds


class Client:
    """One address. ``identity`` tells its socket from another of the same name."""

    def __init__(self, owner: Clients, address: Address, pid: int, sock: NetlinkSock) -> None:
        self.address: Final = address
        self.pid: Final = pid
        self.sock: Final = sock
        self.identity: Final = _identity_if_known(address)
        self._owner = owner
        self.post: Final = owner.outbox
        self.flush: Final = partial(owner.outbox.flush, self)

    def answer(self, datagram: bytes) -> None:
        self._owner.outbox.answer(self, datagram)

    def sweep(self) -> None:
        self._owner.sweep((self,))

    @cached_property
    def _inode(self) -> int | None:
        """Its socket's, if it is known; not its file's."""
        if isinstance(self.address, bytes):
            return self.identity[0] if self.identity is not None else None
        try:
            return find_inode(os.fsencode(self.address) + b"\0")
        except OSError:  # no descriptor to look with
            return None

    def has_read_all(self) -> bool | None:
        """Whether it has read what was sent to it; None if that cannot be known."""
        return None if self._inode is None else has_read_all(self._inode)


class _Watch:
    """One process that lives, and those of its sockets that are clients: one at least."""

    def __init__(self) -> None:
        self.clients: Final[set[Client]] = set()
        self.scope: Final = trio.CancelScope()


class Clients:
    """All clients of one datagram socket; ``start`` runs a task for as long as the server."""

    def __init__(
        self,
        service: Service,
        sock: socket,
        start: Callable[[Callable[[], Awaitable[None]]], None],
    ) -> None:
        self._service: Final = service
        self._start: Final = start
        self._by_address: dict[Address, Client] = {}
        self._watches: dict[int, _Watch] = {}  # by pid
        self._unwatched: set[Client] = set()  # for want of a process, or of a descriptor
        self._postponed = trio.Event()
        self._sweep_at = _SWEEP
        self._backlogged = trio.Event()
        self.outbox: Final[Outbox[Client]] = Outbox(sock, service.counters, self._gone)

    def __iter__(self) -> Iterator[Client]:
        return iter(self._by_address.values())

    def receive(self, address: Address | None, ucred: Ucred, datagram: bytes) -> None:
        """A datagram that came from ``address``."""
        if not address:
            self._service.counters.drop(Drop.UNNAMED)
            return
        client = self._by_address.get(address)
        if client is not None and ucred.pid != client.pid and self._is_another(client):
            self._gone(client)
            client = None
        if client is None:
            client = self._new(address, ucred)
        elif self.outbox.backlog:
            self.outbox.heard_from(client)
        self._service.receive(client, ucred, datagram)
        self.note_backlog()

    def _new(self, address: Address, ucred: Ucred) -> Client:
        if len(self._by_address) >= self._sweep_at:
            self.sweep(self._by_address.values())
            self._sweep_at = max(_SWEEP, 2 * len(self._by_address))
        client = Client(self, address, ucred.pid, self._service.socket(ucred))
        self._by_address[address] = client
        self._service.serve(client)
        try:
            watched = self._watch(client)
        except OSError:
            watched = False
        if not watched:
            self._postpone((client,))
        return client

    def _is_another(self, client: Client) -> bool:
        """Whether the name was bound anew since; else a child has inherited the socket.

        Where sockets have no identity, it is another if the process that we knew is gone.
        """
        if client.identity is not None:
            with contextlib.suppress(OSError):  # no descriptor to look with
                return _identity(client.address) != client.identity
        return not _exists(client.pid)

    def _gone(self, client: Client) -> None:
        if self._by_address.get(client.address) is not client:
            return
        del self._by_address[client.address]
        self._unwatch(client)
        self.outbox.forget(client)
        self._service.release(client)

    def sweep(self, clients: Iterable[Client]) -> None:
        """Release those that are gone."""
        self._release_if(clients, lambda client: not is_bound(client.address))

    def _release_if(self, clients: Iterable[Client], gone: Callable[[Client], bool]) -> None:
        for client in list(clients):
            try:
                if gone(client):
                    self._gone(client)
            except OSError:  # no descriptor to try it with: once there is one
                self._postpone((client,))

    # --- the ends of processes

    def _watch(self, client: Client) -> bool:
        """Whether its process is watched: else it has ended, or is of a pid namespace unseen.

        Raises OSError without a descriptor.
        """
        watch = self._watches.get(client.pid)
        if watch is None:
            try:
                pidfd = os.pidfd_open(client.pid)
            except OSError as exc:
                if exc.errno in NO_DESCRIPTOR:
                    raise
                return False
            watch = self._watches[client.pid] = _Watch()
            self._start(partial(self._await_end, client.pid, pidfd, watch))
        watch.clients.add(client)
        return True

    def _unwatch(self, client: Client) -> None:
        """A process is watched no longer than it has clients."""
        self._unwatched.discard(client)
        watch = self._watches.get(client.pid)
        if watch is not None and client in watch.clients:
            watch.clients.discard(client)
            if not watch.clients:
                del self._watches[client.pid]
                watch.scope.cancel()

    async def _await_end(self, pid: int, pidfd: int, watch: _Watch) -> None:
        try:
            with watch.scope:
                await trio.lowlevel.wait_readable(pidfd)
        finally:
            os.close(pidfd)
            if self._watches.get(pid) is watch:
                del self._watches[pid]
        self._bury(watch.clients)

    def _bury(self, clients: Iterable[Client]) -> None:
        """Release those of a process that has ended.

        A name that lives on is a child's, or a stranger's who has bound it meanwhile: an
        abstract one anybody can.
        """
        self._release_if(
            clients,
            lambda client: (
                not is_bound(client.address)
                or (client.identity is not None and _identity(client.address) != client.identity)
            ),
        )

    def _postpone(self, clients: Iterable[Client]) -> None:
        self._unwatched.update(clients)
        if self._unwatched:
            self._postponed.set()

    async def watch_again_forever(self) -> None:
        """Look after the clients whose process had ended, or for which no descriptor was left."""
        while True:
            await self._postponed.wait()
            self._postponed = trio.Event()
            await trio.sleep(_WATCH_AGAIN)
            self._watch_again()

    def _watch_again(self) -> None:
        clients = [*self._unwatched]
        self._unwatched.clear()
        for number, client in enumerate(clients):
            try:
                self._watch(client)
            except OSError:
                self._postpone(clients[number:])
                clients = clients[:number]
                break
        self._bury(clients)

    # --- clients that are held back

    def note_backlog(self) -> None:
        """Have :meth:`retry_forever` look after a backlog, if there is one."""
        if self.outbox.backlog:
            self._backlogged.set()

    async def retry_forever(self) -> None:
        """Carry on with the clients whose queues were full."""
        while True:
            await self._backlogged.wait()
            while self.outbox.backlog:
                await trio.sleep(FIRST_RETRY)
                self.outbox.retry(trio.current_time())
            self._backlogged = trio.Event()


def _identity_if_known(address: Address) -> tuple[int, ...] | None:
    try:
        return _identity(address)
    except OSError:
        return None


def _identity(address: Address) -> tuple[int, ...] | None:
    """What a socket of the same name bound later has not; None if nobody has that name.

    Raises OSError without a descriptor to look with. In the file system it is the file's device
    and inode, and the inode's time of change, for the number may be used again at once; of an
    abstract name the socket's own inode.
    """
    if isinstance(address, bytes):
        inode = find_inode(address)
        return None if inode is None else (inode,)
    try:
        found = Path(address).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def is_bound(address: Address) -> bool:
    """Whether a datagram socket answers to a name, as far as can be told.

    EPERM says that it is connected to us. Raises OSError without a descriptor to try it with.
    """
    try:
        with socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC) as probe:
            probe.connect(address)
    except (ConnectionRefusedError, FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        if exc.errno in NO_DESCRIPTOR:
            raise
    return True
