"""Sends to clients that have no channel of their own: many receivers, one sending socket.

Two limits of Unix datagrams meet here (net/unix/af_unix.c). A client that did not connect to the
server holds net.unix.max_dgram_qlen + 1 unread datagrams. And all that is unread anywhere is
charged to the sending socket, so that clients which never read could use up its buffer for all;
connected clients are bounded by nothing else. Hence the window: a client may have so much
unread, as far as we can know, and less of it while much is unread altogether.

What is always known is SIOCOUTQ, the sum over all clients, which nobody exceeds. While that
stays high, because somebody never reads, the kernel is asked whether a client that has used up
its window has read all. Where it cannot tell (see unix_diag), the client is probed: it gets one
datagram more, and if the sum then falls back to what it was, the client reads.

Whoever is held back keeps its datagrams in its netlink socket, where they count against the
modelled receive buffer and overrun it, as in the kernel. Nobody waits for anybody.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable, Sequence
from socket import MSG_DONTWAIT, SO_SNDBUF, SOL_SOCKET, socket
from termios import TIOCOUTQ
from typing import Final, Generic, Protocol, TypeVar

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.skbuff import skb_sizes
from netlink_emu.server.fanout import FanOut
from netlink_emu.server.statistics import Counters

SIOCOUTQ: Final = TIOCOUTQ  # the same number: linux/sockios.h
# A backlogged client is tried again after this many seconds, doubling up to the last.
FIRST_RETRY: Final = 0.01
LAST_RETRY: Final = 0.32
# A probe that shows nothing for so long has failed.
PROBE_SECONDS: Final = 0.05
# How long a client is then taken to be deaf, doubling up to the last; seconds.
FIRST_DEAF: Final = 1.0
LAST_DEAF: Final = 3600.0
# Windows, as parts of the send buffer: while less than a CALM part of it is in use, and after.
CALM: Final = 4
WIDE: Final = 8
NARROW: Final = 32
MOST_TRUST: Final = 4
# What the host's kernel charges, about: that it is of 6.3 or later, on x86-64.
alloc_truesize: Final = skb_sizes(Profile()).alloc_truesize
_DONTWAIT: Final = int(MSG_DONTWAIT)
_MANY: Final = 8  # from here on one system call for all is worth its preparation


class Receiver(Protocol):
    """A client that the outbox sends to."""

    @property
    def address(self) -> str | bytes: ...
    @property
    def sock(self) -> NetlinkSock: ...
    def has_read_all(self) -> bool | None: ...


C = TypeVar("C", bound=Receiver)


class Account(Generic[C]):
    """What the outbox knows of one client.

    ``unread`` is the most that it can have, in bytes. ``told`` says that the kernel tells whether
    it has read all; the rest is for those of whom it does not. ``trust`` multiplies the narrow
    window: it doubles each time that the client is seen to read. A probe that failed leaves
    ``deaf_at``, the sum of all unread: until it falls below, the client has hardly read, and is
    not probed again before ``deaf_until``; each time that is twice as far off.
    """

    def __init__(self, client: C, fan_out: FanOut) -> None:
        self.client: Final = client
        self.address: Final = os.fsencode(client.address)  # as sendto() would, each time
        self.destination: Final = fan_out.destination(self.address)
        self.unread = 0
        self.told = False
        self.trust = 1
        self.deaf_at = 0
        self.deaf_until = 0.0
        self.deaf_for = FIRST_DEAF
        self.delay = FIRST_RETRY
        self.retry_at = 0.0


class Outbox(Generic[C]):
    """The sending side of the server's socket. ``gone`` is called when a client does not exist."""

    def __init__(self, sock: socket, counters: Counters, gone: Callable[[C], None]) -> None:
        self._sock: Final = sock
        self._counters: Final = counters
        self._gone: Final = gone
        self._sendto: Final = sock.sendto
        self._fan_out: Final = FanOut(sock.fileno())
        self._sndbuf: Final = sock.getsockopt(SOL_SOCKET, SO_SNDBUF)
        self._narrow: Final = self._sndbuf // NARROW
        self._accounts: dict[C, Account[C]] = {}
        self.backlog: dict[C, Account[C]] = {}
        self._probe: tuple[Account[C], int, float] | None = None
        self._last_unread = 0

    def flush(self, client: C, *, probing: bool = False, retrying: bool = False) -> None:
        """Send what is queued for a client, as far as it goes now; the rest is retried.

        When ``probing``, one datagram, whatever the client's window. A client that is held back
        is not looked after each time that something comes for it, but when ``retrying``.
        """
        # Not divided further: a fan-out passes here for each client, and a call of a function
        # takes 3% of what a send does.
        sock = client.sock
        if sock.closed:
            return
        account = self._account(client)
        queue, sendto, narrow = sock.receive_queue, self._sendto, self._narrow
        while queue:
            datagram = queue[0].data
            cost = alloc_truesize(len(datagram))
            if account.unread + cost > narrow and not probing and self._exceeds(account, cost):
                asked = retrying or client not in self.backlog
                if not (asked and self._has_read_all(account)):
                    self.backlog.setdefault(client, account)
                    return
            try:
                sendto(datagram, _DONTWAIT, account.address)
            except OSError as exc:
                # EAGAIN: the client's queue is full, or our own send buffer.
                if exc.errno in (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM):
                    self.backlog.setdefault(client, account)
                else:
                    # ECONNREFUSED, ENOENT: closed. EPERM: connected elsewhere. EACCES,
                    # EPROTOTYPE...: the name leads to something else. To the kernel, nobody is
                    # there.
                    self._gone(client)
                return
            account.unread += cost
            self._counters.datagrams_out += 1
            sock.take_datagram()
            if probing:
                return
            account.delay = FIRST_RETRY
        if self.backlog:
            self.backlog.pop(client, None)

    def flush_all(self, clients: Sequence[C]) -> None:
        """As :meth:`flush` for each; what is the same for many takes one system call."""
        left = list(clients)
        while len(left) >= _MANY:
            datagram, cost = None, 0
            same: list[Account[C]] = []
            for client in left:
                queue, account = client.sock.receive_queue, self._account(client)
                if not queue or client in self.backlog:
                    self.flush(client)
                    continue
                if datagram is None:
                    datagram = queue[0].data
                    cost = alloc_truesize(len(datagram))
                if queue[0].data is datagram and account.unread + cost <= self._narrow:
                    same.append(account)
                else:
                    self.flush(client)
            if datagram is not None:
                self._send_same(datagram, cost, same)
            left = [account.client for account in same if account.client.sock.receive_queue]
        for client in left:
            self.flush(client)

    def _send_same(self, datagram: bytes, cost: int, accounts: Sequence[Account[C]]) -> None:
        """Send what is first in the queues of all of these."""
        start = 0
        while start < len(accounts):
            destinations = [account.destination for account in accounts[start:]]
            sent = self._fan_out.send(datagram, destinations)
            for account in accounts[start : start + sent]:
                account.unread += cost
                account.delay = FIRST_RETRY
                account.client.sock.take_datagram()
            self._counters.datagrams_out += sent
            start += sent
            if start < len(accounts):
                self.flush(accounts[start].client)  # which fails, and knows what to do then
                start += 1

    def _account(self, client: C) -> Account[C]:
        account = self._accounts.get(client)
        if account is None:
            account = self._accounts[client] = Account(client, self._fan_out)
        return account

    def forget(self, client: C) -> None:
        """The client is gone."""
        self._accounts.pop(client, None)
        self.backlog.pop(client, None)
        if self._probe is not None and self._probe[0].client is client:
            self._probe = None

    def answer(self, client: C, datagram: bytes) -> None:
        """Send something past the queue; lost if the client does not take it."""
        try:
            self._sock.sendto(datagram, MSG_DONTWAIT, client.address)
        except OSError:
            return

    def unread(self) -> int:
        """What all clients have not read yet, in bytes of buffers (sk_wmem_alloc)."""
        count: int = struct.unpack("=i", fcntl.ioctl(self._sock, SIOCOUTQ, bytes(4)))[0]
        return count

    def _exceeds(self, account: Account[C], cost: int) -> bool:
        """Whether ``cost`` more is beyond the window. One datagram is always within."""
        narrow = self._narrow * account.trust
        if not account.unread or account.unread + cost <= narrow:
            return False
        total = self._settle()
        calm = total < self._sndbuf // CALM
        window = max(narrow, self._sndbuf // WIDE) if calm else narrow
        return account.unread > 0 and account.unread + cost > window

    def _has_read_all(self, account: Account[C]) -> bool:
        """Ask the kernel; not known is no."""
        read_all = account.client.has_read_all()
        account.told = read_all is not None
        if read_all:
            account.unread = 0
        return bool(read_all)

    def _settle(self) -> int:
        """Nobody has more unread than all have together, which is returned."""
        total = self.unread()
        for account in self._accounts.values():
            account.unread = min(account.unread, total)
        return total

    # --- clients that are held back

    def retry(self, now: float) -> None:
        """Try again whoever it is time for; to be called every FIRST_RETRY while there is one."""
        self._settle()
        self._end_probe(now)
        for client, account in list(self.backlog.items()):
            if account.retry_at > now:
                continue
            before = self._counters.datagrams_out
            self.flush(client, retrying=True)
            if self._counters.datagrams_out == before:
                account.delay = min(account.delay * 2, LAST_RETRY)
            account.retry_at = now + account.delay
        self._begin_probe(now)

    def _end_probe(self, now: float) -> None:
        if self._probe is None:
            return
        account, before, since = self._probe
        if self.unread() <= before:
            account.unread = 0
            account.retry_at = 0.0
            account.trust = min(account.trust * 2, MOST_TRUST)
            account.deaf_for = FIRST_DEAF
            self._probe = None
        elif now - since > PROBE_SECONDS:
            added = self._last_unread - before
            for other in self._accounts.values():
                other.deaf_at += added  # what was sent in vain is no sign of life of others
            account.trust = 1
            account.deaf_at = before + 1
            account.deaf_until = now + account.deaf_for
            account.deaf_for = min(account.deaf_for * 2, LAST_DEAF)
            self._probe = None

    def _begin_probe(self, now: float) -> None:
        """Probe the held client whose turn it is, once all others have come to rest."""
        last, self._last_unread = self._last_unread, self.unread()
        if self._probe is not None or last != self._last_unread:
            return
        for client, account in self.backlog.items():
            deaf = now < account.deaf_until and self._last_unread >= account.deaf_at
            if account.told or deaf:
                continue
            queue = client.sock.receive_queue
            if queue and self._exceeds(account, alloc_truesize(len(queue[0].data))):
                break
        else:
            return
        sent = self._counters.datagrams_out
        self.flush(client, probing=True)
        if self._counters.datagrams_out > sent:
            self._probe = account, self._last_unread, now
        # Last in turn from now on, if it is still there.
        if self.backlog.pop(client, None) is not None:
            self.backlog[client] = account

    def heard_from(self, client: C) -> None:
        """The client has sent something: perhaps it has read, too."""
        account = self.backlog.get(client)
        if account is not None:
            account.deaf_until = 0.0
            self.flush(client)
