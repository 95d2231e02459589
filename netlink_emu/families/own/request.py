"""A request to one of your own families: its values by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from netlink_emu.protocol.attributes import NLA_TYPE_MASK, nla_walk
from netlink_emu.protocol.errors import NetlinkError, NetlinkExtAck
from netlink_emu.protocol.family import Attribute, AttributeSet, decode
from netlink_emu.protocol.genetlink import GENL_HDRLEN
from netlink_emu.protocol.netlink import NLMSG_HDRLEN

if TYPE_CHECKING:
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.genetlink import GenlInfo
    from netlink_emu.protocol.family import Operation

T = TypeVar("T")


class Request(Mapping[str | int, Any]):
    """A client's request: attributes by name, and the bytes of unknown ones by number.

    If the client has not sent a level, ``request["level"]`` fails as a kernel does: EINVAL, with
    the attribute in NLMSGERR_ATTR_MISS_TYPE; ``request.get("level")`` returns None. An unknown
    name raises ValueError. ``header`` has the values of the family's own header.
    """

    def __init__(self, info: GenlInfo, op: Operation) -> None:
        self.info: Final = info
        self.op: Final = op
        request = info.request
        order = info.kernel.profile.arch.order
        at = request.start + NLMSG_HDRLEN + GENL_HDRLEN
        self._start: Final = at + info.family.hdrsize
        data = request.skb.data
        self.header: Final[Mapping[str, Any]] = (
            {}
            if op.fixed_header is None
            else op.fixed_header.decode(data[at : self._start], order)
        )
        self.bytes: Final = data[self._start : request.end]
        self._values: Final = decode(op.attributes, self.bytes, order)

    def __repr__(self) -> str:
        return f"<{self.op.name} {self._values}>"

    def __getitem__(self, name: str | int) -> Any:
        if name in self._values:
            return self._values[name]
        if isinstance(name, str):
            self.op.attributes[name]  # or there is no such attribute at all
            raise NetlinkError("EINVAL", missing=name)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str | int]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: str | int, default: Any = None) -> Any:
        """The value, or ``default`` where the client sent none."""
        if isinstance(name, str):
            self.op.attributes[name]
        return self._values.get(name, default)

    @property
    def portid(self) -> int:
        """The client's portid."""
        return self.info.request.skb.portid

    @property
    def flags(self) -> int:
        """nlmsg_flags."""
        return self.info.request.nlmsg_flags

    @property
    def sender(self) -> Current:
        """The task that sent the request, and its credentials."""
        return self.info.current

    def fail(self, error: NetlinkError, extack: NetlinkExtAck) -> None:
        """Put an error's text and attributes ("colour.red") into the extended ack."""
        if error.message:
            extack.msg, extack.policy = error.message, None
        if error.attr is not None:
            extack.bad_attr = self._find(error.attr.split("."))[1]
        if error.missing is not None:
            *nests, _name = error.missing.split(".")
            attribute, _ = self._find(error.missing.split("."))
            extack.miss_type = attribute.number
            if nests:
                extack.miss_nest = self._find(nests)[1]

    def _find(self, path: list[str]) -> tuple[Attribute, int | None]:
        """An attribute, and its offset in the request (None: not in the request)."""
        request, order = self.info.request, self.info.kernel.profile.arch.order
        attributes: AttributeSet | None = self.op.attributes
        span: tuple[int, int] | None = self._start, request.end
        attribute, offset = None, None
        for name in path:
            if attributes is None:
                raise ValueError(f"{'.'.join(path)} is not an attribute: {name!r} has no nest")
            attribute, offset = attributes[name], None
            found = span
            span = None
            for nla_type, start, length in (
                () if found is None else nla_walk(request.skb.data, *found, order)
            ):
                if nla_type & NLA_TYPE_MASK == attribute.number:
                    offset, span = start - 4 - request.start, (start, start + length)
            attributes = attribute.nested
        assert attribute is not None
        return attribute, offset
