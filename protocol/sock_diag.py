"""What a kernel tells of Unix sockets over NETLINK_SOCK_DIAG.

include/uapi/linux/sock_diag.h and unix_diag.h; net/unix/diag.c (Linux 3.3) answers.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from .format import Format

NETLINK_SOCK_DIAG: Final = 4
SOCK_DIAG_BY_FAMILY: Final = 20
UDIAG_SHOW_NAME: Final = 0x01
UDIAG_SHOW_PEER: Final = 0x04
UDIAG_SHOW_RQLEN: Final = 0x10
INET_DIAG_NOCOOKIE: Final = 0xFFFFFFFF


class UnixDiagAttr(enum.IntEnum):
    """Attributes behind a struct unix_diag_msg; the numbers are not those of the flags."""

    UNIX_DIAG_NAME = 0
    UNIX_DIAG_PEER = 2  # u32, its inode
    UNIX_DIAG_RQLEN = 4


# struct unix_diag_req {
#     __u8  sdiag_family;      /*  0 */
#     __u8  sdiag_protocol;    /*  1 */
#     __u16 pad;               /*  2 */
#     __u32 udiag_states;      /*  4, a bit for each state that is asked for */
#     __u32 udiag_ino;         /*  8 */
#     __u32 udiag_show;        /* 12, UDIAG_SHOW_* */
#     __u32 udiag_cookie[2];   /* 16 */
# };                           /* 24 */
@dataclass(frozen=True, slots=True)
class UnixDiagReq:
    """A question about one socket, by its inode, or with NLM_F_DUMP about all."""

    sdiag_family: int
    sdiag_protocol: int
    pad: int
    udiag_states: int
    udiag_ino: int
    udiag_show: int
    udiag_cookie_0: int
    udiag_cookie_1: int


UNIX_DIAG_REQ: Final = Format(
    UnixDiagReq,
    lambda o: (
        "sdiag_family" / o.u8,
        "sdiag_protocol" / o.u8,
        "pad" / o.u16,
        "udiag_states" / o.u32,
        "udiag_ino" / o.u32,
        "udiag_show" / o.u32,
        "udiag_cookie_0" / o.u32,
        "udiag_cookie_1" / o.u32,
    ),
)


# struct unix_diag_msg {
#     __u8  udiag_family;      /*  0 */
#     __u8  udiag_type;        /*  1, SOCK_* */
#     __u8  udiag_state;       /*  2 */
#     __u8  pad;               /*  3 */
#     __u32 udiag_ino;         /*  4 */
#     __u32 udiag_cookie[2];   /*  8 */
# };                           /* 16; attributes follow */
@dataclass(frozen=True, slots=True)
class UnixDiagMsg:
    """One socket."""

    udiag_family: int
    udiag_type: int
    udiag_state: int
    pad: int
    udiag_ino: int
    udiag_cookie_0: int
    udiag_cookie_1: int


UNIX_DIAG_MSG: Final = Format(
    UnixDiagMsg,
    lambda o: (
        "udiag_family" / o.u8,
        "udiag_type" / o.u8,
        "udiag_state" / o.u8,
        "pad" / o.u8,
        "udiag_ino" / o.u32,
        "udiag_cookie_0" / o.u32,
        "udiag_cookie_1" / o.u32,
    ),
)


# struct unix_diag_rqlen { __u32 udiag_rqueue; __u32 udiag_wqueue; };
@dataclass(frozen=True, slots=True)
class UnixDiagRqlen:
    """Of a datagram socket, udiag_rqueue is the length of the datagram that is read next."""

    udiag_rqueue: int
    udiag_wqueue: int


UNIX_DIAG_RQLEN: Final = Format(
    UnixDiagRqlen, lambda o: ("udiag_rqueue" / o.u32, "udiag_wqueue" / o.u32)
)
