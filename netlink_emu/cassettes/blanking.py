"""Blank what differs in every run, so that two recordings can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from netlink_emu.cassettes.fields import Fields
from netlink_emu.cassettes.match import messages
from netlink_emu.protocol.attributes import NLA_HDRLEN
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.netlink import NLMSG_ERROR, NLMSG_HDRLEN, NLMSGERR


class Blanking:
    """Replaces nlmsg_seq and nlmsg_pid by zeros, also in the header that an error quotes.

    Attributes of ``ignore`` (names, paths or numbers) keep their length and lose their value.
    """

    def __init__(self, fields: Fields, order: ByteOrder, ignore: Iterable[str] = ()) -> None:
        self._fields: Final = fields
        self._order: Final = order
        self._ignore: Final = frozenset(ignore)

    def of(self, protocol: int, data: bytes) -> bytes:
        """Return the blanked datagram."""
        found = bytearray(data)
        for start, header in messages(data, self._order):
            found[start + 8 : start + NLMSG_HDRLEN] = bytes(8)
            quoted = start + NLMSG_HDRLEN + NLMSGERR.size
            if (
                header.nlmsg_type == NLMSG_ERROR
                and header.nlmsg_len >= quoted - start + NLMSG_HDRLEN
            ):
                found[quoted + 8 : quoted + NLMSG_HDRLEN] = bytes(8)
            if self._ignore:
                self._attributes(found, protocol, data, start, header.nlmsg_len)
        return bytes(found)

    def _attributes(
        self, found: bytearray, protocol: int, data: bytes, start: int, length: int
    ) -> None:
        for each in self._fields.of(protocol, data[start : start + length]):
            if each.names & self._ignore:
                begin = each.start + (NLA_HDRLEN if each.is_attribute else 0)
                found[start + begin : start + each.end] = bytes(each.end - begin)
