"""The ends of a server's clients, which a datagram socket does not tell.

The process that sent first is watched by a pidfd. When it has ended, its sockets are tried: those
to whose names nobody answers any more, or somebody else, are gone.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

import trio

from netlink_emu.server.names import Address, identity_of, is_bound
from netlink_emu.server.unix_diag import NO_DESCRIPTOR

_WATCH_AGAIN: Final = 0.25  # seconds


class Watched(Protocol):
    """A client. ``identity`` is its socket's, if that is known."""

    @property
    def address(self) -> Address: ...
    @property
    def pid(self) -> int: ...
    @property
    def identity(self) -> tuple[int, ...] | None: ...


W = TypeVar("W", bound=Watched)


class _Watch(Generic[W]):
    """One process that lives, and those of its sockets that are clients: one at least."""

    def __init__(self) -> None:
        self.clients: Final[set[W]] = set()
        self.scope: Final = trio.CancelScope()


class Watches(Generic[W]):
    """The processes of all clients. ``start`` runs a task; ``gone`` is told whose end is found."""

    def __init__(
        self, start: Callable[[Callable[[], Awaitable[None]]], None], gone: Callable[[W], None]
    ) -> None:
        self._start: Final = start
        self._gone: Final = gone
        self._watches: dict[int, _Watch[W]] = {}  # by pid
        self._unwatched: set[W] = set()  # for want of a process, or of a descriptor
        self._postponed = trio.Event()

    def add(self, client: W) -> None:
        """Watch a client's process from now on, or as soon as that is possible."""
        try:
            watched = self._watch(client)
        except OSError:
            watched = False
        if not watched:
            self._postpone((client,))

    def discard(self, client: W) -> None:
        """The client is gone. A process is watched no longer than it has clients."""
        self._unwatched.discard(client)
        watch = self._watches.get(client.pid)
        if watch is not None and client in watch.clients:
            watch.clients.discard(client)
            if not watch.clients:
                del self._watches[client.pid]
                watch.scope.cancel()

    def look_for_gone(self, clients: Iterable[W]) -> None:
        """Find those whose sockets are closed, though their process may live."""
        self._find(clients, lambda client: not is_bound(client.address))

    def _find(self, clients: Iterable[W], gone: Callable[[W], bool]) -> None:
        for client in list(clients):
            try:
                if gone(client):
                    self._gone(client)
            except OSError:  # no descriptor to try it with: once there is one
                self._postpone((client,))

    def _watch(self, client: W) -> bool:
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

    async def _await_end(self, pid: int, pidfd: int, watch: _Watch[W]) -> None:
        try:
            with watch.scope:
                await trio.lowlevel.wait_readable(pidfd)
        finally:
            os.close(pidfd)
            if self._watches.get(pid) is watch:
                del self._watches[pid]
        self._bury(watch.clients)

    def _bury(self, clients: Iterable[W]) -> None:
        """Find those of a process that has ended.

        A name that lives on is a child's, or a stranger's who has bound it meanwhile: an
        abstract one anybody can.
        """
        self._find(
            clients,
            lambda client: (
                not is_bound(client.address)
                or (client.identity is not None and identity_of(client.address) != client.identity)
            ),
        )

    def _postpone(self, clients: Iterable[W]) -> None:
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
