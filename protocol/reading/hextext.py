"""Datagrams from text: hex as people paste it, from xxd, hexdump and strace."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..format import DecodeError

_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")
_OFFSET = re.compile(r"^\s*(?:0x)?[0-9a-fA-F]{4,16}:\s*")
_CANONICAL = re.compile(r"^\s*[0-9a-fA-F]{7,8}\s+((?:[0-9a-fA-F]{2}\s+)*)\|.*\|\s*$")
_LENGTH = re.compile(r"^\s*[0-9a-fA-F]{7,8}\s*$")
_SEPARATORS = re.compile(r"0x|[\s,:;]+")


def read_hex(text: str) -> Iterator[bytes]:
    """The datagrams of a text; blank lines separate them, ``#`` begins a comment.

    Raises DecodeError, with the line, for what is no hex.
    """
    block = bytearray()
    dumped = False  # the line before was of hexdump -C
    for number, line in enumerate(text.splitlines(), 1):
        before, dumped = dumped, bool(_CANONICAL.match(line))
        if not dumped:  # among its characters "#" is one like others
            line = line.partition("#")[0]
        if not line.strip():
            if block:
                yield bytes(block)
            block.clear()
        elif not (before and _LENGTH.match(line)):  # its last line: how many bytes there are
            block += _read_line(line, number)
    if block:
        yield bytes(block)


def _read_line(line: str, number: int) -> bytes:
    canonical = _CANONICAL.match(line)
    if canonical:
        return bytes.fromhex(canonical[1])
    escaped = _ESCAPED.findall(line)
    if escaped:
        return bytes.fromhex("".join(escaped))
    offset = _OFFSET.match(line)
    if offset:
        # xxd: two blanks come before the characters.
        line = line[offset.end() :].partition("  ")[0]
    digits = _SEPARATORS.sub("", line)
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise DecodeError(f"line {number} is not hex: {line.strip()[:40]!r}") from None
