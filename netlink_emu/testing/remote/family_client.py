"""A client of any generic netlink family, by the names of its spec."""

from __future__ import annotations

import errno as _errno
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from netlink_emu.protocol.attributes import AttrWriter, nla_walk
from netlink_emu.protocol.errors import errno_name
from netlink_emu.protocol.family import Attribute, AttributeSet, FamilyDeclaration, Operation, talk
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.genetlink import (
    GENL_HDRLEN,
    GENL_ID_CTRL,
    CtrlAttr,
    CtrlCmd,
    genl_request,
)
from netlink_emu.protocol.netlink import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
)
from netlink_emu.protocol.reading.decode import Message
from netlink_emu.protocol.reading.describe import NLCTRL
from netlink_emu.testing.errors import ControlError
from netlink_emu.testing.remote.kernel import PATIENCE, Connection


class FamilyError(ControlError):
    """An operation failed: the errno, and what the kernel says beside it."""


class FamilyClient(Connection):
    """A client of the kernel that a server at ``path`` has, or of this process's own.

    Raises ControlError where no kernel is reached. It and all methods do so when a server does not
    answer within ``patience`` seconds (None: never).
    """

    def __init__(self, path: Path | None = None, *, patience: float | None = PATIENCE) -> None:
        super().__init__(path, NLCTRL, patience=patience)

    def number(self, name: str) -> int:
        """The number of a family. Raises FamilyError for one that the kernel has not."""
        attrs = AttrWriter(self.order)
        attrs.put(CtrlAttr.CTRL_ATTR_FAMILY_NAME, name.encode() + b"\0")
        try:
            answers = self.nlctrl(CtrlCmd.CTRL_CMD_GETFAMILY, bytes(attrs.data))
        except Refused as exc:
            if exc.errno != _errno.ENOENT:
                raise
            answers = []
        for _, message in answers:
            found = message.find("CTRL_ATTR_FAMILY_ID")
            if found is not None:
                return int(found.value)
        raise FamilyError(_errno.ENOENT, f"the kernel has no family {name}")

    def nlctrl(self, cmd: int, attrs: bytes, *, flags: int = 0) -> list[tuple[bytes, Message]]:
        """What nlctrl answers to a command: datagrams, and each message in them."""
        request = genl_request(
            self.order, GENL_ID_CTRL, cmd, attrs, version=2, flags=flags, seq=next(self._seqs)
        )
        return [*self._ask(request, whole=bool(flags & NLM_F_DUMP))]

    def call(
        self,
        declaration: FamilyDeclaration,
        op: Operation,
        values: Mapping[Any, Any],
        *,
        dump: bool = False,
    ) -> Iterator[dict[str | int, Any]]:
        """Do an operation, or dump: the values of each answer.

        Raises FamilyError for what the kernel refuses, ValueError for what cannot be asked.
        """
        message = talk.request(
            declaration, op, values, family=self.number(declaration.name), dump=dump,
            flags=0 if dump else NLM_F_ACK, seq=next(self._seqs), order=self.order,
        )  # fmt: skip
        try:
            for _, answer in self._ask(message, whole=True):
                yield talk.answer(op, answer.data, self.order)
        except Refused as exc:
            raise FamilyError(exc.errno, _said(op, exc.message, message, self.order)) from None

    def _ask(self, message: bytes, *, whole: bool) -> Iterator[tuple[bytes, Message]]:
        """The answers, to the ack or the end where ``whole``, else the first one."""
        seq = int.from_bytes(message[8:12], self.order.name)  # nlmsg_seq
        self._send(message)
        while True:
            datagram = self._receive()
            if not datagram:
                raise ControlError(_errno.ECONNRESET, "the kernel has closed the connection")
            for answer in self._decoder.datagram(datagram):
                if answer.header.nlmsg_seq != seq:
                    continue
                if answer.header.nlmsg_type in (NLMSG_ERROR, NLMSG_DONE):
                    if answer.error:
                        raise Refused(-answer.error, answer)
                    return
                yield datagram, answer
                if not whole:
                    return


class Refused(FamilyError):
    """A request was answered by an error."""

    def __init__(self, number: int, message: Message) -> None:
        text = message.find("NLMSGERR_ATTR_MSG")
        super().__init__(number, str(text.value) if text else errno_name(number))
        self.message: Final = message


def _said(op: Operation, message: Message, request: bytes, order: ByteOrder) -> str:
    """The errno and what the extended ack says, with the attribute by its name."""
    text = message.find("NLMSGERR_ATTR_MSG")
    said = [errno_name(-(message.error or 0)) + ("" if text is None else f": {text.value}")]
    at, missing = message.find("NLMSGERR_ATTR_OFFS"), message.find("NLMSGERR_ATTR_MISS_TYPE")
    start = NLMSG_HDRLEN + GENL_HDRLEN
    if op.fixed_header is not None:
        start += op.fixed_header.size + 3 & ~3
    if at is not None:
        path = _path(op.attributes, request, start, len(request), int(at.value), order)
        said.append(f"(attribute {path})" if path else f"(at byte {at.value})")
    if missing is not None:
        nest = message.find("NLMSGERR_ATTR_MISS_NEST")
        known: AttributeSet | None = op.attributes
        path = ""
        if nest is not None:
            path = _path(op.attributes, request, start, len(request), int(nest.value), order)
            for name in path.split("."):
                known = known[name].nested if known is not None and name in known else None
        lacks = known.get(int(missing.value)) if known is not None else None
        name = lacks.name if lacks is not None else str(missing.value)
        said.append(f"(attribute {path + '.' if path else ''}{name} is missing)")
    return " ".join(said)


def _path(
    attributes: AttributeSet, data: bytes, start: int, end: int, offset: int, order: ByteOrder
) -> str:
    """The names down to the attribute at an offset of the request."""
    for nla_type, at, length in nla_walk(data, start, end, order):
        attribute: Attribute | None = attributes.get(nla_type & 0x3FFF)
        name = str(nla_type & 0x3FFF) if attribute is None else attribute.name
        if at - 4 == offset:
            return name
        if attribute is not None and attribute.nested is not None and at <= offset < at + length:
            inner = _path(attribute.nested, data, at, at + length, offset, order)
            return f"{name}.{inner}" if inner else name
    return ""
