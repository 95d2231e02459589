"""What is common to all clients of a server: their calls into the emulated kernel, and the count.

A :class:`Peer` is the server's side of one client. The kernel queues answers in the peer's
netlink socket; the service then has the peer send them on, as far as the client takes them.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple, Protocol

from netlink_emu.families import BootedKernel
from netlink_emu.host import cgroups, namespaces, proc
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.namespaces import NetNamespace, PidNamespace, UserNamespace
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import AF_NETLINK, NETLINK_GENERIC, SOCKADDR_NL, SOL_NETLINK
from netlink_emu.protocol.netlink import SOL_SOCKET as NL_SOL_SOCKET
from netlink_emu.protocol.ours.hello import Hello, answer_hello, decode_hello, is_hello
from netlink_emu.server.statistics import Counters, Drop

SOCK_RAW: Final = 3
SO_RCVBUF: Final = 8
_CACHED: Final = 1024
_POST: Final = attrgetter("post")
_INT: Final = struct.Struct("=i")


class Ucred(NamedTuple):
    """struct ucred: who sent a datagram, by SCM_CREDENTIALS."""

    pid: int
    uid: int
    gid: int


CredentialPolicy = Callable[[Machine, Ucred], Cred]


def everyone_is_root(machine: Machine, _ucred: Ucred) -> Cred:
    """The sandbox belongs to whoever may enter its directory: they are root in it."""
    return Cred(machine.init_user_ns)


def everyone_is_themselves(machine: Machine, ucred: Ucred) -> Cred:
    """Root is root, others have no capabilities: a kernel's EPERM for all who would get it.

    Root of another user namespace has its own only there.
    """
    return Cred.for_ids(_namespaces(machine, ucred.pid)[0], ucred.uid, ucred.gid)


def _namespaces(machine: Machine, pid: int) -> tuple[UserNamespace, NetNamespace, PidNamespace]:
    """Where a process is; in the initial ones if it is gone."""
    try:
        return (
            namespaces.user_namespace(machine, pid),
            namespaces.net_namespace(machine, pid),
            namespaces.pid_namespace(machine, pid),
        )
    except OSError:
        return machine.init_user_ns, machine.init_net, machine.init_pid_ns


class Post(Protocol):
    """Sends for peers: for one, or for many at once."""

    def flush_all(self, peers: Sequence[Any]) -> None:
        """:meth:`Peer.flush` of each of these peers of its own."""
        ...


class Peer(Protocol):
    """One client, as the service needs it."""

    @property
    def sock(self) -> NetlinkSock: ...

    @property
    def post(self) -> Post:
        """Who sends for it, and perhaps for others."""
        ...

    def flush(self) -> None:
        """Send on what is queued, as far as the client takes it; never waits."""
        ...

    def answer(self, datagram: bytes) -> None:
        """Send something that is not netlink's; lost if the client does not take it now."""
        ...

    def sweep(self) -> None:
        """Release it if its client is gone, and nobody has noticed yet."""
        ...


def _not_told(sock: NetlinkSock) -> None:
    """ENOBUFS, which a Unix socket cannot carry: a client that has read all has read it, too.

    Else nothing would end the congestion of a socket in whose queue nothing is, as a fault
    makes it.
    """
    if not sock.receive_queue:
        with suppress(NetlinkError):
            sock.recvmsg(0)


class Service:
    """An emulated kernel with clients. ``on_ready`` is called when there is something to flush.

    Clients by datagrams have sockets of ``protocol``.
    """

    def __init__(
        self,
        kernel: BootedKernel,
        policy: CredentialPolicy,
        on_ready: Callable[[], None],
        protocol: int = NETLINK_GENERIC,
    ) -> None:
        self.kernel: Final = kernel
        self._protocol: Final = protocol
        self.counters: Final = Counters()
        self._policy: Final = policy
        self._on_ready: Final = on_ready
        self._peers: dict[NetlinkSock, Peer] = {}
        self._ready: dict[Peer, None] = {}  # in the order in which they became so
        self._receiving = False
        self._currents: dict[Ucred, Current] = {}

    def current(self, ucred: Ucred) -> Current:
        """The caller of the emulated system calls that a client of these credentials makes."""
        current = self._currents.get(ucred)
        if current is None:
            if len(self._currents) >= _CACHED:
                self._currents.clear()
            machine = self.kernel.machine
            net, pid_ns = machine.init_net, machine.init_pid_ns
            if self._policy is everyone_is_themselves:
                _, net, pid_ns = _namespaces(machine, ucred.pid)
            current = Current(
                cred=self._policy(machine, ucred),
                net=net,
                pid_ns=pid_ns,
                tgid_vnr=ucred.pid,
                fget=partial(cgroups.file_of, ucred.pid),
                comm=partial(proc.comm_of, ucred.pid),
                host_uid=lambda: ucred.uid,
            )
            self._currents[ucred] = current
        return current

    def socket(self, ucred: Ucred) -> NetlinkSock:
        """A netlink socket for a new client; its peer must be told to :meth:`serve` it."""
        return self.kernel.socket(self.current(ucred), SOCK_RAW, self._protocol)

    def serve(self, peer: Peer) -> None:
        """From now on, flush the peer whenever its socket has something."""
        ready = self._ready

        def data_ready(_sock: NetlinkSock) -> None:
            # What a client's own request causes is flushed when it was handled; and there is
            # no need to say twice that something is to be flushed.
            if not ready and not self._receiving:
                self._on_ready()
            ready[peer] = None

        peer.sock.data_ready = data_ready
        peer.sock.error_report = _not_told
        self._peers[peer.sock] = peer

    def release(self, peer: Peer) -> None:
        """The client is gone: its socket is closed. Once is enough."""
        if peer.sock.closed:
            return
        self.counters.drop(Drop.CLIENT_GONE, len(peer.sock.receive_queue))
        self.counters.drop(Drop.OVERRUN, peer.sock.drops)
        peer.sock.data_ready = peer.sock.error_report = None
        del self._peers[peer.sock]
        peer.sock.release()

    def free_portid(self, portid: int, net: NetNamespace | None = None) -> None:
        """Somebody wants ``portid``: release its holder if that one's client is gone."""
        net = net or self.kernel.machine.init_net
        holder = self.kernel.netlink.lookup(net, self._protocol, portid)
        peer = self._peers.get(holder) if holder is not None else None
        if peer is not None:
            peer.sweep()

    def receive(self, peer: Peer, ucred: Ucred, datagram: bytes) -> None:
        """One datagram of a client: its sendmsg(2) in the emulated kernel, and the answers.

        Nothing, if something sent to the client has found meanwhile that it is gone: its netlink
        socket is closed.
        """
        if peer.sock.closed:
            return
        if is_hello(datagram):
            self._hello(peer, ucred, datagram)
            return
        if not peer.sock.bound:
            self.free_portid(ucred.pid, peer.sock.net)
        self._receiving = True
        try:
            peer.sock.sendmsg(self.current(ucred), datagram)
        except NetlinkError as error:
            self.counters.dropped[str(error)] += 1
        finally:
            self._receiving = False
        self.flush()

    def number(self, sock: NetlinkSock, ucred: Ucred) -> None:
        """Autobind by the process of ``ucred``: who sends first has no number, or none here."""
        if not sock.bound:
            self.free_portid(ucred.pid, sock.net)
            address = SOCKADDR_NL[self.kernel.profile.arch.order].pack(AF_NETLINK, 0, 0, 0)
            sock.bind(self.current(ucred), address)

    def flush(self) -> None:
        """Have all peers send on what is new for them."""
        ready = self._ready
        while ready:
            peers = [*ready]
            ready.clear()
            if len(peers) == 1:
                peers[0].flush()
                continue
            for post, some in groupby(peers, _POST):
                post.flush_all(list(some))

    def _hello(self, peer: Peer, ucred: Ucred, datagram: bytes) -> None:
        hello, order = decode_hello(datagram), self.kernel.profile.arch.order
        if hello is None:
            self.counters.drop(Drop.BAD_HELLO)
            peer.answer(answer_hello(order, error=errno.EPROTO))
            return
        error = 0
        try:
            self._apply(peer.sock, ucred, hello)
        except NetlinkError as exc:
            error = exc.errno
        portid = peer.sock.portid if peer.sock.bound else 0
        peer.answer(answer_hello(order, error=error, portid=portid))

    def _apply(self, sock: NetlinkSock, ucred: Ucred, hello: Hello) -> None:
        current, order = self.current(ucred), self.kernel.profile.arch.order
        one = struct.pack(order.char + "i", 1)
        for option in range(32):
            if hello.options >> option & 1:
                sock.setsockopt(current, SOL_NETLINK, option, one)
        if hello.rcvbuf:
            value = struct.pack(order.char + "i", min(hello.rcvbuf, 0x7FFFFFFF))
            sock.setsockopt(current, NL_SOL_SOCKET, SO_RCVBUF, value)
        if hello.portid or hello.groups:
            if not sock.bound:
                self.free_portid(hello.portid or ucred.pid, sock.net)
            address = SOCKADDR_NL[order].pack(AF_NETLINK, 0, hello.portid, hello.groups)
            sock.bind(current, address)
