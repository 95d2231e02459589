"""Generic netlink's header and the controller's numbers."""

from __future__ import annotations

import pytest

from netlink_emu.protocol import genetlink
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder
from netlink_emu.protocol.genetlink import GENL_HDRLEN, GENLMSGHDR, GenlMsgHdr


@pytest.mark.parametrize(("order", "wire"), [(LITTLE, "0301 0002"), (BIG, "0301 0200")])
def test_header(order: ByteOrder, wire: str) -> None:
    header = GenlMsgHdr(cmd=3, version=1, reserved=0x0200)
    assert GENLMSGHDR[order].encode(header) == bytes.fromhex(wire)
    assert GENLMSGHDR[order].decode(bytes.fromhex(wire)) == header
    assert GENL_HDRLEN == 4


def test_numbers_of_the_controller() -> None:
    assert [*map(int, genetlink.CtrlCmd)] == [*range(11)]
    assert [*map(int, genetlink.CtrlAttr)] == [*range(1, 11)]
    assert [*map(int, genetlink.GenlOpFlags)] == [1, 2, 4, 8, 16]
    assert genetlink.GENL_START_ALLOC == genetlink.GENL_ID_PMCRAID + 1
