"""What the targets say with."""

from __future__ import annotations

from typing import Final


def check(holds: object, what: object = "") -> None:
    """Say that there is a bug unless something holds."""
    if not holds:
        raise AssertionError(what)


_EDGES: Final = (
    -1, 0x7FFFFFFF, 1 << 31, 0xFFFFFFFF, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
    (1 << 47) - 4097, (1 << 47) - 4096, 1 << 56, 270, 4096, 65536, 1 << 20, 1 << 24,
)  # fmt: skip


def number(byte: int) -> int:
    """A number that a byte stands for: itself, or where lengths and pointers turn over."""
    return byte if byte < 0xC0 else _EDGES[byte % len(_EDGES)]
