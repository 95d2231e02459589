"""Entries of datagrams: sent, queued, dropped, changed by a fault; and a view of each message."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from netlink_emu.journal.entry import Entry, Peer
from netlink_emu.kernel.trace import DropReason
from netlink_emu.protocol.family import read_value
from netlink_emu.protocol.netlink import NETLINK_GENERIC, NLM_F_MULTI, NLMSG_DONE, NLMSG_ERROR
from netlink_emu.protocol.reading.decode import Decoder, Message, walk_around
from netlink_emu.protocol.reading.printable import printable
from netlink_emu.protocol.reading.raw_messages import raw_messages
from netlink_emu.protocol.reading.render import message_json, message_lines


class MessageKind(enum.StrEnum):
    """The role of a message in the conversation."""

    REQUEST = "request"  # from a client to the kernel
    REPLY = "reply"  # the kernel's answer
    DUMP = "dump"  # a part of an answer in several
    DONE = "done"  # the end of those
    ACK = "ack"
    ERROR = "error"
    EVENT = "event"  # nobody asked for it: nlmsg_pid is 0
    MESSAGE = "message"  # from one client to another


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message of a datagram, the ``index``-th, with the properties that criteria use.

    ``cmd`` and ``family`` are names; ``pid``, ``comm`` and ``portid`` are the client's.
    ``answers`` is the command of the request that it answers, if known.
    """

    entry: Datagram
    message: Message
    kind: MessageKind
    index: int = 0
    answers: str = ""

    @property
    def cmd(self) -> str:
        return self.message.cmd

    @property
    def family(self) -> str:
        return self.message.family

    @property
    def peer(self) -> Peer | None:
        return self.entry.peer

    @property
    def portid(self) -> int:
        return self.entry.peer.portid if self.entry.peer else 0

    @property
    def pid(self) -> int:
        return self.entry.peer.pid if self.entry.peer else 0

    @property
    def comm(self) -> str:
        return self.entry.peer.comm if self.entry.peer else ""

    @property
    def attrs(self) -> dict[str, Any]:
        """The named attributes at any depth, by name; if a name occurs several times, the first.

        Nests of a user's own families are included, with their contents.
        """
        found: dict[str, Any] = {}
        for attr, around in walk_around(self.message.attrs):
            if not attr.name:
                continue
            if not isinstance(attr.value, tuple):
                found.setdefault(attr.name, attr.value)
            elif attr.desc is not None and attr.desc.declared is not None:
                order = self.entry.decoder.order
                declared = attr.desc.declared
                found.setdefault(attr.name, read_value(declared, attr.payload, order, around))
        return found

    @property
    def errno(self) -> int:
        """The errno of an error; for a request, the errno of its answer, if there is one."""
        if self.message.error is not None:
            return -self.message.error
        if isinstance(self.entry, Sent) and self.index < len(self.entry.errors):
            return self.entry.errors[self.index]
        return 0

    def __str__(self) -> str:
        parts = [f"#{self.entry.number}", str(self.peer or "nobody"), self.message.type_name]
        if self.message.cmd_number is not None:
            parts.append(self.cmd or f"command {self.message.cmd_number}")
        if self.message.errno_name:
            parts.append(self.message.errno_name)
        attrs = {n: v for n, v in self.attrs.items() if not isinstance(v, dict | bytes | list)}
        parts += [f"{name}={value!r}" for name, value in attrs.items()]
        return printable(" ".join(parts))


# Decoded, a datagram takes up to fifty times its room: those of long ones are not kept, but for
# the last.
_KEPT: Final = 4096


_last_long: tuple[Datagram, list[Message]] | None = None


@dataclass(kw_only=True, eq=False)
class Datagram(Entry):
    """Something with bytes, to or from ``peer``'s socket."""

    peer: Peer | None
    data: bytes
    decoder: Decoder = field(repr=False, compare=False)
    _messages: list[Message] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def messages(self) -> list[Message]:
        """The decoded messages; none of protocols of which nothing is known."""
        global _last_long
        if self._messages is not None:
            return self._messages
        if _last_long is not None and _last_long[0] is self:
            return _last_long[1]
        if self.peer is not None and self.peer.protocol != NETLINK_GENERIC:
            messages = raw_messages(self.decoder, self.peer.protocol, self.data)
        else:
            messages = self.decoder.datagram(self.data)
        if len(self.data) <= _KEPT:
            self._messages = messages
        else:
            _last_long = self, messages
        return messages

    def views(self) -> Iterator[MessageView]:
        """Each message with what it is in the conversation."""
        for index in range(len(self.messages)):
            yield self.view(index)

    def view(self, index: int) -> MessageView:
        """One of them."""
        message = self.messages[index]
        return MessageView(self, message, self.kind_of(message), index)

    def kind_of(self, message: Message) -> MessageKind:
        raise NotImplementedError

    def body(self) -> Iterator[str]:
        if not self.messages:
            yield self.data.hex(" ", -4)
        for message in self.messages:
            yield from message_lines(message)

    def details(self) -> dict[str, Any]:
        result: dict[str, Any] = self.peer.json() if self.peer is not None else {}
        result["bytes"] = self.data.hex()
        result["messages"] = [message_json(message) for message in self.messages]
        return result


@dataclass(kw_only=True)
class Sent(Datagram):
    """A client sent a datagram to ``to`` (0: the kernel); ``errors`` are its requests' errnos."""

    what: ClassVar[str] = "sent"
    to: int = 0
    group: int = 0
    errors: list[int] = field(default_factory=list)

    def kind_of(self, message: Message) -> MessageKind:
        return MessageKind.REQUEST if not self.to else MessageKind.MESSAGE

    def title(self) -> str:
        target = f"portid {self.to}" if self.to else "kernel"
        if self.group:
            target = f"group {self.group} and {target}"
        return f"{self.peer} → {target}, {len(self.data)} bytes"

    def details(self) -> dict[str, Any]:
        return {**super().details(), "to": self.to, "group": self.group, "errors": self.errors}


@dataclass(kw_only=True)
class Queued(Datagram):
    """A datagram was queued for a client; ``source`` 0 is the kernel.

    ``request`` is the request that it answers: the datagram, and which of its messages.
    """

    what: ClassVar[str] = "queued"
    source: int = 0
    group: int = 0
    request: tuple[Sent, int] | None = None

    @property
    def answers(self) -> str:
        """The command of that request; empty where that is not known."""
        if self.request is None:
            return ""
        sent, index = self.request
        return sent.messages[index].cmd if index < len(sent.messages) else ""

    def kind_of(self, message: Message) -> MessageKind:
        return kind_of_answer(message, self.source, self.group)

    def view(self, index: int) -> MessageView:
        message = self.messages[index]
        return MessageView(self, message, self.kind_of(message), index, self.answers)

    def title(self) -> str:
        source = f"portid {self.source}" if self.source else "kernel"
        group = f" group {self.group}," if self.group else ""
        answers = f", answers #{self.request[0].number}" if self.request else ""
        return f"{source} → {self.peer},{group} {len(self.data)} bytes{answers}"

    def details(self) -> dict[str, Any]:
        result = {**super().details(), "source": self.source, "group": self.group}
        if self.request is not None:
            result["answers"] = [self.request[0].number, self.request[1]]
        return result


@dataclass(kw_only=True)
class Dropped(Queued):
    """A datagram that was not delivered. ``peer`` is None if no socket had the portid."""

    what: ClassVar[str] = "dropped"
    reason: DropReason

    def title(self) -> str:
        source = f"portid {self.source}" if self.source else "kernel"
        target = str(self.peer) if self.peer is not None else "nobody"
        return f"{source} → {target}, {len(self.data)} bytes LOST: {self.reason.value}"

    def details(self) -> dict[str, Any]:
        return {**super().details(), "reason": self.reason.name}


@dataclass(kw_only=True)
class Faulted(Queued):
    """A fault applied to this datagram; the entries that follow show the effect."""

    what: ClassVar[str] = "fault"
    fault: str
    rule: int = 0
    is_request: bool = False

    def kind_of(self, message: Message) -> MessageKind:
        return MessageKind.REQUEST if self.is_request else super().kind_of(message)

    def title(self) -> str:
        source = f"portid {self.source}" if self.source else "kernel"
        way = f"{self.peer} → kernel" if self.is_request else f"{source} → {self.peer}"
        return f"FAULT {self.fault}: {way}, {len(self.data)} bytes"

    def details(self) -> dict[str, Any]:
        told = {"fault": self.fault, "rule": self.rule, "is_request": self.is_request}
        return {**super().details(), **told}


def kind_of_answer(message: Message, source: int, group: int) -> MessageKind:
    """What a message to a client is."""
    if source:
        return MessageKind.MESSAGE
    if message.header.nlmsg_type == NLMSG_ERROR:
        return MessageKind.ERROR if message.error else MessageKind.ACK
    if message.header.nlmsg_type == NLMSG_DONE:
        return MessageKind.DONE
    if message.header.nlmsg_flags & NLM_F_MULTI:
        return MessageKind.DUMP
    if group or not message.header.nlmsg_pid:
        return MessageKind.EVENT
    return MessageKind.REPLY
