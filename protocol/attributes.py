"""Netlink attributes: ``{u16 nla_len, u16 nla_type, payload, padding to 4}``.

From include/uapi/linux/netlink.h; nla_len counts the header (4) and the payload, not the
padding. The two highest bits of nla_type are flags.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from struct import Struct
from typing import Final

from .format import LITTLE, ByteOrder, Format
from .netlink import nlmsg_align

NLA_F_NESTED: Final = 0x8000
NLA_F_NET_BYTEORDER: Final = 0x4000
NLA_TYPE_MASK: Final = 0x3FFF


# struct nlattr { __u16 nla_len; __u16 nla_type; };
@dataclass(frozen=True, slots=True)
class NlAttr:
    """An attribute's header."""

    nla_len: int
    nla_type: int


NLATTR: Final = Format(NlAttr, lambda o: ("nla_len" / o.u16, "nla_type" / o.u16))
NLA_HDRLEN: Final = NLATTR.size

# A bare scalar of each size: what nla_put_u16() and its kin write.
_SCALARS: Final = {
    char: {size: Struct(char + code) for size, code in ((1, "B"), (2, "H"), (4, "I"), (8, "Q"))}
    for char in "<>"
}


def nla_scalar(size: int, order: ByteOrder = LITTLE) -> Struct:
    """The codec of a payload that is one unsigned number of ``size`` bytes."""
    return _SCALARS[order.char][size]


def nla_total_size(payload: int) -> int:
    """The room that an attribute with ``payload`` bytes takes, padding included."""
    return nlmsg_align(NLA_HDRLEN + payload)


def nla_walk(
    data: bytes | memoryview, start: int, end: int, order: ByteOrder = LITTLE
) -> Iterator[tuple[int, int, int]]:
    """The (nla_type, offset of the payload, its length) of each attribute in data[start:end].

    nla_type still has its flags. As nla_for_each_attr(): ends where a header does not fit, or
    its nla_len is below 4 or beyond ``end``.
    """
    unpack = NLATTR[order].unpack_from
    while end - start >= NLA_HDRLEN:
        nla_len, nla_type = unpack(data, start)
        if nla_len < NLA_HDRLEN or nla_len > end - start:
            break
        yield nla_type, start + NLA_HDRLEN, nla_len - NLA_HDRLEN
        start += nlmsg_align(nla_len)


class AttrWriter:
    """Builds attributes behind one another; ``bytes(writer.data)`` is the result.

    Nests get their length when the ``with`` ends. No NLA_F_NESTED is set unless asked for.
    """

    def __init__(self, order: ByteOrder = LITTLE, data: bytearray | None = None) -> None:
        self.data = bytearray() if data is None else data
        self._header = NLATTR[order]
        self._scalars = _SCALARS[order.char]

    def put(self, nla_type: int, payload: bytes | bytearray | memoryview = b"") -> None:
        """Append an attribute with ``payload``, padded with zeros."""
        length = NLA_HDRLEN + len(payload)
        self.data += self._header.pack(length, nla_type)
        self.data += payload
        self.data += bytes(nlmsg_align(length) - length)

    def _put_scalar(self, nla_type: int, size: int, value: int) -> None:
        self.put(nla_type, self._scalars[size].pack(value))

    def put_u16(self, nla_type: int, value: int) -> None:
        """nla_put_u16()."""
        self._put_scalar(nla_type, 2, value)

    def put_u32(self, nla_type: int, value: int) -> None:
        """nla_put_u32()."""
        self._put_scalar(nla_type, 4, value)

    def put_u64(self, nla_type: int, value: int) -> None:
        """nla_put_u64_64bit() where no padding attribute is needed."""
        self._put_scalar(nla_type, 8, value)

    def put_string(self, nla_type: int, text: str) -> None:
        """nla_put_string(): with its NUL."""
        self.put(nla_type, text.encode() + b"\0")

    @contextmanager
    def nest(self, nla_type: int) -> Iterator[None]:
        """nla_nest_start_noflag() and nla_nest_end(); or the nla_type with NLA_F_NESTED."""
        start = len(self.data)
        self.data += self._header.pack(NLA_HDRLEN, nla_type)
        yield
        self._header.pack_into(self.data, start, len(self.data) - start, nla_type)
