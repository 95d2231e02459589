"""The socket pair behind an emulated socket: its client end is what the client's descriptor is.

The queue that counts is the model's (``NetlinkSock.receive_queue``). The datagrams at its head
also lie in the pair, so that poll, select and epoll on the client's descriptor answer by
themselves, and that a read which never stops (on a low descriptor made by dup2, through
io_uring, in another program) finds them. What such a read takes is noticed by the bytes that
still lie there (SIOCOUTQ).

No error can be made to pend at an AF_UNIX socket, so that poll would say POLLERR. A mark, one
datagram more that is not in the model's queue, stands for it: it wakes whoever polls, with a new
edge.

The pair is of type SOCK_SEQPACKET: its server end sees end of file when the client's last
descriptor is closed, and takes what is sent to it whatever address is given (net/unix/af_unix.c
unix_seqpacket_sendmsg()); a SOCK_DGRAM pair does neither.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import select
import socket
from collections import deque
from typing import Final

from netlink_emu.interpose import libc
from netlink_emu.interpose.filter.bpf_filter import SIOCOUTQ

# Plain ints: | and & of Python's flags take as long as a system call.
_MSG_PUT: Final = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
_MSG_TAKE: Final = int(socket.MSG_DONTWAIT | socket.MSG_TRUNC)
_NO_BYTES: Final = ctypes.c_size_t(0)
_SO_SNDBUFFORCE: Final = 32
# As much as the model may queue for any client that sets SO_RCVBUF to net.core.rmem_max or less.
_SEND_BUFFER: Final = 1 << 23

# Longer than the send buffer that we may have; or the client end is closed.
_NEVER: Final = frozenset(
    {errno.EMSGSIZE, errno.EPIPE, errno.ECONNRESET, errno.ECONNREFUSED, errno.ENOTCONN}
)

_AGAIN: Final = 3
_TRIES: Final = 16  # of 256 names, which all emulators of a network namespace share


class Mirror:
    """A pair of sockets, of which this process keeps the server end."""

    def __init__(self, *, nonblocking: bool) -> None:
        client, self._server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._client: socket.socket | None = client
        try:
            client.settimeout(0 if nonblocking else None)
            self._server.settimeout(0)
            status = os.fstat(client.fileno())
        except OSError:
            self.close()
            raise
        self.identity: Final = (status.st_dev, status.st_ino)
        self._fileno = self._server.fileno()
        self._send = self._server.send
        self._hung_up = select.poll()
        self._hung_up.register(self._fileno, 0)  # POLLHUP alone, which is told unasked
        self._unread = array.array("i", [0])
        # Of each datagram that lies there, the mark included, what it is charged.
        self.charges: Final[deque[int]] = deque()
        self._charged = 0
        self.marked = False  # whether the mark lies there
        self._before_mark = 0  # how many datagrams lie before it
        # Whether there is something to put there later, which failed for want of something else.
        self.behind = False
        with contextlib.suppress(OSError):  # without it, the opener passes for the sender
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        _widen(self._server)
        self._pose()

    def _pose(self) -> None:
        """Take a name that reads like the kernel's address, but for nl_family 1.

        struct sockaddr_un has its path where sockaddr_nl has nl_pad, nl_pid and nl_groups; an
        abstract path begins with NUL, and one more byte tells 256 names apart. A socket without
        one works; the address of a read that does not stop is then one that Linux gives out.
        """
        for byte in os.urandom(_TRIES):
            try:
                self._server.bind(bytes((0, byte)) + bytes(8))
            except OSError:
                continue
            return

    def fileno(self) -> int:
        """The server end's."""
        return self._fileno

    def client_fileno(self) -> int:
        """The client end's, until :meth:`hand_over`."""
        assert self._client is not None
        return self._client.fileno()

    def hand_over(self) -> None:
        """The client has its end, or never will: forget ours, for end of file needs that."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def break_off(self) -> None:
        """The client reads end of file from now on, though we keep our end."""
        self._server.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """A client that still has its end reads end of file."""
        self.hand_over()
        self._server.close()

    def __len__(self) -> int:
        """How many datagrams of the model's queue lie in the pair, from its head on."""
        return len(self.charges) - self.marked

    def push(self, data: bytes) -> bool:
        """Put one more datagram there; False if there is no room now, or nobody to read it.

        ``behind`` says that this is to be tried again although nobody takes anything.
        """
        self.behind = False
        try:
            charge = _charge(len(data))
            self._send(data, _MSG_PUT)
        except OSError as exc:
            self.behind = not self.charges and exc.errno not in _NEVER
            return False
        self.charges.append(charge)
        self._charged += charge
        return True

    def mark(self, data: bytes) -> None:
        """Put the mark behind what lies there, unless it lies there; a read past us gets ``data``.

        Without room for it there is none: then there is something to read in any case.
        """
        before = len(self)
        if not self.marked and self.push(data):
            self.marked, self._before_mark = True, before

    def unmark(self, client_fd: int) -> None:
        """Take the mark off once it comes first, from a duplicate of the client's descriptor."""
        if self.marked and not self._before_mark:
            self._take_first(client_fd)

    def taken(self, *, held: bool = False) -> tuple[int, bool]:
        """How many datagrams a client has taken past us since we looked last; whether the mark.

        A client's end that is ``held``, by a duplicate of ours, is not closed.
        """
        charges = self.charges
        if not charges:
            return 0, False
        try:
            left = _outstanding(self._fileno, self._unread)
            # A close takes what was never read: net/unix/af_unix.c unix_release_sock() shuts our
            # end down before it empties the queue.
            if not left and not held and self._hung_up.poll(0):
                return 0, False
        except OSError:
            return 0, False  # nothing has been seen to go
        count, marked = 0, False
        while charges and self._charged - charges[0] >= left:
            if self._drop():
                marked = True
            else:
                count += 1
        return count, marked

    def take(self, client_fd: int) -> None:
        """Take the first datagram off the pair, from a duplicate of the client's descriptor."""
        self.unmark(client_fd)
        if self.charges:
            self._take_first(client_fd)

    def take_only(self, client_fd: int) -> bool:
        """Take the only datagram off the pair, which is not empty; False if it is not there.

        Then somebody has read it past us, or this cannot be told by taking it.
        """
        if len(self.charges) != 1 or self.marked:
            return False
        if libc.recv(client_fd, None, _NO_BYTES, _MSG_TAKE) <= 0:
            return False
        self._charged = 0
        self.charges.clear()
        return True

    def _take_first(self, client_fd: int) -> None:
        self._drop()
        # Without room for it: the bytes are known, and SEQPACKET drops the rest.
        for _ in range(_AGAIN):
            if libc.recv(client_fd, None, _NO_BYTES, _MSG_TAKE) >= 0:
                break

    def _drop(self) -> bool:
        """Forget what comes first; whether that is the mark."""
        self._charged -= self.charges.popleft()
        if not self.marked:
            return False
        if self._before_mark:
            self._before_mark -= 1
            return False
        self.marked = False
        return True

    def receive(self, limit: int) -> tuple[bytes, int] | None:
        """What a client sent past us, with its pid; None at end of file.

        Raises OSError: BlockingIOError when there is nothing.
        """
        try:
            data, control = self._receive(limit)
        except ConnectionResetError:  # closed with datagrams unread
            return None
        if not data and not control:  # an empty datagram would have credentials
            return None
        pid = int.from_bytes(control[0][2][:4], "little") if control else 0
        return data, pid

    def _receive(self, limit: int) -> tuple[bytes, list[tuple[int, int, bytes]]]:
        tries = _AGAIN
        while True:
            try:
                return self._server.recvmsg(limit, socket.CMSG_SPACE(12))[:2]
            except (BlockingIOError, ConnectionResetError):
                raise
            except OSError:
                tries -= 1
                if not tries:
                    raise


def _outstanding(end: int, value: array.array[int]) -> int:
    """SIOCOUTQ: what of the datagrams sent from ``end`` is unread, in skb->truesize."""
    fcntl.ioctl(end, SIOCOUTQ, value)
    return value[0]


def _widen(end: socket.socket) -> None:
    for option in (_SO_SNDBUFFORCE, socket.SO_SNDBUF):
        with contextlib.suppress(OSError):  # the first is root's
            end.setsockopt(socket.SOL_SOCKET, option, _SEND_BUFFER)
            return


@functools.lru_cache(maxsize=4096)  # a client may send datagrams of any sizes
def _charge(size: int) -> int:
    """What a datagram of ``size`` bytes is charged (skb->truesize), measured on a pair.

    Raises OSError: EMSGSIZE where none of that size can be sent, EMFILE.
    """
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        _widen(near)
        near.send(bytes(size))
        return _outstanding(near.fileno(), array.array("i", [0]))
