"""A cassette can have a real machine look, and nothing else."""

from __future__ import annotations

import struct

import pytest

from netlink_emu.cassettes import Request, Stream
from netlink_emu.conformance.cases.harmless_requests import FamilyHere, harm_of_requests

ROUTE, XFRM, NETFILTER, GENERIC, SOCK_DIAG, USERSOCK = 0, 6, 12, 16, 4, 2
FAMILIES = {
    # Flags are GENL_CMD_CAP_DO | _HASPOL, the same for administrators, and _CAP_DUMP likewise.
    40: FamilyHere("wg", {0: 0x10 | 0x04 | 0x08, 1: 0x10 | 0x02 | 0x08, 2: 0x02, 3: 0x01 | 0x02}),
    31: FamilyHere("TASKSTATS", {1: 0x0B, 4: 0x0A}),
    50: FamilyHere("silent", {}),
}


def message(kind: int, flags: int = 1, body: bytes = b"\0\0\0\0") -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


def command(family: int, cmd: int, flags: int = 1) -> bytes:
    return message(family, flags, bytes((cmd, 1, 0, 0)))


def harm(protocol: int, *requests: Request | bytes) -> str:
    events = (each if isinstance(each, Request) else Request(each) for each in requests)
    return harm_of_requests(Stream(protocol, 3, "x", tuple(events)), FAMILIES)


@pytest.mark.parametrize(
    ("protocol", "asked"),
    [
        (ROUTE, message(18)),  # RTM_GETLINK
        (ROUTE, message(26, 0x301)),  # a dump of routes
        (ROUTE, message(2)),  # what a client has no business with, the kernel passes over
        (XFRM, message(0x12)),
        (SOCK_DIAG, message(20)),
        (NETFILTER, message(0x101)),  # IPCTNL_MSG_CT_GET
        (NETFILTER, message(0xA10)),  # NFT_MSG_GETGEN
        (GENERIC, command(16, 3)),
        (GENERIC, command(31, 1)),  # TASKSTATS_CMD_GET, though it is for administrators
        (GENERIC, command(40, 0, 0x301)),  # a dump for administrators
        (GENERIC, command(40, 2)),
        (GENERIC, command(40, 99)),  # which it has not
        (GENERIC, message(40, 1, b"")),
        (ROUTE, b"junk"),
    ],
)
def test_to_look_is_harmless(protocol: int, asked: bytes) -> None:
    assert harm(protocol, asked) == ""


@pytest.mark.parametrize(
    ("protocol", "asked", "said"),
    [
        (ROUTE, message(16), "it sends route RTM_NEWLINK"),
        (ROUTE, message(17), "it sends route RTM_DELLINK"),
        (ROUTE, message(19), "it sends route RTM_SETLINK"),
        (ROUTE, message(18) + message(16), "it sends route RTM_NEWLINK"),
        (XFRM, message(0x1C), "it sends xfrm XFRM_MSG_FLUSHSA"),
        (SOCK_DIAG, message(21), "it sends sock-diag SOCK_DESTROY"),
        (NETFILTER, message(0x103), "IPCTNL_MSG_CT_GET_CTRZERO"),
        (NETFILTER, message(16), "NFNL_MSG_BATCH_BEGIN"),
        (NETFILTER, message(0xA02), "NFT_MSG_DELTABLE"),
        (NETFILTER, message(0xA19), "NFT_MSG_GETRULE_RESET"),
        (NETFILTER, message(0xB01), "subsystem 11 command 1"),
        (USERSOCK, message(99), "it sends usersock 99"),
        (GENERIC, command(40, 0), "wg command 0, which is for administrators"),
        (GENERIC, command(40, 1, 0x301), "wg command 1"),  # not to be dumped
        (GENERIC, command(40, 3), "wg command 3"),
        (GENERIC, command(50, 1), "asks family 50, of whose commands"),
        (GENERIC, command(60, 1), "asks family 60, of whose commands"),
        (ROUTE, Request(message(18), portid=1), "it sends to other programs"),
        (ROUTE, Request(message(18), group=1), "it sends to other programs"),
    ],
)
def test_nothing_else_is(protocol: int, asked: Request | bytes, said: str) -> None:
    assert said in harm(protocol, asked)
