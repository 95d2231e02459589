"""Clients of the server's datagram socket: who they are, from their first datagram to their end.

A client is known by its Unix address. When it is found to be gone (see watching), the emulated
kernel finds nobody at its portid, as a real one would. A client that closes its socket and lives
on is noticed when something is sent to it, or when there are many.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator
from functools import cached_property, partial
from socket import socket
from typing import Final

import trio

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.server.names import Address, identity_of
from netlink_emu.server.outbox import FIRST_RETRY, Outbox
from netlink_emu.server.service import Service, Ucred
from netlink_emu.server.statistics import Drop
from netlink_emu.server.unix_diag import find_inode, has_read_all
from netlink_emu.server.watching import Watches

# When there are so many clients, those that are gone are looked for, and then at each doubling.
_SWEEP: Final = 256


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
        self._owner.watches.look_for_gone((self,))

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


class Clients:
    """All clients of one datagram socket; ``start`` runs a task for as long as the server."""

    def __init__(
        self,
        service: Service,
        sock: socket,
        start: Callable[[Callable[[], Awaitable[None]]], None],
    ) -> None:
        self._service: Final = service
        self._by_address: dict[Address, Client] = {}
        self._sweep_at = _SWEEP
        self._backlogged = trio.Event()
        self.watches: Final[Watches[Client]] = Watches(start, self._gone)
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
            self.watches.look_for_gone(self._by_address.values())
            self._sweep_at = max(_SWEEP, 2 * len(self._by_address))
        client = Client(self, address, ucred.pid, self._service.socket(ucred))
        self._by_address[address] = client
        self._service.serve(client)
        self.watches.add(client)
        return client

    def _is_another(self, client: Client) -> bool:
        """Whether the name was bound anew since; else a child has inherited the socket.

        Where sockets have no identity, it is another if the process that we knew is gone.
        """
        if client.identity is not None:
            with contextlib.suppress(OSError):  # no descriptor to look with
                return identity_of(client.address) != client.identity
        return not _exists(client.pid)

    def _gone(self, client: Client) -> None:
        if self._by_address.get(client.address) is not client:
            return
        del self._by_address[client.address]
        self.watches.discard(client)
        self.outbox.forget(client)
        self._service.release(client)

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
        return identity_of(address)
    except OSError:
        return None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
