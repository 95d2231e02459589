"""Masked bytes as text: one line that can be read in a diff, and read back without loss.

    1c000000 FAMILY_ID(TASKSTATS)=1f00 0500 01000000 00000000 01010000 08000300 '0-1' 00
    taskstats:16:live{version=16 ac_flag=33 ac_comm='orc-c1' ac_pid=PID(c1):8643 ~nvcsw=2}

Hex in groups; ``'text'`` is ASCII; ``00*12`` and ``'0,'*9`` repeat; ``KIND(name)=hex`` is masked.
A ``taskstats:VERSION:MODE{...}`` block names the members that are not 0; ``~`` marks those that
may vary, and MODE (:data:`.stats.VOLATILE`) implies the varying ones that were 0. Only in such
a block numbers are in decimal, and so need the byte order of the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from netlink_emu.conformance.cases.structure import StatsBlock, boundaries, stats_blocks
from netlink_emu.conformance.cases.volatile import VOLATILE
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.netlink import nlmsg_walk
from netlink_emu.protocol.taskstats import TS_COMM_LEN, TaskstatsLayout, taskstats_layout

from .case import CaseError
from .masked import Mask, MaskedBytes, Symbol

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?: (?P<hex>(?:[0-9a-f]{2})+) | '(?P<text>(?:[^'\\]|\\x[0-9a-f]{2})*)' )
      (?:\*(?P<times>\d+))?
    | (?P<kind>[A-Z_]+)\((?P<name>[^()]*)\)=(?P<value>(?:[0-9a-f]{2})*)
    | taskstats:(?P<version>\d+):(?P<mode>\w+)\{(?P<members>[^{}]*)\}
    )(?=\s|$)""",
    re.VERBOSE,
)
_MEMBER: Final = re.compile(
    r"(?P<vary>~?)(?P<name>\w+)="
    r"(?:'(?P<text>[^']*)'|(?:(?P<kind>[A-Z_]+)\((?P<symbol>[^()]*)\):)?(?P<number>-?\d+))"
)
_PRINTABLE: Final = re.compile(rb"[0-9A-Za-z_,:/. -]{2,}")
_LEAST_RUN: Final = 8  # zeros from which on a run is worth its own token
_LEAST_TEXT: Final = 3
_LEAST_PERIODIC: Final = 64  # bytes
_PREFIX: Final = 9  # bytes that may come before a repetition
_MOST_BYTES: Final = 1 << 24


def _quote(data: bytes) -> str:
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and chr(byte) not in "'\\{}" else f"\\x{byte:02x}"
        for byte in data
    )


def _unquote(text: str) -> bytes:
    return re.sub(r"\\x(..)", lambda match: chr(int(match[1], 16)), text).encode("latin-1")


# --- writing


def write_messages(masked: MaskedBytes, order: ByteOrder) -> list[str]:
    """The text of a datagram, message by message; joined by blanks it is as :func:`write`'s."""
    starts = [offset for offset, _ in nlmsg_walk(masked.data, order)]
    straddled = any(mask.offset < start < mask.end for mask in masked.masks for start in starts)
    if straddled or not starts:
        return [write(masked, order)]
    ends = [*starts[1:], len(masked)]
    return [write(masked[start:end], order) for start, end in zip(starts, ends, strict=True)]


def write(masked: MaskedBytes, order: ByteOrder) -> str:
    """The text of masked bytes; :func:`read` gives them back."""
    blocks = {}
    for block in stats_blocks(masked.data, order):
        if (text := _write_block(masked, block, order)) is not None:
            blocks[block.offset] = (block, text)
    cuts = boundaries(masked.data, order)
    tokens: list[str] = []
    offset = 0
    for start, (block, text) in sorted(blocks.items()):
        tokens += _write_plain(masked, offset, start, cuts)
        tokens.append(text)
        offset = start + block.size
    tokens += _write_plain(masked, offset, len(masked), cuts)
    return " ".join(tokens)


def _write_plain(masked: MaskedBytes, start: int, end: int, cuts: frozenset[int]) -> Iterator[str]:
    offset = start
    for mask in masked.masks:
        if not start <= mask.offset < end:
            continue
        if mask.offset < offset:
            raise CaseError(f"two masks overlap at byte {mask.offset}")
        yield from _write_hex(masked.data, offset, mask.offset, cuts)
        yield f"{mask.symbol}={masked.data[mask.offset : mask.end].hex()}"
        offset = mask.end
    yield from _write_hex(masked.data, offset, end, cuts)


def _write_hex(data: bytes, start: int, end: int, cuts: frozenset[int]) -> Iterator[str]:
    offset = start
    while offset < end:
        run = len(data[offset:end]) - len(data[offset:end].lstrip(b"\0"))
        if run >= _LEAST_RUN:
            yield f"00*{run}"
            offset += run
            continue
        stop = min([cut for cut in cuts if offset < cut < end], default=end)
        unit, times = _repetition(data, offset, stop)
        if times > 1:
            plain = _PRINTABLE.fullmatch(unit)
            yield f"'{_quote(unit)}'*{times}" if plain else f"{unit.hex()}*{times}"
            offset += len(unit) * times
            continue
        stop = _next_repetition(data, offset, stop)
        match = _PRINTABLE.match(data, offset, stop)
        if match and offset in cuts and len(match[0]) >= min(_LEAST_TEXT, stop - offset):
            yield f"'{_quote(match[0])}'"
            offset = match.end()
            continue
        yield data[offset:stop].hex()
        offset = stop


def _repetition(data: bytes, start: int, end: int) -> tuple[bytes, int]:
    """A short unit that the bytes from ``start`` on repeat, and how often (1: not worth it)."""
    if end - start < _LEAST_PERIODIC:
        return b"", 1
    for period in range(1, 9):
        unit = data[start : start + period]
        times = 1
        while data.startswith(unit, start + times * period, end):
            times += 1
        if times * period >= _LEAST_PERIODIC:
            return unit, times
    return b"", 1


def _next_repetition(data: bytes, start: int, end: int) -> int:
    """Where behind ``start`` something begins that has a shorter notation, else ``end``."""
    zeros = data.find(bytes(_LEAST_RUN), start, end)
    end = zeros if zeros > start else end
    for offset in range(start + 1, min(start + _PREFIX, end)):
        if _repetition(data, offset, end)[1] > 1:
            return offset
    return end


def _write_block(masked: MaskedBytes, block: StatsBlock, order: ByteOrder) -> str | None:
    """A STATS payload by the names of its members; None where that would lose something."""
    layout = block.layout
    values = layout.codec(order).decode(masked.data, block.offset)
    masks = {m.offset - block.offset: m for m in masked.masks if block.covers(m.offset)}
    comm = values.get("ac_comm")
    if layout.codec(order).encode(values) != masked.data[block.offset : block.offset + block.size]:
        return None  # something in the padding
    vary = set()
    members = []
    for name, field in layout.fields.items():
        mask = masks.pop(field.offset, None)
        value = values[name]
        if mask is not None and mask.length != field.size:
            return None
        if mask is not None and mask.symbol.kind == "STATS":
            if mask.symbol.name != name:
                return None
            vary.add(name)
        if isinstance(value, bytes):
            if mask is not None or value.rstrip(b"\0").ljust(TS_COMM_LEN, b"\0") != value:
                return None
            if comm is not None and value.strip(b"\0"):
                members.append(f"{name}='{_quote(value.rstrip(bytes(1)))}'")
        elif mask is not None and mask.symbol.kind != "STATS":
            members.append(f"{name}={mask.symbol}:{value}")
        elif value:
            members.append(f"{'~' if mask is not None else ''}{name}={value}")
    if masks:
        return None
    names = frozenset(layout.names)
    modes = [mode for mode, members_ in VOLATILE.items() if members_ & names == vary]
    if not modes:
        return None
    mode = "group" if vary and block.group and "group" in modes else modes[0]
    return f"taskstats:{layout.version}:{mode}{{{' '.join(members)}}}"


# --- reading


def read(text: str, order: ByteOrder) -> MaskedBytes:
    """Masked bytes from their text; raises CaseError where it is not understood."""
    data = bytearray()
    masks: list[Mask] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise CaseError(f"not understood: {text[position : position + 40]!r}")
        position = match.end()
        if match["hex"] is not None:
            data += _times(bytes.fromhex(match["hex"]), match["times"])
        elif match["text"] is not None:
            data += _times(_unquote(match["text"]), match["times"])
        elif match["kind"] is not None:
            value = bytes.fromhex(match["value"])
            masks.append(Mask(len(data), len(value), Symbol(match["kind"], match["name"])))
            data += value
        else:
            _read_block(match, data, masks, order)
    return MaskedBytes(bytes(data), tuple(masks))


def _times(data: bytes, times: str | None) -> bytes:
    count = int(times or 1)
    if len(data) * count > _MOST_BYTES:
        raise CaseError(f"{count} times {len(data)} bytes are more than any datagram has")
    return data * count


def _read_block(
    match: re.Match[str], data: bytearray, masks: list[Mask], order: ByteOrder
) -> None:
    if match["mode"] not in VOLATILE:
        raise CaseError(f"there is no mode {match['mode']} of a taskstats block")
    layout: TaskstatsLayout = taskstats_layout(int(match["version"]))
    values: dict[str, int | bytes] = {}
    symbols: dict[str, Symbol] = {
        name: Symbol("STATS", name) for name in VOLATILE[match["mode"]] & set(layout.names)
    }
    position = 0
    members = match["members"].strip()
    while position < len(members):
        member = _MEMBER.match(members, position)
        if member is None or member["name"] not in layout.fields:
            raise CaseError(f"not understood: {members[position : position + 40]!r}")
        position = member.end() + 1
        name = member["name"]
        if bool(member["vary"]) != (name in symbols):
            raise CaseError(f"{name}: whether it varies is not what {match['mode']} says")
        if member["kind"] is not None:
            symbols[name] = Symbol(member["kind"], member["symbol"])
        values[name] = (
            _unquote(member["text"]) if member["text"] is not None else int(member["number"])
        )
    for name, field in layout.fields.items():
        if name in symbols:
            masks.append(Mask(len(data) + field.offset, field.size, symbols[name]))
    data += layout.codec(order).encode(values)
