"""What is asked and told over NETLINK_SOCK_DIAG: bytes as a Linux 6.18 took and sent them."""

from __future__ import annotations

import pytest

from netlink_emu.protocol.format import LITTLE, Format
from netlink_emu.protocol.sock_diag import (
    UNIX_DIAG_MSG,
    UNIX_DIAG_REQ,
    UNIX_DIAG_RQLEN,
    UnixDiagMsg,
    UnixDiagReq,
    UnixDiagRqlen,
)


@pytest.mark.parametrize(
    ("format_", "record", "wire"),
    [
        pytest.param(
            UNIX_DIAG_REQ,
            UnixDiagReq(1, 0, 0, 0xFFFFFFFF, 0x2289A2, 0x10, 0xFFFFFFFF, 0xFFFFFFFF),
            "01 00 0000 ffffffff a2892200 10000000 ffffffff ffffffff",
            id="unix_diag_req",
        ),
        pytest.param(
            UNIX_DIAG_MSG,
            UnixDiagMsg(1, 2, 7, 0, 0x2289A2, 0x22, 0),
            "01 02 07 00 a2892200 22000000 00000000",
            id="unix_diag_msg",
        ),
        pytest.param(UNIX_DIAG_RQLEN, UnixDiagRqlen(100, 0), "64000000 00000000", id="rqlen"),
    ],
)
def test_records(format_: Format[object], record: object, wire: str) -> None:
    assert format_[LITTLE].encode(record) == bytes.fromhex(wire)
    assert format_[LITTLE].decode(bytes.fromhex(wire)) == record
