"""CPU lists (``0-3,7``) as lib/bitmap.c's bitmap_parselist() has read them over the years.

Lists come from clients and are hostile: the work is linear in the text, and in the width of the
mask for each region that has a pattern. Masks are ints, bit 0 being CPU 0.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from errno import EINVAL, EOVERFLOW, ERANGE
from functools import partial
from typing import Final, NoReturn

from .errors import NetlinkError

U32_MAX: Final = 0xFFFF_FFFF
# isspace() of the kernel is Latin-1's: the no-break space is one.
SPACES: Final = b" \t\n\v\f\r\xa0"
SEPARATORS: Final = SPACES + b","


class CpulistDialect(enum.Enum):
    """What bitmap_parselist() takes, by release; stable series of older ones may be ahead."""

    E1 = "2.6.18-2.6.39: no blanks, no empty items, one comma may end the list"
    E2A = "3.0-4.1: blanks around the whole; an empty item is CPU 0; '0-' is 0"
    E2B = "4.2: as 3.0, empty items say nothing"
    E2C = "4.3-4.8: as 4.2, blanks around each item; '0-' is wrong"
    E3A = "4.9-4.13: as 4.3, with patterns a-b:used/group, hardly checked"
    E3 = "4.14-5.1: as 4.9, a group of 0 is wrong; each plain range sets the pattern anew"
    E4 = "5.2-5.12: blanks separate as commas do, patterns are checked, numbers may overflow"
    E5A = "5.13: as 5.2, N is the last CPU"
    E5 = "5.14 and later: as 5.13, 'all' is 0-N"


def parse_cpulist(text: bytes, nbits: int, dialect: CpulistDialect) -> int:
    """The mask that ``text`` stands for; it ends at the first NUL, if there is one.

    ``nbits`` is the width of the mask, nr_cpumask_bits. Raises NetlinkError: EINVAL for what is
    no list, ERANGE for a CPU beyond the width, EOVERFLOW (5.2) for a number beyond 32 bits.
    """
    return _PARSERS[dialect](text.partition(b"\0")[0], nbits)


def format_cpulist(mask: int) -> str:
    """The shortest list of ``mask``, as bitmap_print_to_pagebuf() writes it."""
    items = []
    start = 0
    while mask >> start:
        start += ((mask >> start) & -(mask >> start)).bit_length() - 1
        above = ~(mask >> start)
        end = start + (above & -above).bit_length() - 2
        items.append(f"{start}-{end}" if end > start else f"{start}")
        start = end + 1
    return ",".join(items)


def _fail(errno: int) -> NoReturn:
    raise NetlinkError(errno)


def _wrapping(digits: bytes) -> int:
    """A number as a C unsigned int accumulates it: modulo 2^32."""
    value = 0
    for digit in digits:
        value = (value * 10 + digit - 0x30) & U32_MAX
    return value


def _range_mask(start: int, end: int) -> int:
    return ((1 << (end - start + 1)) - 1) << start


def _repeat(run: int, step: int, count: int) -> int:
    """``run`` or-ed with itself ``count`` times, each ``step`` bits higher; logarithmic."""
    if count == 1:
        return run
    half = count // 2
    mask = _repeat(run, step, half)
    mask |= mask << (step * half)
    return mask | (run << (step * (count - 1))) if count % 2 else mask


def _pattern_mask(start: int, end: int, used: int, group: int) -> int:
    """The first ``used`` of each ``group`` CPUs from ``start`` to ``end``.

    The position is a C unsigned int: a group near 2^32 makes it wrap and walk downwards by what
    is missing to 2^32, so that "7-7:1/4294967295" is 0-7.
    """
    beyond = end + 1
    run = (1 << min(used, beyond)) - 1
    down = U32_MAX + 1 - group
    if down <= start:
        mask = _repeat(run, down, start // down + 1) << (start % down)
    else:
        mask = _repeat(run, group, (end - start) // group + 1) << start
    return mask & ((1 << beyond) - 1)


# --- E1: strtoul() after strtoul() ------------------------------------------------------------

_ITEM: Final = re.compile(rb"([0-9]++)(?:-([0-9]*+))?")


def _parse_numbers(text: bytes, nbits: int) -> int:
    """A newline ends the list, but is looked for behind an item only."""
    mask = position = 0
    while True:
        item = _ITEM.match(text, position)
        if item is None or item[2] == b"":
            _fail(EINVAL)
        start = _wrapping(item[1])
        end = start if item[2] is None else _wrapping(item[2])
        if start > end:
            _fail(EINVAL)
        if end >= nbits:
            _fail(ERANGE)
        mask |= _range_mask(start, end)
        position = item.end() + (text[item.end() : item.end() + 1] == b",")
        if text[position : position + 1] in (b"", b"\n"):
            return mask


# --- E2 and E3: items between commas, up to the first newline ---------------------------------


@dataclass(frozen=True, slots=True)
class _ItemRules:
    """What changed between 3.0 and 5.1."""

    blanks_around_items: bool = True  # else around the whole list only
    empty_is_zero: bool = False
    open_range: bool = False  # "0-" is 0-0
    patterns: bool = False
    plain_resets_pattern: bool = False  # and a group of 0 is wrong
    position_wraps: bool = False


_DELIMITER: Final = re.compile(rb"([:/])")
_SEGMENT: Final = re.compile(rb"(?:([0-9]++)(-[0-9]*+)?)?")
_FIRST_DIGIT: Final = re.compile(rb"[0-9]")


def _segment(text: bytes) -> tuple[int, int]:
    """The start and end of one number or range; what is missing counts as 0."""
    match = _SEGMENT.fullmatch(text)
    if match is None:
        _fail(EINVAL)
    start = _wrapping(match[1] or b"")
    return start, start if match[2] is None else _wrapping(match[2][1:])


class _ItemParser:
    """__bitmap_parselist() of these releases, item by item.

    ``used`` and ``group`` outlive their item: 0-7:4 takes ``used`` from the pattern before it.
    """

    def __init__(self, nbits: int, rules: _ItemRules) -> None:
        self.nbits = nbits
        self.rules = rules
        self.used = self.group = 0
        self.seen_digits = False

    def parse(self, text: bytes) -> int:
        items = text.partition(b"\n")[0].split(b",")
        commas = len(items) - 1
        if commas and not items[-1]:
            del items[-1]  # nothing is read behind a comma that ends the list
        mask = 0
        for index, item in enumerate(items):
            mask |= self._item(self._strip(item, before_comma=index < commas))
        return mask

    def _strip(self, item: bytes, *, before_comma: bool) -> bytes:
        """The item without blanks, but for those between a digit and more: that is no number."""
        whole_list = not self.rules.blanks_around_items
        if not (whole_list and before_comma):
            item = item.rstrip(SPACES)
        digit = _FIRST_DIGIT.search(item)
        if not (whole_list and self.seen_digits):
            head = digit.start() if digit else len(item)
            item = item[:head].translate(None, SPACES) + item[head:]
        self.seen_digits |= digit is not None
        return item

    def _item(self, item: bytes) -> int:
        segments = _DELIMITER.split(item) if self.rules.patterns else [item]
        pattern: tuple[int, int] | None = None
        for text, delimiter in zip(segments[0::2], segments[1::2], strict=False):
            bounds = _segment(text)
            if delimiter == b":":
                pattern = bounds
            else:
                self.used = bounds[0]
        start, end = _segment(segments[-1])
        if not (self.rules.empty_is_zero or _FIRST_DIGIT.search(item)):
            return 0
        if segments[-1].endswith(b"-") and not self.rules.open_range:
            _fail(EINVAL)
        if pattern is not None:
            self.group = start
            start, end = pattern
        elif self.rules.plain_resets_pattern:
            self.used = self.group = (end - start + 1) & U32_MAX
        if start > end or self.used > self.group:
            _fail(EINVAL)
        if self.rules.plain_resets_pattern and not self.group:
            _fail(EINVAL)
        if end >= self.nbits:
            _fail(ERANGE)
        if pattern is None:
            return _range_mask(start, end)
        if not self.used:
            return 0
        group = self.group if self.rules.position_wraps else min(self.group, self.nbits)
        return _pattern_mask(start, end, self.used, group)


def _items(text: bytes, nbits: int, rules: _ItemRules) -> int:
    return _ItemParser(nbits, rules).parse(text)


# --- E4 and E5: regions between separators ----------------------------------------------------

_NUMBER: Final = re.compile(rb"0*+([0-9]*+)")
_SEPARATED: Final = re.compile(b"[" + SEPARATORS + b"]*+")
_MOST_DIGITS: Final = len(str(U32_MAX))


@dataclass(frozen=True, slots=True)
class _RegionRules:
    """What changed since 5.2."""

    knows_last: bool = False  # N
    knows_all: bool = False


class _RegionParser:
    """bitmap_parselist() since 5.2: num, num-num, num-num:used/group, all, all:used/group.

    A newline ends the list directly behind a number, a range or all; elsewhere it separates.
    """

    def __init__(self, text: bytes, nbits: int, rules: _RegionRules) -> None:
        self.text = text
        self.nbits = nbits
        self.rules = rules
        self.position = 0

    def parse(self) -> int:
        mask = 0
        while self._find_region():
            mask |= self._region()
        return mask

    def _find_region(self) -> bool:
        separated = _SEPARATED.match(self.text, self.position)
        self.position = separated.end() if separated else self.position
        return self.position < len(self.text)

    def _next(self) -> bytes:
        return self.text[self.position : self.position + 1]

    def _take(self, char: bytes) -> None:
        if self._next() != char:
            _fail(EINVAL)
        self.position += 1

    def _at_end(self) -> bool:
        """Whether the region ends here; a newline ends the list, too."""
        char = self._next()
        if char == b"\n":
            self.position = len(self.text)
        return char in SEPARATORS  # as is b"", the end of the text

    def _number(self) -> int:
        if self.rules.knows_last and self._next() == b"N":
            self.position += 1
            return (self.nbits - 1) & U32_MAX
        number = _NUMBER.match(self.text, self.position)
        if number is None or not number[0]:
            _fail(EINVAL)
        self.position = number.end()
        if len(number[1]) > _MOST_DIGITS or (value := int(number[1] or b"0")) > U32_MAX:
            _fail(EOVERFLOW)
        return value

    def _region(self) -> int:
        if self.rules.knows_all and self.text[self.position : self.position + 3].lower() == b"all":
            self.position += 3
            start, end = 0, (self.nbits - 1) & U32_MAX
        else:
            start = self._number()
            if self._at_end():
                return self._checked(start, start)
            self._take(b"-")
            end = self._number()
        if self._at_end():
            return self._checked(start, end)
        self._take(b":")
        used = self._number()
        self._take(b"/")
        # Nothing has to separate a pattern from what follows: "0-7:1/N3" is two regions.
        return self._checked(start, end, (used, self._number()))

    def _checked(self, start: int, end: int, pattern: tuple[int, int] | None = None) -> int:
        # Without a pattern, the kernel takes one of end + 1: 0 for 4294967295.
        used, group = pattern or ((end + 1) & U32_MAX, (end + 1) & U32_MAX)
        if start > end or not group or used > group:
            _fail(EINVAL)
        if end >= self.nbits:
            _fail(ERANGE)
        return _pattern_mask(start, end, used, group)


def _regions(text: bytes, nbits: int, rules: _RegionRules) -> int:
    return _RegionParser(text, nbits, rules).parse()


_PARSERS: Final[dict[CpulistDialect, Callable[[bytes, int], int]]] = {
    CpulistDialect.E1: _parse_numbers,
    CpulistDialect.E2A: partial(
        _items, rules=_ItemRules(blanks_around_items=False, empty_is_zero=True, open_range=True)
    ),
    CpulistDialect.E2B: partial(
        _items, rules=_ItemRules(blanks_around_items=False, open_range=True)
    ),
    CpulistDialect.E2C: partial(_items, rules=_ItemRules()),
    CpulistDialect.E3A: partial(_items, rules=_ItemRules(patterns=True)),
    CpulistDialect.E3: partial(
        _items,
        rules=_ItemRules(patterns=True, plain_resets_pattern=True, position_wraps=True),
    ),
    CpulistDialect.E4: partial(_regions, rules=_RegionRules()),
    CpulistDialect.E5A: partial(_regions, rules=_RegionRules(knows_last=True)),
    CpulistDialect.E5: partial(_regions, rules=_RegionRules(knows_last=True, knows_all=True)),
}
