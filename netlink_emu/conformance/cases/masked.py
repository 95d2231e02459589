"""Recorded bytes of which some may vary, and what those stand for."""

from __future__ import annotations

from dataclasses import dataclass

from netlink_emu.protocol.format import ByteOrder


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a masked range stands for: ``PID(c1)``, ``FAMILY_ID(TASKSTATS)``, ``STATS(nvcsw)``."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}({self.name})"


@dataclass(frozen=True, slots=True)
class Mask:
    """A range of bytes that stands for a symbol."""

    offset: int
    length: int
    symbol: Symbol

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class MaskedBytes:
    """Bytes as they were recorded, and the ranges of them that may vary, in ascending order."""

    data: bytes
    masks: tuple[Mask, ...] = ()

    def value(self, mask: Mask, order: ByteOrder) -> int:
        """What was recorded under the mask, as a number in the recorded machine's order."""
        return int.from_bytes(self.data[mask.offset : mask.end], order.name)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, part: slice) -> MaskedBytes:
        """A part with the masks that begin in it, at their new offsets."""
        start, end, _ = part.indices(len(self.data))
        masks = tuple(
            Mask(mask.offset - start, mask.length, mask.symbol)
            for mask in self.masks
            if start <= mask.offset < end
        )
        return MaskedBytes(self.data[start:end], masks)
