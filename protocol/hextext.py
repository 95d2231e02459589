"""Datagrams from text: hex as people paste it, from xxd, hexdump and strace."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .format import DecodeError

_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")
_OFFSET = re.compile(r"^\s*(?:0x)?[0-9a-fA-F]{4,16}:\s*")
_CANONICAL = re.compile(r"^\s*[0-9a-fA-F]{7,8}\s+((?:[0-9a-fA-F]{2}\s+)*)\|.*\|\s*$")
_SEPARATORS = re.compile(r"0x|[\s,:;]+")


def read_hex(text: str) -> Iterator[bytes]:
    """The datagrams of a text; blank lines separate them, ``#`` begins a comment.

    Raises DecodeError, with the line, for what is no hex.
    """
    block = bytearray()
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0]
        if not line.strip():
            if block:
                yield bytes(block)
            block.clear()
            continue
        block += _read_line(line, number)
    if block:
        yield bytes(block)


def _read_line(line: str, number: int) -> bytes:
    escaped = _ESCAPED.findall(line)
    if escaped:
        return bytes.fromhex("".join(escaped))
    canonical = _CANONICAL.match(line)
    if canonical:
        return bytes.fromhex(canonical[1])
    if re.fullmatch(r"\s*[0-9a-fA-F]{7,8}\s*", line) and len(line.strip()) == 7:
        return b""  # hexdump's last line: the length
    offset = _OFFSET.match(line)
    if offset:
        # xxd: two blanks come before the characters.
        line = line[offset.end() :].partition("  ")[0]
    digits = _SEPARATORS.sub("", line)
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise DecodeError(f"line {number} is no hex: {line.strip()[:40]!r}") from None
