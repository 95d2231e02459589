"""From what was recorded to what is written: without secrets, told in words."""

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
    """Two recordings that cannot be one cassette: why, in words for the user."""


def finished(
    head: Head,
    streams: tuple[Stream, ...],
    order: ByteOrder,
    *,
    redact: Iterable[str] = (),
    keep_secrets: bool = False,
) -> Cassette:
    """A cassette of streams: of the head's families those that are used are left.

    Keys are blanked, unless they are kept, and what ``redact`` names (FAMILY.ATTRIBUTE). Where
    that is so the command keeps its name alone, for its arguments may tell them, too.
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


def appended(first: Cassette, second: Cassette) -> Cassette:
    """The streams of both; raises Incompatible where they are of different kernels."""
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
    """Those that a message is of, or whose groups a socket has joined."""
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
