"""The relay: system calls on netlink sockets, carried to the process that has the kernel.

Not a kernel's protocol, but ours, on a stream. ``netlink-emu run --connect`` speaks it to a
server, to which it handed over the other end with a hello of version 2 (docs/server.md); so does
who answers the threads of a test's process to that process. Both ends are on one host, so that
all is in its byte order.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from construct import Bytes, Padding

from ..format import HOST_ORDER, DecodeError, Format
from .hello import MAGIC

RELAY_VERSION: Final = 2
# The longest datagram that a socket may take, and what stands around it.
MAX_FRAME: Final = (1 << 24) + (1 << 16)


class RelayWish(enum.IntFlag):
    """What a hello of version 2 asks for: to be less than the server would have it, not more."""

    UID = 1
    NO_NET_ADMIN = 2


# struct netlink_emu_relay_hello {
#     char  magic[16];    /*  0, as of any hello */
#     __u32 version;      /* 16, 2 */
#     __u32 wishes;       /* 20, RelayWish */
#     __u32 uid;          /* 24, who clients are, if that is wished */
#     __u32 reserved[3];  /* 28, 0 */
# };                      /* 40 */
@dataclass(frozen=True, slots=True)
class RelayHello:
    """Sent with one end of a SOCK_STREAM pair: answered there by a WELCOME."""

    magic: bytes = MAGIC
    version: int = RELAY_VERSION
    wishes: int = 0
    uid: int = 0


RELAY_HELLO: Final = Format(
    RelayHello,
    lambda o: (
        "magic" / Bytes(16),
        "version" / o.u32,
        "wishes" / o.u32,
        "uid" / o.u32,
        Padding(12),
    ),
)


def decode_relay_hello(datagram: bytes) -> RelayHello | None:
    """The hello in a datagram; None if it is another's, or of another version."""
    if len(datagram) != RELAY_HELLO.size:
        return None
    hello = RELAY_HELLO[HOST_ORDER].decode(datagram)
    return hello if (hello.magic, hello.version) == (MAGIC, RELAY_VERSION) else None


class RelayMethod(enum.IntEnum):
    """The system calls, and in which of a call's members their arguments are."""

    SOCKET = 1  # a: type, b: protocol; the report's value is the number of the new socket
    BIND = 2  # address
    CONNECT = 3  # address
    SENDMSG = 4  # a: flags, b: length; address, control, data
    RECVMSG = 5  # a: size, b: flags
    TAKE_DATAGRAM = 6
    SETSOCKOPT = 7  # a: level, b: optname; data
    GETSOCKOPT = 8  # a: level, b: optname, c: optlen; the report's value is the one to report
    ATTACH_FILTER = 9  # data: an array of struct sock_filter
    DETACH_FILTER = 10
    SET_ERROR = 11  # a: errno, which the next call shall report
    RELEASE = 12  # not reported
    RECEIVED = 13  # a: size, b: flags; as RECVMSG, of a datagram known from ARRIVED; not reported


class RelayFlag(enum.IntFlag):
    """What is so of a call."""

    UNANSWERED = 1  # it is not reported, whatever becomes of it


# struct netlink_emu_relay_call {
#     __u32 size;     /*  0, of all */
#     __u32 method;   /*  4, RelayMethod */
#     __u32 sock;     /*  8, a number that SOCKET gave */
#     __u32 tid;      /* 12, the calling thread, as the host numbers it */
#     __u32 tgid;     /* 16, its process, as its own pid namespace numbers it */
#     __u32 address;  /* 20, bytes of the address, which is first behind this */
#     __u32 control;  /* 24, bytes of the control messages, which are next; then comes data */
#     __u32 flags;    /* 28, RelayFlag */
#     __s64 a, b, c;  /* 32 */
# };                  /* 56 */
@dataclass(frozen=True, slots=True)
class _CallHeader:
    size: int
    method: int
    sock: int
    tid: int
    tgid: int
    address: int
    control: int
    flags: int
    a: int
    b: int
    c: int


_CALL_HEADER: Final = Format(
    _CallHeader,
    lambda o: (
        "size" / o.u32, "method" / o.u32, "sock" / o.u32, "tid" / o.u32, "tgid" / o.u32,
        "address" / o.u32, "control" / o.u32, "flags" / o.u32,
        "a" / o.s64, "b" / o.s64, "c" / o.s64,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RelayCall:
    """One system call."""

    method: int
    sock: int = 0
    tid: int = 0
    tgid: int = 0
    a: int = 0
    b: int = 0
    c: int = 0
    address: bytes = b""
    control: bytes = b""
    data: bytes = b""
    flags: int = 0


def encode_call(call: RelayCall) -> bytes:
    size = _CALL_HEADER.size + len(call.address) + len(call.control) + len(call.data)
    header = _CALL_HEADER[HOST_ORDER].pack(
        size, call.method, call.sock, call.tid, call.tgid, len(call.address), len(call.control),
        call.flags, call.a, call.b, call.c,
    )  # fmt: skip
    return header + call.address + call.control + call.data


def decode_call(frame: bytes) -> RelayCall:
    """One whole frame; raises DecodeError."""
    h = _CALL_HEADER[HOST_ORDER].decode(frame)
    address, control, data = _split(frame[_CALL_HEADER.size :], h.address, h.control)
    return RelayCall(
        h.method, h.sock, h.tid, h.tgid, h.a, h.b, h.c, address, control, data, h.flags
    )


class ReportKind(enum.IntEnum):
    """What the kernel's side tells."""

    WELCOME = 1  # the answer to the hello; data: release, architecture, protocols, with NULs
    RETURNED = 2  # the call is done
    ARRIVED = 3  # data: a datagram that now is the last in the socket's queue; portid and
    # dst_group are its sender's and its own
    FAILED = 4  # an error is pending at the socket


class SockState(enum.IntFlag):
    """What is so of a socket."""

    BOUND = 1
    CONNECTED = 2
    GROUPS_ALLOCATED = 4
    DUMPING = 8
    CONTROL = 16  # datagrams come with control messages


# struct netlink_emu_relay_report {
#     __u32 size;       /*  0, of all */
#     __u32 kind;       /*  4, ReportKind */
#     __u32 sock;       /*  8 */
#     __s32 error;      /* 12, errno of the call, or the one that is pending */
#     __s64 value;      /* 16, what the call returns */
#     __u32 length;     /* 24, RECVMSG: the whole datagram's */
#     __u32 msg_flags;  /* 28, RECVMSG */
#     __u32 name;       /* 32, bytes of the sender's address, which is first behind this */
#     __u32 control;    /* 36, bytes of the control messages, which are next; then comes data */
#                       /* the socket after the call: */
#     __u32 state;      /* 40, SockState */
#     __u32 portid;     /* 44 */
#     __u64 groups;     /* 48 */
#     __u32 dst_portid; /* 56 */
#     __u32 dst_group;  /* 60 */
#     __u32 sndbuf;     /* 64 */
#     __s32 sk_err;     /* 68, the error that is still pending */
#     __s64 rcvtimeo;   /* 72, nanoseconds, -1: for ever */
#     __s64 sndtimeo;   /* 80 */
# };                    /* 88 */
@dataclass(frozen=True, slots=True)
class _ReportHeader:
    size: int
    kind: int
    sock: int
    error: int
    value: int
    length: int
    msg_flags: int
    name: int
    control: int
    state: int
    portid: int
    groups: int
    dst_portid: int
    dst_group: int
    sndbuf: int
    sk_err: int
    rcvtimeo: int
    sndtimeo: int


_REPORT_HEADER: Final = Format(
    _ReportHeader,
    lambda o: (
        "size" / o.u32, "kind" / o.u32, "sock" / o.u32, "error" / o.s32, "value" / o.s64,
        "length" / o.u32, "msg_flags" / o.u32, "name" / o.u32, "control" / o.u32,
        "state" / o.u32, "portid" / o.u32, "groups" / o.u64, "dst_portid" / o.u32,
        "dst_group" / o.u32, "sndbuf" / o.u32, "sk_err" / o.s32, "rcvtimeo" / o.s64,
        "sndtimeo" / o.s64,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RelayReport:
    """What became of a call, or of a socket."""

    kind: int
    sock: int = 0
    error: int = 0
    value: int = 0
    length: int = 0
    msg_flags: int = 0
    state: int = 0
    portid: int = 0
    groups: int = 0
    dst_portid: int = 0
    dst_group: int = 0
    sndbuf: int = 0
    sk_err: int = 0
    rcvtimeo: int = -1
    sndtimeo: int = -1
    name: bytes = b""
    control: bytes = b""
    data: bytes = b""


def encode_report(report: RelayReport) -> bytes:
    r = report
    header = _REPORT_HEADER[HOST_ORDER].pack(
        _REPORT_HEADER.size + len(r.name) + len(r.control) + len(r.data),
        r.kind, r.sock, r.error, r.value, r.length, r.msg_flags, len(r.name), len(r.control),
        r.state, r.portid, r.groups, r.dst_portid, r.dst_group, r.sndbuf, r.sk_err,
        r.rcvtimeo, r.sndtimeo,
    )  # fmt: skip
    return header + r.name + r.control + r.data


def decode_report(frame: bytes) -> RelayReport:
    """One whole frame; raises DecodeError."""
    h = _REPORT_HEADER[HOST_ORDER].decode(frame)
    name, control, data = _split(frame[_REPORT_HEADER.size :], h.name, h.control)
    return RelayReport(
        h.kind, h.sock, h.error, h.value, h.length, h.msg_flags, h.state, h.portid, h.groups,
        h.dst_portid, h.dst_group, h.sndbuf, h.sk_err, h.rcvtimeo, h.sndtimeo,
        name, control, data,
    )  # fmt: skip


def _split(rest: bytes, first: int, second: int) -> tuple[bytes, bytes, bytes]:
    if first + second > len(rest):
        raise DecodeError(f"{first} and {second} bytes do not fit into {len(rest)}")
    return rest[:first], rest[first : first + second], rest[first + second :]


# One control message: level, type, number of bytes; its bytes follow.
_CMSG: Final = struct.Struct("=iiI")
Cmsgs = Sequence[tuple[int, int, bytes]]


def encode_cmsgs(cmsgs: Cmsgs) -> bytes:
    """Control messages as (level, type, data)."""
    return b"".join(_CMSG.pack(level, kind, len(data)) + data for level, kind, data in cmsgs)


def decode_cmsgs(control: bytes) -> list[tuple[int, int, bytes]]:
    """The reverse of :func:`encode_cmsgs`; raises DecodeError."""
    cmsgs, at = [], 0
    while at < len(control):
        if at + _CMSG.size > len(control):
            raise DecodeError(f"{len(control) - at} bytes are not a control message")
        level, kind, size = _CMSG.unpack_from(control, at)
        at += _CMSG.size
        if at + size > len(control):
            raise DecodeError(f"a control message of {size} bytes has {len(control) - at}")
        cmsgs.append((level, kind, control[at : at + size]))
        at += size
    return cmsgs


class Frames:
    """Cuts a stream into frames, each of which begins with its size."""

    def __init__(self) -> None:
        self._rest = bytearray()

    @property
    def unfinished(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._rest)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are whole now; raises DecodeError for a size that no frame has."""
        self._rest += data
        while len(self._rest) >= 4:
            size = int.from_bytes(self._rest[:4], HOST_ORDER.name)
            if not 4 <= size <= MAX_FRAME:
                raise DecodeError(f"a frame of {size} bytes")
            if len(self._rest) < size:
                return
            frame = bytes(self._rest[:size])
            del self._rest[:size]
            yield frame
