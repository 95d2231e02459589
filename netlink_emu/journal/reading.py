"""A journal's JSON lines back as entries.

They are what :class:`netlink_emu.journal.writers.JsonWriter` wrote. Bytes are decoded anew; of
times, nanoseconds are lost, for JSON has seconds as a float.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from netlink_emu.journal.entries import (
    Bound,
    Closed,
    Dropped,
    Entry,
    Faulted,
    Listener,
    Membership,
    Note,
    Opened,
    OptionSet,
    Overrun,
    Peer,
    Queued,
    Remark,
    Sent,
    TaskEvent,
)
from netlink_emu.kernel.trace import DropReason
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder
from netlink_emu.protocol.netlink import NETLINK_GENERIC, NLMSG_HDRLEN
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.describe import FamilyDesc

_Make = Callable[..., Entry]


class NoJournal(ValueError):
    """A line is not one of a journal; the message says which, and what is wrong with it."""


def looks_like_journal(data: bytes) -> bool:
    """Whether a file begins as a journal in JSON lines does."""
    return data[:200].lstrip().startswith(b'{"number":')


def read_entries(
    data: bytes, families: Mapping[str, FamilyDesc], ids: Mapping[int, str]
) -> list[Entry]:
    """The entries of a journal's file; ``ids`` are numbers of families that it does not tell.

    Raises NoJournal.
    """
    lines = list(_lines(data))
    known = {**ids, **_numbers(lines, families)}
    reader = _Reader(Decoder(order=_order(lines), ids=known, families=families))
    entries = []
    for number, values in enumerate(lines, 1):
        try:
            entries.append(reader.entry(values))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
            raise NoJournal(f"line {number} is not a journal's: {exc!r}") from exc
    return entries


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(data.splitlines(), 1):
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise NoJournal(f"line {number} is not JSON: {exc}") from exc
        if not isinstance(values, dict):
            raise NoJournal(f"line {number} is not an object")
        yield values


def _messages(lines: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for values in lines:
        messages = values.get("messages")
        if isinstance(messages, list):
            yield from (message for message in messages if isinstance(message, dict))


def _numbers(
    lines: Iterable[Mapping[str, Any]], families: Mapping[str, FamilyDesc]
) -> dict[int, str]:
    """Which family had which number, as the messages say that were decoded then."""
    found = {}
    for message in _messages(lines):
        number, name = message.get("nlmsg_type"), message.get("type")
        if isinstance(number, int) and isinstance(name, str) and "cmd" in message:
            found[number] = name
    return {number: name for number, name in found.items() if name != str(number)}


def _order(lines: Iterable[Mapping[str, Any]]) -> ByteOrder:
    """The byte order in which the first datagram's nlmsg_len makes sense."""
    for values in lines:
        text = values.get("bytes")
        if isinstance(text, str) and len(text) >= 2 * NLMSG_HDRLEN:
            try:
                length = bytes.fromhex(text[:8])
            except ValueError:
                continue
            little, big = (int.from_bytes(length, order) for order in ("little", "big"))
            return BIG if big < little else LITTLE
    return LITTLE


class _Reader:
    """Entries from values, with the peers that they share."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder: Final = decoder
        self._peers: dict[int, Peer] = {}
        self._sent: dict[int, Sent] = {}
        self._makers: Final[dict[str, _Make]] = {
            "sent": self._make_sent, "queued": self._make_queued, "dropped": self._make_dropped,
            "fault": self._make_fault, "opened": self._of_peer(Opened),
            "bound": self._of_peer(Bound), "overrun": self._of_peer(Overrun),
            "closed": self._of_peer(Closed, "unread"), "remark": self._of_peer(Remark, "text"),
            "membership": self._of_peer(Membership, "group", "joined", "name"),
            "option": self._make_option,
            "listener": self._plain(Listener, "action", "portid", "cpu", "comm"),
            "task": self._plain(TaskEvent, "pid", "tgid", "comm", "cpu", "exit_code"),
            "note": self._plain(Note, "text"),
        }  # fmt: skip

    def entry(self, values: Mapping[str, Any]) -> Entry:
        stamp: dict[str, Any] = {
            "number": int(values["number"]),
            "time_ns": round(values["time"] * 1e9),
        }
        made = self._makers[values["what"]](values, stamp)
        made.title()  # values of another type than they should have fail here, not later
        return made

    def _peer(self, values: Mapping[str, Any]) -> Peer | None:
        if "socket" not in values:
            return None
        number, comm = int(values["socket"]), str(values["comm"])
        # Other protocols' datagrams were not decoded.
        is_generic = bool(values.get("messages", True)) or not values.get("bytes")
        protocol = NETLINK_GENERIC if is_generic else -1
        peer = self._peers.setdefault(number, Peer(number, protocol))
        if values.get("bytes"):
            peer.protocol = protocol
        told = (int(values["portid"]), int(values["pid"]), comm)
        if (peer.portid, peer.pid, peer.comm) != told:
            peer = replace(peer)
            peer.portid, peer.pid, peer.comm = told
            self._peers[number] = peer
        return peer

    def _datagram(self, values: Mapping[str, Any]) -> dict[str, Any]:
        data = bytes.fromhex(values["bytes"])
        return {"peer": self._peer(values), "data": data, "decoder": self._decoder}

    def _make_sent(self, values: Mapping[str, Any], stamp: dict[str, Any]) -> Entry:
        errors = [int(err) for err in values["errors"]]
        to, group = int(values["to"]), int(values["group"])
        sent = Sent(to=to, group=group, errors=errors, **self._datagram(values), **stamp)
        self._sent[sent.number] = sent
        return sent

    def _arriving(self, values: Mapping[str, Any]) -> dict[str, Any]:
        request, answers = None, values.get("answers")
        if answers is not None and answers[0] in self._sent:
            request = self._sent[answers[0]], int(answers[1])
        where = {"source": int(values["source"]), "group": int(values["group"])}
        return {"request": request, **where, **self._datagram(values)}

    def _make_queued(self, values: Mapping[str, Any], stamp: dict[str, Any]) -> Entry:
        return Queued(**self._arriving(values), **stamp)

    def _make_dropped(self, values: Mapping[str, Any], stamp: dict[str, Any]) -> Entry:
        return Dropped(reason=DropReason[values["reason"]], **self._arriving(values), **stamp)

    def _make_fault(self, values: Mapping[str, Any], stamp: dict[str, Any]) -> Entry:
        told: dict[str, Any] = {"fault": str(values["fault"]), "rule": int(values["rule"])}
        is_request = bool(values.get("is_request", False))
        return Faulted(is_request=is_request, **told, **self._arriving(values), **stamp)

    def _make_option(self, values: Mapping[str, Any], stamp: dict[str, Any]) -> Entry:
        value = values["value"]
        value = bytes.fromhex(value) if isinstance(value, str) else value
        peer = self._peer(values)
        assert peer is not None
        option, err = str(values["option"]), int(values["errno"])
        return OptionSet(peer=peer, option=option, value=value, err=err, **stamp)

    def _of_peer(self, kind: _Make, *names: str) -> _Make:
        def make(values: Mapping[str, Any], stamp: dict[str, Any]) -> Entry:
            return kind(peer=self._peer(values), **{n: values[n] for n in names}, **stamp)

        return make

    def _plain(self, kind: _Make, *names: str) -> _Make:
        def make(values: Mapping[str, Any], stamp: dict[str, Any]) -> Entry:
            return kind(**{name: values[name] for name in names}, **stamp)

        return make
