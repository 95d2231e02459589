"""``netlink-emu decode``: messages for people, from hex, a capture, or a server that runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.usage.described import described_by
from netlink_emu.journal.entry import Entry
from netlink_emu.journal.reading import looks_like_journal
from netlink_emu.protocol.format import BIG, LITTLE, DecodeError
from netlink_emu.protocol.netlink import NETLINK_GENERIC
from netlink_emu.protocol.ours.control import NETLINK_EMU
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.describe import NLCTRL, TASKSTATS, FamilyDesc
from netlink_emu.protocol.reading.hextext import read_hex
from netlink_emu.protocol.reading.pcapng import Packet, read_capture
from netlink_emu.protocol.reading.printable import printable, printable_json
from netlink_emu.protocol.reading.render import message_json, message_lines


def decode(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|HEX]",
            help="A journal (.jsonl), a pcapng or pcap file, a file of hex, or hex. "
            "[default: standard input]",
        ),
    ] = None,
    socket: Annotated[
        Path | None,
        typer.Option("--socket", metavar="PATH", help="Follow the server at PATH."),
    ] = None,
    family: Annotated[
        list[str] | None,
        typer.Option(
            "--family",
            metavar="NAME=ID|FILE[=ID]",
            help="A family's number, if no message has it; or its YAML spec, for its names.",
        ),
    ] = None,
    big_endian: Annotated[
        bool, typer.Option("--big-endian", help="The hex is from a big-endian machine.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per datagram.")
    ] = False,
    as_html: Annotated[
        bool, typer.Option("--html", help="Print one HTML page, for a browser.")
    ] = False,
    diff: Annotated[
        Path | None,
        typer.Option(
            "--diff",
            metavar="FILE",
            help="Print where the messages of FILE differ, field by field. The exit status is "
            "then 1.",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="FIELD",
            help="With --diff: ignore this field, as ac_btime; nlmsg_seq and nlmsg_pid are "
            "ignored anyway. May be repeated.",
        ),
    ] = None,
) -> None:
    """Decode netlink messages: names of commands, attributes, flags, errors.

    Family numbers come from the CTRL_CMD_NEWFAMILY messages in the input. TASKSTATS is 31 until
    one says otherwise.
    """
    if as_html and (as_json or socket is not None):
        raise UserError("--html is for a file, and takes neither --json nor --socket")
    if socket is not None:
        from netlink_emu.cli import journal

        journal.app.commands["follow"](socket=socket, as_json=as_json)
        return
    ids = {0x1F: TASKSTATS.name}
    known = {desc.name: desc for desc in (NLCTRL, TASKSTATS, NETLINK_EMU)}
    for text in family or []:
        _family(text, ids, known)
    data = _read(source)
    if diff is not None:
        from netlink_emu.cli.decode_diff import Side, show_difference

        one, other = (
            Side(name, _entries_of(name, read, ids, known, big_endian=big_endian))
            for name, read in ((source or "standard input", data), (str(diff), _read(str(diff))))
        )
        show_difference(one, other, ignore or (), as_json=as_json, as_html=as_html)
        return
    if as_html or looks_like_journal(data):
        _entries(source, data, ids, known, as_json=as_json, as_html=as_html, big_endian=big_endian)
        return
    decoder = Decoder(ids=ids, families=known)
    for packet in _packets(data, big_endian=big_endian):
        decoder.order = packet.order
        if packet.family == NETLINK_GENERIC:
            _show(packet, decoder, as_json=as_json)


def _entries(
    source: str | None,
    data: bytes,
    ids: dict[int, str],
    known: dict[str, FamilyDesc],
    *,
    as_json: bool,
    as_html: bool,
    big_endian: bool,
) -> None:
    """Show a journal, or a capture as if it were one."""
    from netlink_emu.journal.record import text_lines

    entries = _entries_of(source or "standard input", data, ids, known, big_endian=big_endian)
    if as_html:
        from netlink_emu.page import write_page

        name = Path(source).name if source and len(source) < 200 else "a session"
        sys.stdout.write(write_page(f"netlink-emu: {name}", entries).decode())
    elif as_json:
        for entry in entries:
            print(printable_json(json.dumps(entry.json(), ensure_ascii=False)))
    else:
        started = min((entry.time_ns for entry in entries), default=0)
        for line in text_lines(entries, started):
            print(line)


def _entries_of(
    name: str,
    data: bytes,
    ids: dict[int, str],
    known: dict[str, FamilyDesc],
    *,
    big_endian: bool,
) -> list[Entry]:
    """The entries of a journal, or of a capture; raises UserError."""
    from netlink_emu.journal.captured import entries_of
    from netlink_emu.journal.reading import NoJournal, read_entries

    try:
        if looks_like_journal(data):
            return read_entries(data, known, ids)
        return entries_of(_packets(data, big_endian=big_endian), known, ids)
    except NoJournal as exc:
        raise UserError(f"{name}: {exc}") from exc


def _family(text: str, ids: dict[int, str], known: dict[str, FamilyDesc]) -> None:
    """Take a family's number, or its names from a spec."""
    name, equals, number = text.rpartition("=")
    file = text
    if equals and number[:1].isdigit():
        file = name
    if Path(file).suffix in (".yaml", ".yml"):
        desc = described_by(Path(file))
        name = desc.name
        known[name] = desc
        if file == text:
            return
    try:
        ids[int(number, 0)] = name
    except ValueError:
        raise UserError(f"--family takes NAME=ID, or a spec, not {text!r}") from None


def _packets(data: bytes, *, big_endian: bool) -> Iterator[Packet]:
    order = BIG if big_endian else LITTLE
    try:
        if data[:4] in _MAGICS:
            yield from read_capture(data)
            return
        for datagram in read_hex(data.decode("utf-8", "replace")):
            yield Packet(0, datagram, to_kernel=False, order=order)
    except DecodeError as exc:
        raise UserError(str(exc)) from exc


_MOST_BYTES = 1 << 28
# pcapng, and pcap in both byte orders and units.
_MAGICS = (
    b"\x0a\x0d\x0d\x0a", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
)  # fmt: skip


def _read(source: str | None) -> bytes:
    try:
        if source is None or source == "-":
            if sys.stdin is None:
                raise UserError("standard input is closed: name a file, or hex")
            return _bounded("standard input", sys.stdin.buffer)
        if Path(source).exists():
            with Path(source).open("rb") as file:
                return _bounded(source, file)
    except OSError as exc:
        raise UserError(f"{source or 'standard input'} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:  # a NUL in its name
        raise UserError(f"{source!r} is neither a file nor hex") from exc
    if len(source) < 8 or not all(c in "0123456789abcdefABCDEFx \\:,\n" for c in source):
        raise UserError(f"{source} is neither a file nor hex")
    return source.encode()


def _bounded(name: str, file: BinaryIO) -> bytes:
    """All of a file, unless it is longer than what we would hold in memory."""
    data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise UserError(f"{name} is longer than {_MOST_BYTES >> 20} MiB: take a part of it")
    return data


def _show(packet: Packet, decoder: Decoder, *, as_json: bool) -> None:
    messages = decoder.datagram(packet.data)
    if as_json:
        values: dict[str, Any] = {"messages": [message_json(message) for message in messages]}
        if packet.time_ns:
            values |= {"time": packet.time_ns / 1e9, "to_kernel": packet.to_kernel}
        if packet.comments:
            values["comments"] = packet.comments
        print(printable_json(json.dumps(values, ensure_ascii=False)))
        return
    for comment in packet.comments:
        print(f"# {printable(comment)}")
    arrow = "" if not packet.time_ns else "> " if packet.to_kernel else "< "
    for message in messages:
        for line in message_lines(message):
            print(f"{arrow}{line}")
            arrow = "  " if arrow else ""
