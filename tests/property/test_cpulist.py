"""CPU lists: any text gives a mask or one of three errnos; masks survive being written."""

from __future__ import annotations

import itertools
from errno import EINVAL, EOVERFLOW, ERANGE

from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.protocol.cpulist import CpulistDialect, format_cpulist, parse_cpulist
from netlink_emu.protocol.errors import NetlinkError

DIALECTS = st.sampled_from([*CpulistDialect])
WIDTHS = st.sampled_from([1, 2, 8, 64, 256, 8192])
TOKENS = st.sampled_from(
    [
        *(b"0", b"1", b"7", b"63", b"255", b"007", b"4294967290", b"4294967295", b"4294967296"),
        *(b",", b"-", b":", b"/", b" ", b"\n", b"\t", b"\xa0", b"\0", b"N", b"all", b"aLL", b"x"),
        *(b"0-7", b"0-7:1/2", b"18446744073709551616"),
    ]
)
TEXTS = st.one_of(st.binary(max_size=40), st.lists(TOKENS, max_size=10).map(b"".join))

REWRITTEN = {CpulistDialect.E4, CpulistDialect.E5A, CpulistDialect.E5}


def outcome(text: bytes, nbits: int, dialect: CpulistDialect) -> int:
    """The mask, or the negative errno."""
    try:
        return parse_cpulist(text, nbits, dialect)
    except NetlinkError as exc:
        return -exc.errno


@given(text=TEXTS, nbits=WIDTHS, dialect=DIALECTS)
def test_any_text(text: bytes, nbits: int, dialect: CpulistDialect) -> None:
    mask = outcome(text, nbits, dialect)
    overflow = {-EOVERFLOW} if dialect in REWRITTEN else set()
    assert 0 <= mask < 1 << nbits or mask in {-EINVAL, -ERANGE} | overflow
    # What counts ends at the NUL.
    assert outcome(text.partition(b"\0")[0], nbits, dialect) == mask


@given(mask=st.integers(1, (1 << 256) - 1), dialect=DIALECTS)
def test_every_dialect_reads_what_is_written(mask: int, dialect: CpulistDialect) -> None:
    assert parse_cpulist(format_cpulist(mask).encode(), 256, dialect) == mask


@given(mask=st.integers(0, (1 << 64) - 1))
def test_what_is_written_is_in_order_and_short(mask: int) -> None:
    items = [item.split("-") for item in format_cpulist(mask).split(",") if item]
    ranges = [(int(item[0]), int(item[-1])) for item in items]
    cpus = [cpu for start, end in ranges for cpu in range(start, end + 1)]
    assert cpus == [cpu for cpu in range(64) if mask >> cpu & 1]
    assert all(after[0] > before[1] + 1 for before, after in itertools.pairwise(ranges))


@given(
    start=st.integers(0, 300), length=st.integers(0, 300),
    used=st.integers(0, 40), more=st.integers(0, 40), dialect=DIALECTS,
)  # fmt: skip
def test_patterns_mean_what_they_say(
    start: int, length: int, used: int, more: int, dialect: CpulistDialect
) -> None:
    end, group = start + length, max(used + more, 1)
    text = f"{start}-{end}:{used}/{group}".encode()
    expected = sum(1 << cpu for cpu in range(start, end + 1) if (cpu - start) % group < used)
    if dialect.name in ("E1", "E2A", "E2B", "E2C"):  # 4.9 brought patterns
        expected = -ERANGE if dialect.name == "E1" and end >= 601 else -EINVAL
    assert outcome(text, 601, dialect) == expected


@given(text=TEXTS, nbits=WIDTHS)
def test_newer_dialects_only_add(text: bytes, nbits: int) -> None:
    """5.13 and 5.14 read what 5.2 reads as it does."""
    mask = outcome(text, nbits, CpulistDialect.E4)
    if mask >= 0:
        assert outcome(text, nbits, CpulistDialect.E5A) == mask
        assert outcome(text, nbits, CpulistDialect.E5) == mask
