"""Turn a recording into a cassette: blank secrets, and add the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from netlink_emu.cassettes.match import messages
from netlink_emu.cassettes.model import (
    Answer,
    Cassette,
    Head,
    Option,
    RecordedFamily,
    Request,
    Stream,
)
from netlink_emu.cassettes.secrets import Redactor, find_in
from netlink_emu.cassettes.text import texted
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.netlink import NETLINK_GENERIC, SOL_NETLINK, NetlinkSockOpt


class Incompatible(ValueError):
    """Two recordings cannot be one cassette; the text says why."""


def finished(
    head: Head,
    streams: tuple[Stream, ...],
    order: ByteOrder,
    *,
    redact: Iterable[str] = (),
    keep_secrets: bool = False,
) -> Cassette:
    """Make a cassette of streams; its head has only the families that they use.

    Keys are blanked, unless they are kept, and so are the attributes that ``redact`` names
    (FAMILY.ATTRIBUTE). If anything was blanked, the head has the command without its arguments,
    which may contain the same secrets.
    """
    whole = Cassette(head, streams)
    redactor = Redactor(find_in(whole, order, redact, known=not keep_secrets), order)
    clean = tuple(map(redactor.stream, streams))
    used = {name: head.families[name] for name in _used(head.families, clean, order)}
    command = head.command
    if redactor.names and command[1:]:
        command = (command[0], "...")
    named = replace(head, families=used, redacted=tuple(sorted(redactor.names)), command=command)
    return texted(Cassette(named, clean))


def unmet(cassette: Cassette, redact: Iterable[str], order: ByteOrder) -> list[str]:
    """Which of these names (FAMILY.ATTRIBUTE) no message has."""
    left = dict.fromkeys(redact)
    find = find_in(cassette, order, left, known=False)
    for stream in cassette.streams if left else ():
        for event in stream.events:
            if isinstance(event, Request | Answer):
                for start, header in messages(event.data, order):
                    message = event.data[start : start + header.nlmsg_len]
                    for name, _ in find(stream.protocol, message):
                        left.pop(name, None)
    return [*left]


def appended(first: Cassette, second: Cassette) -> Cassette:
    """Join two cassettes; raises Incompatible if they are from different kernels."""
    one, other = first.head, second.head
    for what, before, now in (
        ("on Linux", one.release, other.release),
        ("on", one.arch, other.arch),
    ):
        if before and before != now:
            raise Incompatible(f"it was recorded {what} {before}, this is {now}")
    for name, family in other.families.items():
        if one.families.get(name, family).id != family.id:
            raise Incompatible(f"{name} has another number by now")
    numbers = {family.id: name for name, family in one.families.items()}
    for name, family in other.families.items():
        if numbers.get(family.id, name) != name:
            raise Incompatible(f"{name} has the number that {numbers[family.id]} had")
    head = replace(
        one,
        release=other.release,
        arch=other.arch,
        families={**one.families, **other.families},
        redacted=tuple(sorted({*one.redacted, *other.redacted})),
        status=None,  # of which of the two
    )
    return Cassette(head, (*first.streams, *second.streams))


def _used(
    families: Mapping[str, RecordedFamily], streams: Iterable[Stream], order: ByteOrder
) -> list[str]:
    """The families that messages are for, or whose groups a socket has joined."""
    numbers: set[int] = set()
    groups: set[int] = set()
    for stream in streams:
        if stream.protocol != NETLINK_GENERIC:
            continue
        for event in stream.events:
            if isinstance(event, Request | Answer):
                numbers |= {header.nlmsg_type for _, header in messages(event.data, order)}
            elif (
                isinstance(event, Option)
                and event.level == SOL_NETLINK
                and event.name == NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP
            ):
                groups.add(int.from_bytes(event.value[:4], order.name))
    return [
        name
        for name, family in families.items()
        if family.id in numbers or groups & {*family.groups.values()}
    ]
