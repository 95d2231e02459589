"""A client of NETLINK_EMU: an emulated kernel in another process, controlled over netlink."""

from __future__ import annotations

import array
import errno as _errno
import itertools
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from netlink_emu.backends.unix_paths import connectable
from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.errors import errno_name
from netlink_emu.protocol.format import HOST_ORDER, ByteOrder
from netlink_emu.protocol.genetlink import GENL_ID_CTRL, CtrlAttr, CtrlCmd, genl_request
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLMSG_DONE,
    NLMSG_ERROR,
    NetlinkSockOpt,
)
from netlink_emu.protocol.ours.control import CONTROL, NETLINK_EMU, cmd_of
from netlink_emu.protocol.ours.control_sets import DEFAULT_WAIT_MS
from netlink_emu.protocol.ours.control_values import Row, check, write
from netlink_emu.protocol.ours.hello import HELLO, Hello, decode_hello, encode_hello
from netlink_emu.protocol.reading.decode import Decoder, Message
from netlink_emu.protocol.reading.describe import NLCTRL, FamilyDesc
from netlink_emu.testing.errors import ControlError
from netlink_emu.testing.remote.families import RemoteFamily

_SOL_NETLINK: Final = 270
_LONGEST: Final = 1 << 16
# Seconds for an answer. A kernel answers at once, unless its machine is very busy.
PATIENCE: Final = 30.0
_CLOSED: Final = "the server has closed the connection"


class Connection:
    """A socket of the kernel that a server at ``path`` has, or of this process's own.

    ``order`` is the byte order of the kernel's messages. A server that does not answer within
    ``patience`` seconds is given up (None: never), at any time. Raises ControlError then, and
    where no kernel is reached.
    """

    def __init__(
        self, path: Path | None, *families: FamilyDesc, patience: float | None = PATIENCE
    ) -> None:
        self._path: Final = path
        self._patience: Final = patience
        self._seqs: Final = itertools.count(1)
        self._sock, self.order = connection(path, patience)
        known = {each.name: each for each in families}
        self._decoder: Final = Decoder(self.order, families=known)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._sock.close()

    def _send(self, request: bytes) -> None:
        """Send a datagram. Raises ControlError."""
        try:
            with told():
                self._sock.send(request)
        except ControlError as exc:
            if self._path is None or self._patience is None or exc.errno != _errno.EAGAIN:
                raise
            raise _silent(self._path, self._patience) from exc

    def _receive(self, *, longer: float | None = 0.0) -> bytes:
        """A datagram. Raises ControlError.

        A server has so many seconds ``longer`` to answer; None: it tells news, whenever they come.
        """
        if self._path is not None and longer is not None:
            patience = None if self._patience is None else self._patience + longer
            need_answer(self._sock, self._path, patience)
        with told():
            return self._sock.recv(_LONGEST)


class Remote(Connection):
    """A connection to the family NETLINK_EMU of a server at ``path``.

    Without a path, over a netlink socket of this process: for programs that run in the emulated
    kernel themselves. Raises ControlError when nobody is there, or the family is not. It and all
    methods do so when a server does not answer within ``patience`` seconds (None: never).
    """

    def __init__(self, path: Path | None = None, *, patience: float | None = PATIENCE) -> None:
        super().__init__(path, NLCTRL, NETLINK_EMU, patience=patience)
        try:
            self.family_id = self._resolve(path)
        except BaseException:
            self._sock.close()
            raise

    def family(self, name: str) -> RemoteFamily:
        """A family that was added to the kernel, asked for at each call of its methods."""
        return RemoteFamily(self, name)

    def _resolve(self, path: Path | None) -> int:
        named = AttrWriter(self.order)
        named.put_string(CtrlAttr.CTRL_ATTR_FAMILY_NAME, CONTROL.name)
        cmd = CtrlCmd.CTRL_CMD_GETFAMILY
        try:
            (reply,) = self._ask(GENL_ID_CTRL, cmd, bytes(named.data))
        except ControlError as exc:
            if exc.errno != _errno.ENOENT:
                raise
            raise ControlError(exc.errno, _not_controlled(path)) from exc
        found = reply.find("CTRL_ATTR_FAMILY_ID")
        assert found is not None
        self.group = _group_of(reply)
        self._portid = reply.header.nlmsg_pid
        return int(found.value)

    # --- requests

    def do(self, name: str, values: Row | None = None) -> Message | None:
        """Have something done; the reply, if that has one. Raises ControlError."""
        replies = self._ask(self.family_id, *self._request(name, values or {}), flags=NLM_F_ACK)
        return replies[0] if replies else None

    def dump(self, name: str, values: Row | None = None) -> list[Message]:
        """All that there is. Raises ControlError."""
        return self._ask(self.family_id, *self._request(name, values or {}), flags=NLM_F_DUMP)

    def wait(self, values: Row) -> Message:
        """NLEMU_CMD_WAIT: its reply comes when what is waited for does, or time is up."""
        longer = values.get("timeout", DEFAULT_WAIT_MS) / 1000
        (reply,) = self._ask(self.family_id, *self._request("wait", values), longer=longer)
        return reply

    def _request(self, name: str, values: Row) -> tuple[int, bytes]:
        """An operation's command, and its attributes."""
        op = CONTROL.operation(name)
        try:
            check(op.attributes, values)
            return cmd_of(op), write(op.attributes, values, self.order)
        except ValueError as exc:
            raise ControlError(_errno.ERANGE, str(exc)) from exc

    def _ask(
        self, family: int, cmd: int, attrs: bytes, *, flags: int = 0, longer: float = 0.0
    ) -> list[Message]:
        seq = next(self._seqs)
        self._send(genl_request(self.order, family, cmd, attrs, flags=flags, seq=seq))
        replies: list[Message] = []
        for message in self._messages(longer=longer):
            if message.header.nlmsg_seq != seq:
                continue
            if message.header.nlmsg_type in (NLMSG_ERROR, NLMSG_DONE):
                if message.error:
                    said = message.find("NLMSGERR_ATTR_MSG")
                    raise ControlError(
                        -message.error, str(said.meant) if said else errno_name(-message.error)
                    )
                return replies
            replies.append(message)
            if not flags:
                return replies
        raise ControlError(_errno.ECONNRESET, _CLOSED)

    def _messages(self, *, longer: float | None) -> Iterator[Message]:
        while data := self._receive(longer=longer):
            yield from self._decoder.datagram(data)

    # --- the journal as it grows

    def events(self) -> Iterator[Message]:
        """Entries of the journal as they are made, from the call on; for ever."""
        if self._sock.family == socket.AF_UNIX:
            # Bound anew to the portid that it has, now with the group.
            hello = Hello(portid=self._portid, groups=1 << (self.group - 1))
            self._send(encode_hello(hello))
            answer = decode_hello(self._receive())
            if answer is None or answer.error:
                number = answer.error if answer else _errno.EPROTO
                raise ControlError(number, errno_name(number))
        else:
            membership = NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP
            self._sock.setsockopt(_SOL_NETLINK, membership, self.group)
        number = cmd_of(CONTROL.operation("journal-ntf"))
        return (m for m in self._messages(longer=None) if m.cmd_number == number)


@contextmanager
def told() -> Iterator[None]:
    """A connection that breaks is the kernel's end, or its refusal: no mistake of ours."""
    try:
        yield
    except OSError as exc:
        closed = exc.errno in (_errno.EPIPE, _errno.ECONNRESET)
        said = _CLOSED if closed else f"the connection to the kernel is broken: {exc.strerror}"
        raise ControlError(exc.errno or 0, said) from exc


def _not_controlled(path: Path | None) -> str:
    """Why there is no NETLINK_EMU, and what helps."""
    if path is not None:
        return f"the server at {path} was not started with --control, which lets it be controlled"
    return (
        "no emulated kernel that was started with --control answers here: name a server's socket "
        "(--socket PATH), or run this under netlink-emu run --control"
    )


def _group_of(reply: Message) -> int:
    group = reply.find("CTRL_ATTR_MCAST_GRP_ID")
    return int(group.value) if group is not None else 0


def need_answer(sock: socket.socket, path: Path, patience: float | None) -> None:
    """Wait until something can be received; ControlError if that takes longer."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    if not poll.poll(None if patience is None else patience * 1000):
        raise _silent(path, patience)


def _silent(path: Path, patience: float | None) -> ControlError:
    said = (
        f"the server at {path} has not answered within {patience:g} seconds: it is stopped or "
        "very busy, or none of netlink-emu"
    )
    return ControlError(_errno.ETIMEDOUT, said)


def connection(path: Path | None, patience: float | None) -> tuple[socket.socket, ByteOrder]:
    """A socket with extended acks, where the kernel's release has them (4.12); its byte order."""
    if path is not None:
        try:
            return _channel(path, 1 << NetlinkSockOpt.NETLINK_EXT_ACK, patience)
        except ControlError as exc:
            if exc.errno != _errno.ENOPROTOOPT:
                raise
            return _channel(path, 0, patience)
    try:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    except OSError as exc:
        said = f"no netlink socket can be made here: {exc.strerror}"
        raise ControlError(exc.errno or 0, said) from exc
    try:
        sock.bind((0, 0))
        sock.setsockopt(_SOL_NETLINK, NetlinkSockOpt.NETLINK_EXT_ACK, 1)
    except OSError as exc:
        if exc.errno != _errno.ENOPROTOOPT:
            sock.close()
            raise
    return sock, HOST_ORDER


def _channel(path: Path, options: int, patience: float | None) -> tuple[socket.socket, ByteOrder]:
    """A channel of one's own to the server at ``path``, with these socket options."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.settimeout(patience)  # a server that reads nothing has no room for a hello
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))
            with connectable(path) as name:
                way.sendmsg([encode_hello(Hello(options=options))], [rights], 0, name)
        need_answer(ours, path, patience)
        answer = decode_hello(ours.recv(HELLO.size))
    except TimeoutError as exc:
        ours.close()
        raise _silent(path, patience) from exc
    except OSError as exc:
        ours.close()
        number = exc.errno or 0
        raise ControlError(number, f"no server at {path}: {exc.strerror or exc}") from exc
    except ControlError:
        ours.close()
        raise
    if answer is None or answer.error:
        ours.close()
        number = answer.error if answer is not None else _errno.EPROTO
        raise ControlError(number, f"the server at {path} says {errno_name(number)}")
    if patience is not None:
        # For requests, should it read no more: to seconds and microseconds.
        limit = struct.pack("@ll", int(patience), int(patience % 1 * 1_000_000))
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    return ours, answer.order
