"""The faults: what can go wrong with a message on its way, or with a request.

Each fault is a small record; its ``name`` is used on the command line, in the journal and by
NETLINK_EMU. A fault says what happens to a datagram; :mod:`netlink_emu.faults.faults` says when.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from netlink_emu.faults.edit import attribute, edit_message, join, set_header, with_length
from netlink_emu.faults.fault import (
    MAX_BYTES,
    MAX_COPIES,
    MAX_SECONDS,
    Arrival,
    Context,
    Fault,
    FaultError,
    Stage,
    errno_number,
    need,
)
from netlink_emu.machine.clock import NSEC_PER_SEC
from netlink_emu.protocol.netlink import NLM_F_DUMP_INTR, NLMSG_DONE, nlmsg_align
from netlink_emu.protocol.reading.decode import Attribute, Message
from netlink_emu.protocol.reading.describe import Kind

# --- where and when it arrives


@dataclass(frozen=True, slots=True)
class Drop(Fault):
    """The datagram never arrives, and the client gets no error (no ENOBUFS)."""

    name: ClassVar[str] = "drop"

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        return []


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """The datagram arrives ``seconds`` later by the machine's clock."""

    name: ClassVar[str] = "delay"
    seconds: float = 1.0

    def __post_init__(self) -> None:
        need("seconds", self.seconds, MAX_SECONDS)

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        return [replace(arrival, delay_ns=round(self.seconds * NSEC_PER_SEC))]


@dataclass(frozen=True, slots=True)
class Duplicate(Fault):
    """The datagram arrives ``copies`` more times, at once."""

    name: ClassVar[str] = "duplicate"
    copies: int = 1

    def __post_init__(self) -> None:
        need("copies", self.copies, MAX_COPIES)

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        return [arrival, *[replace(arrival) for _ in range(self.copies)]]


@dataclass(frozen=True, slots=True)
class Reorder(Fault):
    """The datagram arrives after the next one for the same socket."""

    name: ClassVar[str] = "reorder"

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        return [replace(arrival, held=True)]


@dataclass(frozen=True, slots=True)
class Enobufs(Fault):
    """The datagram is lost as if the receive buffer were full: the next receive gets ENOBUFS."""

    name: ClassVar[str] = "enobufs"

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        context.lost = True
        return []


# --- what arrives


@dataclass(frozen=True, slots=True)
class Truncate(Fault):
    """The datagram ends after ``length`` bytes; if negative, that many bytes are missing."""

    name: ClassVar[str] = "truncate"
    length: int = -4

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        return [replace(arrival, data=arrival.data[: self.length])]


@dataclass(frozen=True, slots=True)
class Corrupt(Fault):
    """``amount`` random bytes of the datagram have other values."""

    name: ClassVar[str] = "corrupt"
    amount: int = 1

    def __post_init__(self) -> None:
        need("amount", self.amount, MAX_BYTES)

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        data = bytearray(arrival.data)
        for _ in range(self.amount if data else 0):
            data[context.below(len(data))] ^= 1 + context.below(255)
        return [replace(arrival, data=bytes(data))]


@dataclass(frozen=True, slots=True)
class WrongSeq(Fault):
    """nlmsg_seq of each message is too high by ``by``, or ``seq`` if that is given."""

    name: ClassVar[str] = "wrong-seq"
    by: int = 1
    seq: int | None = None

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        def wrong(message: Message) -> dict[str, int]:
            seq = message.header.nlmsg_seq + self.by if self.seq is None else self.seq
            return {"nlmsg_seq": seq & 0xFFFFFFFF}

        return [_with_headers(context, arrival, wrong)]


@dataclass(frozen=True, slots=True)
class WrongPortid(Fault):
    """nlmsg_pid of each message is too high by ``by``, or ``to`` if that is given."""

    name: ClassVar[str] = "wrong-portid"
    by: int = 1
    to: int | None = None

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        def wrong(message: Message) -> dict[str, int]:
            portid = message.header.nlmsg_pid + self.by if self.to is None else self.to
            return {"nlmsg_pid": portid & 0xFFFFFFFF}

        return [_with_headers(context, arrival, wrong)]


@dataclass(frozen=True, slots=True)
class DumpIntr(Fault):
    """The last message has NLM_F_DUMP_INTR: the dumped data changed during the dump."""

    name: ClassVar[str] = "dump-intr"

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        messages = context.messages(arrival.data)

        def interrupted(message: Message) -> dict[str, int]:
            more = NLM_F_DUMP_INTR if message is messages[-1] else 0
            return {"nlmsg_flags": message.header.nlmsg_flags | more}

        return [_with_headers(context, arrival, interrupted, messages)]


@dataclass(frozen=True, slots=True)
class MissingDone(Fault):
    """A dump's NLMSG_DONE never arrives; the messages before it do."""

    name: ClassVar[str] = "missing-done"

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        rest, _done = _without_done(context, arrival)
        return rest


@dataclass(frozen=True, slots=True)
class LateDone(Fault):
    """A dump's NLMSG_DONE arrives ``seconds`` later, in its own datagram."""

    name: ClassVar[str] = "late-done"
    seconds: float = 1.0

    def __post_init__(self) -> None:
        need("seconds", self.seconds, MAX_SECONDS)

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        rest, done = _without_done(context, arrival)
        late = round(self.seconds * NSEC_PER_SEC)
        return rest + [replace(arrival, data=data, delay_ns=late) for data in done]


@dataclass(frozen=True, slots=True)
class Unaligned(Fault):
    """The last message's nlmsg_len grows by ``by`` bytes (1 to 3) that are not an attribute."""

    name: ClassVar[str] = "unaligned"
    by: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.by <= 3:
            raise FaultError(f"by is {self.by}: only 1 to 3 more bytes are unaligned")

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        def grow(message: Message) -> bytes:
            return with_length(message.data + bytes(self.by), context.order)

        return [_with_messages(context, arrival, grow, only_last=True)]


@dataclass(frozen=True, slots=True)
class ShortStruct(Fault):
    """struct taskstats and struct cgroupstats lack their last ``by`` bytes, as an older kernel's.

    All lengths around them are right.
    """

    name: ClassVar[str] = "short-struct"
    by: int = 8

    def __post_init__(self) -> None:
        need("by", self.by, MAX_BYTES)

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        return [_with_structs(context, arrival, lambda data: data[: max(0, len(data) - self.by)])]


@dataclass(frozen=True, slots=True)
class LongStruct(Fault):
    """struct taskstats and struct cgroupstats are ``by`` bytes longer, as a newer kernel's.

    The new bytes are 0xa5; all lengths around them are right.
    """

    name: ClassVar[str] = "long-struct"
    by: int = 8

    def __post_init__(self) -> None:
        need("by", self.by, MAX_BYTES)

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        return [_with_structs(context, arrival, lambda data: data + b"\xa5" * self.by)]


@dataclass(frozen=True, slots=True)
class UnknownAttribute(Fault):
    """An unknown attribute comes first: of ``type``, with ``length`` bytes 0xa5."""

    name: ClassVar[str] = "unknown-attribute"
    type: int = 0x3FF
    length: int = 4

    def __post_init__(self) -> None:
        need("type", self.type, 0xFFFF)
        need("length", self.length, MAX_BYTES)

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        first = attribute(self.type, b"\xa5" * self.length, context.order)

        def insert(message: Message) -> bytes:
            if message.cmd_number is None:
                return message.data
            return edit_message(message, lambda _: None, context.order, first)

        return [_with_messages(context, arrival, insert)]


# --- what fails


@dataclass(frozen=True, slots=True)
class Errno(Fault):
    """The request fails with ``error`` before its operation runs; ``message`` is its extended ack.

    The error message is the kernel's own, as for any other errno.
    """

    name: ClassVar[str] = "errno"
    stage: ClassVar[Stage] = Stage.REQUEST
    error: int | str = "EIO"
    message: str = ""

    def __post_init__(self) -> None:
        errno_number(self.error)


@dataclass(frozen=True, slots=True)
class SendErrno(Fault):
    """The sending system call fails with ``error``, and the kernel sees nothing."""

    name: ClassVar[str] = "send-errno"
    stage: ClassVar[Stage] = Stage.SEND
    error: int | str = "ENOBUFS"

    def __post_init__(self) -> None:
        errno_number(self.error)


FAULTS: Final[dict[str, type[Fault]]] = {
    cls.name: cls
    for cls in (
        Drop, Delay, Duplicate, Reorder, Truncate, Corrupt, WrongSeq, WrongPortid, Errno,
        SendErrno, MissingDone, LateDone, DumpIntr, Unaligned, ShortStruct, LongStruct,
        UnknownAttribute, Enobufs,
    )
}  # fmt: skip


# --- how


def _with_headers(
    context: Context,
    arrival: Arrival,
    change: Callable[[Message], dict[str, int]],
    messages: list[Message] | None = None,
) -> Arrival:
    data = bytearray(arrival.data)
    offset = 0
    for message in context.messages(arrival.data) if messages is None else messages:
        set_header(data, offset, replace(message.header, **change(message)), context.order)
        offset += nlmsg_align(message.header.nlmsg_len)
    return replace(arrival, data=bytes(data))


def _with_messages(
    context: Context,
    arrival: Arrival,
    change: Callable[[Message], bytes],
    *,
    only_last: bool = False,
) -> Arrival:
    messages = context.messages(arrival.data)
    if not messages:
        return arrival
    parts = [m.data if only_last else change(m) for m in messages[:-1]]
    return replace(arrival, data=join([*parts, change(messages[-1])]))


def _with_structs(context: Context, arrival: Arrival, change: Callable[[bytes], bytes]) -> Arrival:
    def edit(attr: Attribute) -> bytes | None:
        is_struct = attr.desc is not None and attr.desc.kind in (Kind.TASKSTATS, Kind.CGROUPSTATS)
        return change(attr.payload) if is_struct else None

    def rewrite(message: Message) -> bytes:
        if message.cmd_number is None:
            return message.data
        return edit_message(message, edit, context.order)

    return _with_messages(context, arrival, rewrite)


def _without_done(context: Context, arrival: Arrival) -> tuple[list[Arrival], list[bytes]]:
    messages = context.messages(arrival.data)
    done = [m.data for m in messages if m.header.nlmsg_type == NLMSG_DONE]
    others = [m.data for m in messages if m.header.nlmsg_type != NLMSG_DONE]
    return [replace(arrival, data=join(others))] if others else [], done
