"""What a real kernel says of a family, kept as a recording."""

from __future__ import annotations

from typing import Any

from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.genetlink import CtrlAttr, CtrlCmd
from netlink_emu.protocol.netlink import NLM_F_DUMP
from netlink_emu.testing.remote.family_client import FamilyClient, Refused


def record_family(name: str) -> dict[str, Any]:
    """GETFAMILY, and the dump of GETPOLICY, as hex of datagrams.

    Raises ControlError for a family that the kernel has not, and where there is no kernel.
    """
    attrs = AttrWriter(HOST_ORDER)
    attrs.put(CtrlAttr.CTRL_ATTR_FAMILY_NAME, name.encode() + b"\0")
    asked = bytes(attrs.data)
    with FamilyClient() as client:
        number = client.number(name)
        family = client.nlctrl(CtrlCmd.CTRL_CMD_GETFAMILY, asked)
        try:
            policy = client.nlctrl(CtrlCmd.CTRL_CMD_GETPOLICY, asked, flags=NLM_F_DUMP)
        except Refused:  # no policy at all (ENODATA), or a kernel before 5.7
            policy = []
    return {
        "name": name,
        "id": number,
        "getfamily": _hex(family),
        "getpolicy_dump": _hex(policy),
    }


def _hex(answers: list[tuple[bytes, Any]]) -> list[str]:
    """Each datagram once, in their order."""
    return list(dict.fromkeys(datagram.hex() for datagram, _ in answers))
