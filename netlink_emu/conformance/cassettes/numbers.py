"""Generic netlink families have other numbers on another kernel: a recording's and this one's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from netlink_emu.cassettes.fields import Fields
from netlink_emu.cassettes.match import messages
from netlink_emu.cassettes.model import RecordedFamily
from netlink_emu.protocol.attributes import NLA_HDRLEN
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.genetlink import GENL_ID_CTRL
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSGERR,
)

_TYPE: Final = 4  # offset of nlmsg_type
_U16: Final = 2
# What nlctrl says of numbers: that they differ tells nothing of a kernel.
NUMBERS: Final = ("CTRL_ATTR_FAMILY_ID", "CTRL_ATTR_MCAST_GRP_ID")


class FamilyNumbers:
    """Puts the numbers of ``to`` for those of ``of``, by the families' names."""

    def __init__(
        self, of: Mapping[str, RecordedFamily], to: Mapping[str, RecordedFamily], fields: Fields
    ) -> None:
        self._numbers: Final = {
            family.id: to[name].id for name, family in of.items() if name in to
        }
        self._fields: Final = fields

    def translate(self, protocol: int, data: bytes) -> bytes:
        """A datagram with the other kernel's numbers, also in what an error quotes."""
        if protocol != NETLINK_GENERIC:
            return data
        found = bytearray(data)
        for start, header in messages(data, HOST_ORDER):
            self._put(found, start + _TYPE)
            quoted = start + NLMSG_HDRLEN + NLMSGERR.size
            if header.nlmsg_type == NLMSG_ERROR and len(data) >= quoted + NLMSG_HDRLEN:
                self._put(found, quoted + _TYPE)
            if header.nlmsg_type == GENL_ID_CTRL:
                message = data[start : start + header.nlmsg_len]
                for each in self._fields.of(protocol, message):
                    if each.name == NUMBERS[0] and each.end - each.start == NLA_HDRLEN + _U16:
                        self._put(found, start + each.start + NLA_HDRLEN)
        return bytes(found)

    def _put(self, data: bytearray, at: int) -> None:
        number = int.from_bytes(data[at : at + _U16], HOST_ORDER.name)
        data[at : at + _U16] = self._numbers.get(number, number).to_bytes(_U16, HOST_ORDER.name)
