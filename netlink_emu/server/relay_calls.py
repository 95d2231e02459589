"""The sockets of a supervisor elsewhere, and its calls on them in our kernel."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from dataclasses import replace
from errno import ENFILE, EPROTO
from functools import partial
from typing import Final

from netlink_emu.host import cgroups, proc
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.machine.credentials import CAP_NET_ADMIN, Cred
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import DecodeError
from netlink_emu.protocol.netlink import SOCKADDR_NL
from netlink_emu.protocol.ours.relay import (
    RelayCall,
    RelayFlag,
    RelayHello,
    RelayMethod,
    RelayReport,
    RelayWish,
    ReportKind,
    SockState,
    decode_cmsgs,
    encode_cmsgs,
)
from netlink_emu.server.service import Service, Ucred
from netlink_emu.server.statistics import Drop

_MOST_SOCKETS: Final = 1 << 16
_SOCK_FILTER: Final = struct.Struct("=HBBI")
_NSEC: Final = 1_000_000_000
_LONGEST: Final = (1 << 63) - 1
_MAX_ERRNO: Final = 4095  # include/linux/err.h


class RelayedSocks:
    """The sockets by the numbers that their supervisor knows; ``report`` tells it news of them."""

    def __init__(
        self,
        service: Service,
        ucred: Ucred,
        hello: RelayHello,
        report: Callable[[RelayReport], None],
    ) -> None:
        self._service: Final = service
        self._kernel: Final = service.kernel
        self._cred: Final = _as_wished(service.current(ucred).cred, hello)
        self._ucred: Final = ucred
        self._report: Final = report
        self._socks: dict[int, NetlinkSock] = {}
        self._numbers: dict[NetlinkSock, int] = {}
        self._next = 1

    def __contains__(self, number: int) -> bool:
        return number in self._socks

    def all(self) -> list[NetlinkSock]:
        """The sockets that are open."""
        return [*self._socks.values()]

    def close(self) -> None:
        """Close all."""
        for sock in self.all():
            self._forget(sock)

    def serve(self, call: RelayCall) -> None:
        """Carry a call out, and report on it unless that is not wanted; raises DecodeError."""
        sock = self._socks.get(call.sock)
        if call.method in (RelayMethod.RELEASE, RelayMethod.RECEIVED):
            if sock is not None and call.method == RelayMethod.RELEASE:
                self._forget(sock)
            elif sock is not None:
                _take(sock, call)
            return
        self._service.counters.datagrams_in += call.method == RelayMethod.SENDMSG
        report = RelayReport(ReportKind.RETURNED)
        try:
            if call.method == RelayMethod.SOCKET:
                sock = self._open(call)
                report = replace(report, value=self._numbers[sock])
            elif sock is None:
                raise NetlinkError(EPROTO)
            else:
                report = self._do(sock, call)
        except NetlinkError as exc:
            report = replace(report, error=exc.errno)
        self._service.flush()  # to other clients, before this one may ask them
        if not call.flags & RelayFlag.UNANSWERED:
            self._report(report if sock is None else self._with_state(report, sock))

    def _open(self, call: RelayCall) -> NetlinkSock:
        if len(self._socks) >= _MOST_SOCKETS:
            raise NetlinkError(ENFILE)
        sock = self._kernel.socket(self._current(call), call.a, call.b)
        number, self._next = self._next, self._next + 1
        self._socks[number] = sock
        self._numbers[sock] = number
        sock.data_ready = self._arrived
        sock.error_report = self._failed
        return sock

    def _forget(self, sock: NetlinkSock) -> None:
        del self._socks[self._numbers.pop(sock)]
        self._service.counters.drop(Drop.OVERRUN, sock.drops)
        sock.data_ready = sock.error_report = None
        sock.release()

    def _current(self, call: RelayCall) -> Current:
        machine = self._kernel.machine
        return Current(
            cred=self._cred,
            net=machine.init_net,
            pid_ns=machine.init_pid_ns,
            tgid_vnr=call.tgid,
            fget=partial(cgroups.file_of, call.tid),
            comm=partial(proc.comm_of, call.tid),
            # The supervisor's: the kernel vouches for no other.
            host_uid=lambda: self._ucred.uid,
        )

    # --- calls

    def _do(self, sock: NetlinkSock, call: RelayCall) -> RelayReport:
        value, data = 0, b""
        match call.method:
            case RelayMethod.BIND:
                self._make_room(sock, call)
                sock.bind(self._current(call), call.address)
            case RelayMethod.CONNECT:
                self._make_room(sock, call)
                sock.connect(self._current(call), call.address)
            case RelayMethod.SENDMSG:
                value = self._sendmsg(sock, call)
            case RelayMethod.RECVMSG:
                return _received(sock, call)
            case RelayMethod.TAKE_DATAGRAM:
                sock.take_datagram()
            case RelayMethod.SETSOCKOPT:
                sock.setsockopt(self._current(call), call.a, call.b, call.data)
            case RelayMethod.GETSOCKOPT:
                data, value = sock.getsockopt(call.a, call.b, call.c)
            case RelayMethod.ATTACH_FILTER:
                if len(call.data) % _SOCK_FILTER.size:
                    raise DecodeError("a filter of broken instructions")
                sock.attach_filter(list(_SOCK_FILTER.iter_unpack(call.data)))
            case RelayMethod.DETACH_FILTER:
                sock.detach_filter()
            case RelayMethod.SET_ERROR:
                if not 0 <= call.a <= _MAX_ERRNO:
                    raise DecodeError(f"there is no errno {call.a}")
                sock.sk_err = call.a
            case _:
                raise DecodeError(f"there is no method {call.method}")
        return RelayReport(ReportKind.RETURNED, value=value, data=data)

    def _sendmsg(self, sock: NetlinkSock, call: RelayCall) -> int:
        self._make_room(sock, call)
        control = [Cmsg(*cmsg) for cmsg in decode_cmsgs(call.control)]
        return sock.sendmsg(
            self._current(call),
            call.data,
            addr=call.address,
            control=control,
            flags=call.a,
            length=call.b,
        )

    def _make_room(self, sock: NetlinkSock, call: RelayCall) -> None:
        """Before the socket gets a portid: whoever has closed that one is not in the way."""
        if sock.bound:
            return
        wanted = 0
        if call.method == RelayMethod.BIND and len(call.address) >= SOCKADDR_NL.size:
            wanted = SOCKADDR_NL[self._kernel.profile.arch.order].decode(call.address).nl_pid
        self._service.free_portid(wanted or call.tgid)

    # --- what becomes of the sockets

    def _with_state(self, report: RelayReport, sock: NetlinkSock) -> RelayReport:
        state = SockState.BOUND * sock.bound | SockState.CONNECTED * sock.connected
        state |= SockState.GROUPS_ALLOCATED * sock.groups_allocated
        state |= SockState.DUMPING * sock.dumping
        state |= SockState.CONTROL * (sock.pktinfo or sock.passcred)
        return replace(
            report,
            sock=self._numbers[sock],
            state=int(state),
            portid=sock.portid,
            groups=sock.groups & 0xFFFFFFFFFFFFFFFF,
            dst_portid=sock.dst_portid,
            dst_group=sock.dst_group,
            sndbuf=sock.sndbuf,
            sk_err=sock.sk_err,
            rcvtimeo=_nanoseconds(sock.rcvtimeo),
            sndtimeo=_nanoseconds(sock.sndtimeo),
        )

    def _arrived(self, sock: NetlinkSock) -> None:
        self._service.counters.datagrams_out += 1
        skb = sock.receive_queue[-1]
        self._report(
            RelayReport(
                ReportKind.ARRIVED,
                self._numbers[sock],
                portid=skb.portid,
                dst_group=skb.dst_group,
                data=skb.data,
            )
        )

    def _failed(self, sock: NetlinkSock) -> None:
        self._report(RelayReport(ReportKind.FAILED, self._numbers[sock], sock.sk_err))


def _take(sock: NetlinkSock, call: RelayCall) -> None:
    """A receive that is done already: an error that came since is for the next one."""
    error, sock.sk_err = sock.sk_err, 0
    with contextlib.suppress(NetlinkError):
        sock.recvmsg(call.a, call.b)
    sock.sk_err = sock.sk_err or error


def _received(sock: NetlinkSock, call: RelayCall) -> RelayReport:
    received = sock.recvmsg(call.a, call.b)
    return RelayReport(
        ReportKind.RETURNED,
        value=received.result,
        length=received.length,
        msg_flags=received.flags,
        name=received.name,
        control=encode_cmsgs([(c.level, c.type, c.data) for c in received.control]),
        data=received.data,
    )


def _as_wished(cred: Cred, hello: RelayHello) -> Cred:
    """Who clients are: as the server's policy has it, or less."""
    if hello.wishes & RelayWish.UID and cred.uid == 0:
        had = cred.capabilities & {CAP_NET_ADMIN}
        plain = Cred.for_ids(cred.user_ns, hello.uid, hello.uid)
        cred = replace(plain, capabilities=plain.capabilities | had)
    if hello.wishes & RelayWish.NO_NET_ADMIN:
        cred = replace(cred, capabilities=cred.capabilities - {CAP_NET_ADMIN})
    return cred


def _nanoseconds(seconds: float | None) -> int:
    """-1 for ever; of what a long long cannot hold, the most that it can."""
    return -1 if seconds is None else min(round(seconds * _NSEC), _LONGEST)
