"""Messages for those who read them: a datagram in, named and valued parts out.

Never fails: what is not understood is kept as bytes. For writing and answering messages there are
the formats themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..attributes import NLA_F_NESTED, NLA_HDRLEN, NLA_TYPE_MASK, nla_walk
from ..errors import errno_name
from ..family import AttrType, Struct, read_value
from ..format import LITTLE, ByteOrder
from ..genetlink import GENL_HDRLEN, GENL_ID_CTRL, GENLMSGHDR, CtrlAttr, CtrlCmd
from ..netlink import (
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSG_MIN_TYPE,
    NLMSGERR,
    NLMSGERR_SIZE,
    NLMSGHDR,
    NlmFlags,
    NlMsgHdr,
    NlMsgType,
    nlmsg_align,
)
from .describe import (
    ANY,
    EXTACK,
    INTEGER_SIZES,
    NLCTRL,
    SIGNED,
    TASKSTATS,
    AttrDesc,
    AttrSet,
    FamilyDesc,
    Kind,
)
from .structs import STRUCTS, text_of

# Nests in nests, and errors that quote errors: deeper ones are left as bytes. A datagram has room
# for thousands, which no recursion of ours would survive; real ones have four.
_MAX_DEPTH = 16

# Values by name, of the attributes beside one and of those around its nest, the nearest first.
Around = tuple[Mapping[str | int, Any], ...]
Value = Any  # int, str, bytes, None (a flag), a dict (a struct), or a tuple of attributes


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: ``name`` is empty where none is known, ``value`` the payload's meaning.

    ``offset`` is where its header stands in the datagram.
    """

    type: int
    name: str
    payload: bytes
    value: Value
    desc: AttrDesc | None = None
    offset: int = field(default=0, compare=False)

    @property
    def label(self) -> str:
        """The name, or the number; of one that a known family does not have, that, too."""
        if self.desc is not None and self.desc.kind is Kind.UNKNOWN:
            return f"{self.type & NLA_TYPE_MASK} (unknown)"
        return self.name or str(self.type & NLA_TYPE_MASK)

    @property
    def meant(self) -> Value:
        """The value; the text of a string, too, whose value is bytes as it cannot be printed."""
        if isinstance(self.value, bytes) and self.desc and self.desc.kind is Kind.STRING:
            return self.value.removesuffix(b"\0").decode(errors="replace")
        return self.value


@dataclass(frozen=True, slots=True)
class Message:
    """One netlink message.

    ``family`` and ``cmd`` are empty where they are not known or do not apply. ``error`` is what
    NLMSG_ERROR and NLMSG_DONE carry (0 or minus an errno), ``about`` the request that an error
    quotes. ``rest`` are bytes that belong to no part; ``offset`` is where the message begins in
    its datagram.
    """

    header: NlMsgHdr
    data: bytes
    family: str = ""
    cmd: str = ""
    cmd_number: int | None = None
    attrs: tuple[Attribute, ...] = ()
    error: int | None = None
    about: Message | None = None
    rest: bytes = b""
    offset: int = field(default=0, compare=False)

    @property
    def type_name(self) -> str:
        """``NLMSG_ERROR``, the family's name, or the number."""
        if self.family:
            return self.family
        return type_name(self.header.nlmsg_type)

    @property
    def title(self) -> str:
        """Its type, command and errno: ``TASKSTATS TASKSTATS_CMD_GET``, ``NLMSG_ERROR ESRCH``."""
        parts = [self.type_name]
        if self.cmd_number is not None:
            parts.append(self.cmd or f"command {self.cmd_number}")
        if self.error is not None:
            parts.append(self.errno_name or "0")
        return " ".join(parts)

    @property
    def flags(self) -> tuple[str, ...]:
        """The names of nlmsg_flags, without NLM_F_."""
        return tuple(flag_names(self.header))

    @property
    def errno_name(self) -> str:
        """``ESRCH`` for -3; empty where there is no error."""
        return errno_name(-self.error) if self.error else ""

    def find(self, name: str) -> Attribute | None:
        """The first attribute of that name, at any depth."""
        return next((attr for attr in walk(self.attrs) if attr.name == name), None)


def walk(attrs: Sequence[Attribute]) -> Iterator[Attribute]:
    """Attributes and those nested in them, each before what it holds."""
    for attr in attrs:
        yield attr
        if isinstance(attr.value, tuple):
            yield from walk(attr.value)


def walk_around(
    attrs: Sequence[Attribute], around: Around = ()
) -> Iterator[tuple[Attribute, Around]]:
    """Like :func:`walk`, each with the values beside it and around the nest that it is in."""
    inside: Around = ({attr.name: attr.value for attr in attrs}, *around)
    for attr in attrs:
        yield attr, inside
        if isinstance(attr.value, tuple):
            yield from walk_around(attr.value, inside)


def type_name(nlmsg_type: int) -> str:
    """``NLMSG_DONE`` for 3; a family's number as it is."""
    try:
        return NlMsgType(nlmsg_type).name
    except ValueError:
        return str(nlmsg_type)


def flag_names(header: NlMsgHdr) -> Iterator[str]:
    """nlmsg_flags by name: the high bits mean different things in requests and in answers."""
    flags = header.nlmsg_flags
    names = {int(bit): name for name, bit in NlmFlags.__members__.items() if bit <= 0x20}
    if header.nlmsg_type in (NLMSG_ERROR, NLMSG_DONE):
        names |= {NLM_F_CAPPED: "NLM_F_CAPPED", NLM_F_ACK_TLVS: "NLM_F_ACK_TLVS"}
    elif flags & NLM_F_REQUEST:
        if flags & NLM_F_DUMP == NLM_F_DUMP:
            names |= {NLM_F_DUMP: "NLM_F_DUMP"}
        names |= {0x100: "NLM_F_ROOT", 0x200: "NLM_F_MATCH", 0x400: "NLM_F_ATOMIC"}
    # NLM_F_DUMP takes both its bits before either has a name of its own.
    found = []
    for bits, name in sorted(names.items(), key=lambda item: -item[0].bit_count()):
        if flags & bits == bits:
            flags &= ~bits
            found.append((bits, name.removeprefix("NLM_F_")))
    yield from (name for _, name in sorted(found))
    if flags:
        yield hex(flags)


@dataclass(slots=True)
class Decoder:
    """Decodes datagrams of NETLINK_GENERIC.

    ``ids`` says which family has which number; it grows by the CTRL_CMD_NEWFAMILY messages that
    are decoded. ``families`` are the descriptions by name. With ``torn`` a message that ends
    before its nlmsg_len is read as far as it goes; else it is none.
    """

    order: ByteOrder = LITTLE
    ids: dict[int, str] = field(default_factory=dict)
    families: Mapping[str, FamilyDesc] = field(
        default_factory=lambda: {desc.name: desc for desc in (NLCTRL, TASKSTATS)}
    )
    torn: bool = False

    def datagram(self, data: bytes) -> list[Message]:
        """The messages of a datagram; bytes that are none are the ``rest`` of the last one.

        A datagram that does not begin with a message is one with nlmsg_type 0 and all in ``rest``.
        """
        messages: list[Message] = []
        offset = 0
        while offset < len(data):
            # No further than the message, for there may be thousands behind it.
            end = offset + int.from_bytes(data[offset : offset + 4], self.order.name)
            message = self._message(data[offset:end], offset)
            if message is None:
                break
            messages.append(message)
            offset += nlmsg_align(message.header.nlmsg_len)
        rest = data[offset:]
        if rest or not messages:
            junk = Message(NlMsgHdr(0, 0, 0, 0, 0), rest, rest=rest, offset=offset)
            messages.append(junk)
        return messages

    def _message(self, data: bytes, at: int, depth: int = 0) -> Message | None:
        """The message that ``data`` begins with, ``at`` its place in the datagram."""
        if len(data) < NLMSG_HDRLEN:
            return None
        header = NLMSGHDR[self.order].decode(data)
        if header.nlmsg_len < NLMSG_HDRLEN or (header.nlmsg_len > len(data) and not self.torn):
            return None
        data = data[: header.nlmsg_len]
        if header.nlmsg_type == NLMSG_ERROR and len(data) >= NLMSG_HDRLEN + NLMSGERR_SIZE:
            return self._error(header, data, at, depth)
        if header.nlmsg_type == NLMSG_DONE and len(data) >= NLMSG_HDRLEN + NLMSGERR.size:
            end = NLMSG_HDRLEN + NLMSGERR.size
            error = NLMSGERR[self.order].decode(data, NLMSG_HDRLEN).error
            attrs, rest = self._attrs(data[end:], EXTACK, at + end)
            return Message(header, data, error=error, attrs=attrs, rest=rest, offset=at)
        if header.nlmsg_type < NLMSG_MIN_TYPE or len(data) < NLMSG_HDRLEN + GENL_HDRLEN:
            rest = data[NLMSG_HDRLEN:]
            return Message(header, data, self._name(header), rest=rest, offset=at)
        return self._genl(header, data, at)

    def _name(self, header: NlMsgHdr) -> str:
        if header.nlmsg_type == GENL_ID_CTRL:
            return NLCTRL.name
        return self.ids.get(header.nlmsg_type, "")

    def _genl(self, header: NlMsgHdr, data: bytes, at: int) -> Message:
        family = self._name(header)
        desc = self.families.get(family)
        cmd = GENLMSGHDR[self.order].decode(data, NLMSG_HDRLEN).cmd
        end = NLMSG_HDRLEN + GENL_HDRLEN
        reply = not header.nlmsg_flags & NLM_F_REQUEST
        fixed: tuple[Attribute, ...] = ()
        if desc is not None and cmd in desc.headers and len(data) >= end + desc.headers[cmd].size:
            fixed = (self._header(desc.headers[cmd], data[end:], at + end),)
            end += nlmsg_align(desc.headers[cmd].size)
        described = desc.attrs_of(cmd, reply=reply) if desc else {}
        attrs, rest = self._attrs(data[end:], described, at + end)
        attrs = fixed + attrs
        name = desc.name_of(cmd, reply=reply) if desc else ""
        message = Message(header, data, family, name, cmd, attrs, rest=rest, offset=at)
        if family == NLCTRL.name and cmd == CtrlCmd.CTRL_CMD_NEWFAMILY:
            self._learn(message)
        return message

    def _header(self, header: Struct, body: bytes, at: int) -> Attribute:
        """The family's own header as if it were an attribute."""
        payload = body[: header.size]
        return Attribute(0, header.name, payload, header.decode(payload, self.order), None, at)

    def _learn(self, message: Message) -> None:
        number = message.find(CtrlAttr.CTRL_ATTR_FAMILY_ID.name)
        name = message.find(CtrlAttr.CTRL_ATTR_FAMILY_NAME.name)
        if number and name and isinstance(number.value, int) and isinstance(name.value, str):
            self.ids[number.value] = name.value

    def _error(self, header: NlMsgHdr, data: bytes, at: int, depth: int) -> Message:
        start = NLMSG_HDRLEN + NLMSGERR.size
        error = NLMSGERR[self.order].decode(data, NLMSG_HDRLEN).error
        quoted = NLMSGHDR[self.order].decode(data, start)
        end = start + NLMSG_HDRLEN
        about: Message | None = None
        if not header.nlmsg_flags & NLM_F_CAPPED and depth < _MAX_DEPTH:
            about = self._message(data[start:], at + start, depth + 1)
            if about is not None:
                end = start + nlmsg_align(quoted.nlmsg_len)
        if about is None:
            head = data[start : start + NLMSG_HDRLEN]
            about = Message(quoted, head, self._name(quoted), offset=at + start)
        attrs: tuple[Attribute, ...] = ()
        rest = data[end:]
        if header.nlmsg_flags & NLM_F_ACK_TLVS:
            attrs, rest = self._attrs(rest, EXTACK, at + end)
        return Message(header, data, error=error, about=about, attrs=attrs, rest=rest, offset=at)

    def attributes(self, data: bytes, described: AttrSet, at: int = 0) -> tuple[Attribute, ...]:
        """Attributes alone, ``at`` that place in a datagram; bytes that are none are left out."""
        return self._attrs(data, described, at)[0]

    def _attrs(
        self, data: bytes, described: AttrSet, at: int, depth: int = 0
    ) -> tuple[tuple[Attribute, ...], bytes]:
        attrs = []
        end = 0
        for nla_type, offset, length in nla_walk(data, 0, len(data), self.order):
            payload = data[offset : offset + length]
            attrs.append(self._attribute(nla_type, payload, described, at + offset, depth))
            end = nlmsg_align(offset + length)
        return tuple(attrs if depth else self._sub_messages(attrs, ())), data[end:]

    def _sub_messages(self, attrs: Sequence[Attribute], around: Around) -> Iterator[Attribute]:
        """What another attribute, beside it or around its nest, says the meaning of."""
        inside: Around = ({other.name: other.value for other in attrs}, *around)
        for attr in attrs:
            declared = None if attr.desc is None else attr.desc.declared
            if declared is not None and declared.type is AttrType.SUB_MESSAGE:
                value = read_value(declared, attr.payload, self.order, inside)
                yield replace(attr, value=value)
            elif isinstance(attr.value, tuple) and (declared is not None or around):
                yield replace(attr, value=tuple(self._sub_messages(attr.value, inside)))
            else:
                yield attr

    def _attribute(
        self, nla_type: int, payload: bytes, described: AttrSet, at: int, depth: int
    ) -> Attribute:
        """One whose payload is ``at`` that place in the datagram."""
        start = at - NLA_HDRLEN
        number = nla_type & NLA_TYPE_MASK
        desc = described.get(number) or described.get(ANY)
        if desc is not None and desc.kind is not Kind.UNKNOWN:
            value = self._value(payload, desc, at, depth)
            return Attribute(nla_type, desc.name, payload, value, desc, start)
        if nla_type & NLA_F_NESTED and depth < _MAX_DEPTH:
            nested, rest = self._attrs(payload, {}, at, depth + 1)
            if not rest:
                return Attribute(nla_type, "", payload, nested, desc, start)
        return Attribute(nla_type, "", payload, payload, desc, start)

    def _value(self, payload: bytes, desc: AttrDesc, at: int, depth: int) -> Value:
        """What the payload means; the payload itself where it is not what it should be."""
        kind = desc.kind
        size = INTEGER_SIZES.get(kind)
        if size is not None:
            if len(payload) != size:
                return payload
            return int.from_bytes(payload, self.order.name, signed=kind in SIGNED)
        if kind is Kind.STRING:
            return text_of(payload)
        if desc.declared is not None and kind is Kind.DECLARED:
            return read_value(desc.declared, payload, self.order)
        if kind is Kind.NEST and depth < _MAX_DEPTH:
            nested, rest = self._attrs(payload, desc.attrs, at, depth + 1)
            return payload if rest and not self.torn else nested
        if kind in STRUCTS:
            values = STRUCTS[kind].values(payload, self.order)
            return payload if values is None else values
        if kind in (Kind.FLAG, Kind.PAD) and not payload:
            return None
        return payload
