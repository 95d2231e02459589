"""The target PATH: a running server, ours or another, behind a Unix datagram socket.

One Unix socket stands for one netlink socket. What a netlink socket is told by system calls,
our server is told by its hello; a server that does not answer it gets plain requests only.
Portids that the server gave are translated into those that a case binds.
"""

from __future__ import annotations

import contextlib
import enum
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Case, Datagram, Outcome, Step, told_by
from netlink_emu.conformance.cases.masked import MaskedBytes, Symbol
from netlink_emu.conformance.cases.names import DEFAULT_BUFSIZE, msg_flags_names, socket_type
from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.errors import errno_name
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder
from netlink_emu.protocol.genetlink import genl_request
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLM_F_ACK,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSGHDR,
    SOL_NETLINK,
    SOL_SOCKET,
    NetlinkSockOpt,
    nlmsg_align,
    nlmsg_walk,
)
from netlink_emu.protocol.ours.hello import Hello
from netlink_emu.protocol.taskstats import TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK, TASKSTATS_CMD_GET

from .premises import cpu_lists, has_stats
from .real.probe import family_id_in, getfamily_request
from .target import About, TargetError, Unsupported
from .unix_client import FENCE, PATIENCE, UnixClient

_REST_OF_DUMP: Final = 1.0  # seconds for the next part
_SO_RCVBUF: Final = 8
_MSG_PEEK: Final = 2
_SEEN_IN_CMSGS: Final = (NetlinkSockOpt.NETLINK_PKTINFO, NetlinkSockOpt.NETLINK_LISTEN_ALL_NSID)
_UNIX: Final = (ops.Socket, ops.Bind, ops.SetSockOpt, ops.Send, ops.Recv, ops.Close, ops.Sleep)


class ServerTarget:
    """A server at ``path``; open and close it with ``with``. Raises TargetError if it is none."""

    name: Final = "server"
    exact_sequence: Final = False

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._directory = tempfile.TemporaryDirectory(prefix="netlink-emu-")
        self._count = 0
        try:
            self.order: Final = self._find_order()
            with contextlib.closing(self.connect()) as client:
                answer = client.ask(getfamily_request("TASKSTATS", self.order))
                self.family_id = None if answer is None else family_id_in(answer, self.order)
                self.speaks_hello: Final = client.hello(Hello()) is not None
                self.two_cpus: Final = self._has_two_cpus(client)
        except OSError as exc:  # TimeoutError, too: of a send
            self._directory.cleanup()
            raise TargetError(f"nobody answers at {path}: {exc.strerror or exc}") from exc
        except BaseException:
            self._directory.cleanup()
            raise

    def __enter__(self) -> ServerTarget:
        return self

    def __exit__(self, *exc: object) -> None:
        self._directory.cleanup()

    def _find_order(self) -> ByteOrder:
        """The byte order of the server's kernel: it answers no request in the other one."""
        with contextlib.closing(self.connect(LITTLE)) as client:
            for order in (BIG, LITTLE):
                client.sock.send(getfamily_request("nlctrl", order))
            answer = client.sock.recv(DEFAULT_BUFSIZE) if client.wait(PATIENCE) else b""
        for order in (LITTLE, BIG):
            if len(answer) >= NLMSG_HDRLEN and next(nlmsg_walk(answer, order), None) is not None:
                return order
        raise TargetError(f"nobody answers netlink at {self.path}")

    def connect(self, order: ByteOrder | None = None) -> UnixClient:
        """A new client of the server."""
        self._count += 1
        own = Path(self._directory.name) / f"client{self._count}"
        try:
            return UnixClient(self.path, own, order or self.order)
        except OSError as exc:
            raise TargetError(f"cannot reach {self.path}: {exc.strerror or exc}") from exc

    def _has_two_cpus(self, client: UnixClient) -> bool:
        if self.family_id is None:
            return False
        found = []
        for cpus in (b"0-1\0", b"2\0"):
            attributes = AttrWriter(self.order)
            attributes.put(TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK, cpus)
            body = bytes(attributes.data)
            request = genl_request(
                self.order, self.family_id, TASKSTATS_CMD_GET, body, flags=NLM_F_ACK
            )
            answer = client.ask(request) or bytes(20)
            found.append(int.from_bytes(answer[16:20], self.order.name))
        return found[0] == 0 and found[1] != 0

    def describe(self) -> dict[str, str]:
        return {
            "socket": str(self.path),
            "TASKSTATS": "none" if self.family_id is None else f"family {self.family_id}",
            "binds portids": "yes" if self.speaks_hello else "no, they are translated",
        }

    def family_id_of(self, case: Case) -> int | None:
        return self.family_id

    def premise_missing(self, case: Case) -> str | None:
        if case.order is not self.order:
            return f"the server's kernel is {self.order.name}-endian, recorded on {case.arch}"
        for step in case.steps:
            if (reason := self._cannot_carry(step)) is not None:
                return reason
        if not self.two_cpus and any(True for _ in cpu_lists(case)):
            return "the server's kernel has other than two CPUs"
        if has_stats(case):
            return "which tasks a server has is its own affair"
        requests = sum(isinstance(step.op, ops.Send) for step in case.steps)
        if requests > 1 and any(getattr(step.op, "flatten", None) for step in case.steps):
            return "how long a dump goes on is up to the server's other families"
        return None

    def _cannot_carry(self, step: Step) -> str | None:
        op = step.op
        if step.task is not None or op.NAME in ("task", "self"):
            return "a server's socket makes no tasks"
        if not isinstance(op, _UNIX):
            return f"a Unix socket carries no {op.NAME} of netlink"
        if step.expect.error is not None and not isinstance(op, ops.Recv):
            return f"a Unix socket has other errors of {op.NAME}"
        if step.expect.error == "ENOBUFS":
            return "a Unix socket does not report overruns"
        match op:
            case ops.Socket():
                known = op.family is None and op.proto in (None, NETLINK_GENERIC)
                if not known or socket_type(op.type) not in (2, 3):
                    return "the server has sockets of NETLINK_GENERIC only"
            case ops.Bind():
                if op.addr_hex is not None or op.pid_of is not None:
                    return "a Unix socket has no netlink address"
                if op.groups and not self.speaks_hello:
                    return "this server's clients join no groups"
            case ops.SetSockOpt():
                return self._cannot_set(op)
            case ops.Send():
                if op.addr not in (None, [0, 0]) or op.addr_hex is not None:
                    return "a Unix socket sends to the kernel only"
                if op.flags or op.cmsg_creds or op.cmsg_rights:
                    return "a Unix socket has other flags and control messages"
            case ops.Recv():
                if op.blocking or (op.flags or 0) & ~(_MSG_PEEK | 0x20):
                    return "a Unix socket has other flags"
        return None

    def _cannot_set(self, op: ops.SetSockOpt) -> str | None:
        if not self.speaks_hello:
            return "this server's clients have no socket options"
        if op.value_hex is not None:
            return "the hello has whole options only"
        if op.level == SOL_SOCKET and op.opt == _SO_RCVBUF:
            return "what a Unix socket holds is not in the emulated buffer"
        if op.level != SOL_NETLINK or op.opt in _SEEN_IN_CMSGS:
            return "the hello does not carry this socket option"
        if op.opt > NetlinkSockOpt.NETLINK_GET_STRICT_CHK or op.opt <= 2:
            return "the hello does not carry this socket option"
        return None

    def attempts(self, case: Case) -> int:
        return 1

    @contextlib.contextmanager
    def session(self, case: Case) -> Iterator[ServerSession]:
        session = ServerSession(self)
        try:
            yield session
        except (ConnectionRefusedError, FileNotFoundError) as exc:
            raise TargetError(f"the server at {self.path} is gone") from exc
        finally:
            session.close()


class _Fence(enum.Enum):
    """A request whose answer tells that all answers before it have come."""

    ABSENT = enum.auto()
    SENT = enum.auto()
    ANSWERED = enum.auto()


@dataclass(slots=True)
class _Socket:
    """A netlink socket of a case: what it is told before its first request, then a client."""

    portid: int = 0
    groups: int = 0
    options: int = 0
    client: UnixClient | None = None
    real_portid: int = 0
    dumping: bool = False
    fences: int = 0  # whose answers have not been read


class ServerSession:
    """The sockets of one case."""

    def __init__(self, target: ServerTarget) -> None:
        self._target = target
        self._socks: dict[str, _Socket] = {}

    def execute(self, step: Step) -> Outcome:
        op = step.op
        try:
            match op:
                case ops.Socket():
                    self._socks[op.sock] = _Socket()
                case ops.Bind():
                    sock = self._before_requests(op.sock, op)
                    sock.portid, sock.groups = op.pid or 0, op.groups or 0
                case ops.SetSockOpt():
                    sock = self._before_requests(op.sock, op)
                    bit = 1 << op.opt
                    sock.options = sock.options | bit if op.value else sock.options & ~bit
                case ops.Close():
                    closed = self._socks.pop(op.sock)
                    if closed.client is not None:
                        closed.client.close()
                case ops.Send():
                    sent = self._client(self._socks[op.sock]).sock.send(op.payload.data)
                    return Outcome(result=sent)
                case ops.Recv():
                    return self._recv(self._socks[op.sock], op)
        except TimeoutError as exc:
            raise TargetError("the server takes no more") from exc
        except OSError as exc:
            return Outcome(error=errno_name(exc.errno or 0))
        return Outcome(result=0)

    def _before_requests(self, name: str, op: ops.Op) -> _Socket:
        sock = self._socks[name]
        if sock.client is not None:
            raise Unsupported(f"the hello comes before requests, {op.NAME} does not")
        return sock

    def _client(self, sock: _Socket) -> UnixClient:
        if sock.client is not None:
            return sock.client
        sock.client = client = self._target.connect()
        if self._target.speaks_hello:
            hello = Hello(portid=sock.portid, groups=sock.groups, options=sock.options)
            answer = client.hello(hello)
            if answer is None or answer.error:
                raise Unsupported(f"the server refuses the hello: {answer}")
            sock.real_portid = answer.portid
        else:
            reply = client.ask(getfamily_request("nlctrl", client.order))
            sock.real_portid = int.from_bytes(reply[12:16], client.order.name) if reply else 0
        return client

    def _recv(self, sock: _Socket, op: ops.Recv) -> Outcome:
        client = self._client(sock)
        datagrams: list[Datagram] = []
        fence = _Fence.ABSENT
        while op.n is None or len(datagrams) < op.n:
            if op.is_file_call and op.bufsize == 0:
                datagrams.append(told_by(op, Datagram(MaskedBytes(b"")), 0))
                continue
            if not client.wait(0):
                if fence is _Fence.ANSWERED and not (sock.dumping and client.wait(_REST_OF_DUMP)):
                    return Outcome(datagrams=tuple(datagrams), error="EAGAIN")
                if fence is _Fence.ABSENT:
                    client.sock.send(getfamily_request("nlctrl", client.order, FENCE))
                    fence = _Fence.SENT
                    sock.fences += 1
                if not client.wait(PATIENCE):
                    raise TargetError("the server answers no more")
                continue
            datagram = self._receive(sock, client, op)
            if datagram is None:
                sock.fences -= 1
                # That of an earlier step says nothing of what was asked since.
                if fence is _Fence.SENT and not sock.fences:
                    fence = _Fence.ANSWERED
            else:
                datagrams.append(datagram)
        return Outcome(datagrams=tuple(datagrams))

    def _receive(self, sock: _Socket, client: UnixClient, op: ops.Recv) -> Datagram | None:
        whole = client.sock.recv(DEFAULT_BUFSIZE, _MSG_PEEK)
        for _, header in nlmsg_walk(whole, client.order):
            if header.nlmsg_flags & 0x2 or header.nlmsg_type == NLMSG_ERROR:
                sock.dumping = header.nlmsg_type not in (NLMSG_ERROR, 3)
        size = DEFAULT_BUFSIZE if op.bufsize is None else op.bufsize
        flags = op.flags or 0
        if client.is_fence(whole):
            flags = 0
        length, _, msg_flags, _ = client.sock.recvmsg_into([buffer := bytearray(size)], 0, flags)
        if client.is_fence(whole):
            return None
        data = self._translated(bytes(buffer[: min(length, size)]), sock)
        told = Datagram(MaskedBytes(data), msg_flags=msg_flags_names(msg_flags))
        return told_by(op, told, length)

    def _translated(self, data: bytes, sock: _Socket) -> bytes:
        """The datagram with the portid that the case bound, where the server gave another."""
        if not sock.portid or sock.portid == sock.real_portid:
            return data
        out = bytearray(data)
        offset = 0
        while offset + NLMSG_HDRLEN <= len(data):  # also a last one that was cut off
            header = NLMSGHDR[self._target.order].decode(data, offset)
            if header.nlmsg_pid == sock.real_portid:
                out[offset + 12 : offset + 16] = sock.portid.to_bytes(4, self._target.order.name)
            offset += max(nlmsg_align(header.nlmsg_len), NLMSG_HDRLEN)
        return bytes(out)

    def value_of(self, symbol: Symbol, about: About) -> int | None:
        if symbol.kind == "FAMILY_ID":
            return self._target.family_id
        if symbol.kind == "PORTID":
            return self._socks[symbol.name].real_portid
        return None

    def close(self) -> None:
        """Close what is open."""
        for sock in self._socks.values():
            if sock.client is not None:
                sock.client.close()
