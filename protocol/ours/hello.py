"""The server's one message of its own, beside netlink: ``struct netlink_emu_hello``.

A client may send it before anything else, to be on the emulated kernel's side what bind(2) and
setsockopt(2) would make it, and to hand over one end of a SEQPACKET pair by SCM_RIGHTS: a
private channel. docs/server.md has the protocol. No netlink message looks like it, for its first
word stands where nlmsg_len does and is 0: a kernel drops such a datagram without an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from construct import Bytes

from ..format import BIG, HOST_ORDER, LITTLE, ByteOrder, Format

MAGIC: Final = bytes(4) + b"netlink-emu\0"
VERSION: Final = 1
# In the options of an answer. SOL_NETLINK has no option 0.
OTHER_ORDER: Final = 1 << 0


# struct netlink_emu_hello {
#     char  magic[16];  /*  0, four zero bytes, then "netlink-emu" and a zero byte */
#     __u32 version;    /* 16, 1 */
#     __s32 error;      /* 20, in answers: 0 or an errno */
#     __u32 portid;     /* 24, to bind (0: leave it to autobind); in answers: the socket's */
#     __u32 groups;     /* 28, nl_groups to bind */
#     __u32 options;    /* 32, bit n switches option n of SOL_NETLINK on; in answers bit 0: the
#                            kernel's byte order is not the host's */
#     __u32 rcvbuf;     /* 36, SO_RCVBUF, in bytes; 0 leaves the default */
# };                    /* 40 */
@dataclass(frozen=True, slots=True)
class Hello:
    """A request, or the answer to one."""

    magic: bytes = MAGIC
    version: int = VERSION
    error: int = 0
    portid: int = 0
    groups: int = 0
    options: int = 0
    rcvbuf: int = 0

    @property
    def order(self) -> ByteOrder:
        """Of an answer: the byte order of the kernel's messages. The hello's is the host's."""
        if not self.options & OTHER_ORDER:
            return HOST_ORDER
        return BIG if HOST_ORDER is LITTLE else LITTLE


HELLO: Final = Format(
    Hello,
    lambda o: (
        "magic" / Bytes(16),
        "version" / o.u32,
        "error" / o.s32,
        "portid" / o.u32,
        "groups" / o.u32,
        "options" / o.u32,
        "rcvbuf" / o.u32,
    ),
)
_CODEC: Final = HELLO[HOST_ORDER]


def is_hello(datagram: bytes) -> bool:
    """Whether a datagram is ours, of whatever version."""
    return datagram.startswith(MAGIC)


def decode_hello(datagram: bytes) -> Hello | None:
    """The request in a datagram for which is_hello() holds; None for another version or size."""
    if len(datagram) != HELLO.size:
        return None
    hello = _CODEC.decode(datagram)
    return hello if hello.version == VERSION else None


def answer_hello(order: ByteOrder, *, error: int = 0, portid: int = 0) -> bytes:
    """The answer of a server whose kernel has this byte order."""
    options = 0 if order is HOST_ORDER else OTHER_ORDER
    return encode_hello(Hello(error=error, portid=portid, options=options))


def encode_hello(hello: Hello) -> bytes:
    return _CODEC.encode(hello)
