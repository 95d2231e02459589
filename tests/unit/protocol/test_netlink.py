"""Netlink's headers, and the walk over the messages of a datagram."""

from __future__ import annotations

import pytest

from netlink_emu.protocol import netlink
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder, Format
from netlink_emu.protocol.netlink import (
    NL_PKTINFO,
    NLMSGERR,
    NLMSGERR_SIZE,
    NLMSGHDR,
    SOCKADDR_NL,
    NlMsgErr,
    NlMsgHdr,
    NlPktinfo,
    SockaddrNl,
    nlmsg_align,
    nlmsg_walk,
)


@pytest.mark.parametrize(
    ("format_", "record", "little", "big"),
    [
        pytest.param(
            NLMSGHDR,
            NlMsgHdr(nlmsg_len=36, nlmsg_type=0x10, nlmsg_flags=5, nlmsg_seq=1, nlmsg_pid=4242),
            "24000000 1000 0500 01000000 92100000",
            "00000024 0010 0005 00000001 00001092",
            id="nlmsghdr",
        ),
        pytest.param(
            SOCKADDR_NL,
            SockaddrNl(nl_family=16, nl_pad=0, nl_pid=0xFFFFEFFF, nl_groups=0x8000),
            "1000 0000 ffefffff 00800000",
            "0010 0000 ffffefff 00008000",
            id="sockaddr_nl",
        ),
        pytest.param(NLMSGERR, NlMsgErr(-34), "deffffff", "ffffffde", id="nlmsgerr"),
        pytest.param(NL_PKTINFO, NlPktinfo(16), "10000000", "00000010", id="nl_pktinfo"),
    ],
)
def test_records(format_: Format[object], record: object, little: str, big: str) -> None:
    for order, wire in ((LITTLE, little), (BIG, big)):
        assert format_[order].encode(record) == bytes.fromhex(wire)
        assert format_[order].decode(bytes.fromhex(wire)) == record


def test_sizes() -> None:
    assert NLMSGHDR.size == netlink.NLMSG_HDRLEN == 16
    assert NLMSGERR_SIZE == 20
    assert SOCKADDR_NL.size == 12


def test_bits_and_constants_agree() -> None:
    for flag in netlink.NlmFlags.__members__:
        if hasattr(netlink, flag):
            assert getattr(netlink, flag) == netlink.NlmFlags[flag]
    for kind in netlink.NlMsgType:
        assert getattr(netlink, kind.name, kind) == kind


@pytest.mark.parametrize(("length", "aligned"), [(0, 0), (1, 4), (4, 4), (17, 20), (36, 36)])
def test_align(length: int, aligned: int) -> None:
    assert nlmsg_align(length) == aligned


def message(length: int, payload: bytes = b"", order: ByteOrder = LITTLE) -> bytes:
    return NLMSGHDR[order].encode(NlMsgHdr(length, 0x10, 1, 2, 3)) + payload


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(bytes(15), [], id="less than a header"),
        pytest.param(message(16), [(0, 16)], id="a header alone"),
        pytest.param(message(20, bytes(4)) + message(16), [(0, 20), (20, 16)], id="two"),
        pytest.param(
            message(17, bytes(4)) + message(16), [(0, 17), (20, 16)], id="padded to four"
        ),
        pytest.param(message(17, b"x"), [(0, 17)], id="the last one without its padding"),
        pytest.param(
            message(17, b"x") + message(16), [(0, 17)], id="without padding the walk is lost"
        ),
        pytest.param(message(16) + message(17), [(0, 16)], id="longer than the rest"),
        pytest.param(message(15) + message(16), [], id="shorter than its header"),
        pytest.param(message(0) + message(16), [], id="length 0"),
        pytest.param(message(0xFFFFFFFF) + message(16), [], id="the longest"),
        pytest.param(message(16) + bytes(12), [(0, 16)], id="zeros behind"),
    ],
)
def test_walk(data: bytes, found: list[tuple[int, int]]) -> None:
    assert [(offset, header.nlmsg_len) for offset, header in nlmsg_walk(data)] == found
    assert [offset for offset, _ in nlmsg_walk(memoryview(data))] == [at for at, _ in found]


def test_walk_in_big_endian() -> None:
    data = message(16, order=BIG) * 2
    assert [*nlmsg_walk(data, BIG)] == [(offset, NlMsgHdr(16, 16, 1, 2, 3)) for offset in (0, 16)]
    assert [*nlmsg_walk(data, LITTLE)] == []
