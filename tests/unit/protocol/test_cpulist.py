"""Every dialect of CPU lists, against what the kernels' own parsers made of the same texts."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from helpers.steps import lines_run_by

from netlink_emu.protocol.cpulist import CpulistDialect, format_cpulist, parse_cpulist
from netlink_emu.protocol.errors import NetlinkError

GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "cpulist.json").read_text())

D = CpulistDialect
E2_UP = [dialect for dialect in D if dialect is not D.E1]
REGIONS = [D.E4, D.E5A, D.E5]


def outcome(text: bytes, nbits: int, dialect: CpulistDialect) -> str:
    """The mask in hex, or the errno's name: as the golden data has them."""
    try:
        return hex(parse_cpulist(text, nbits, dialect))
    except NetlinkError as exc:
        return errno.errorcode[exc.errno]


def test_golden_data_is_whole() -> None:
    assert len(GOLDEN["cases"]) == 246
    assert {nbits for _, nbits, _ in GOLDEN["cases"]} == {8, 64}
    assert GOLDEN["dialects"] == ["E1", "E2A", "E2B", "E2C", "E3", "E4", "E5"]


@pytest.mark.parametrize("name", GOLDEN["dialects"])
def test_as_the_kernel_parsed_it(name: str) -> None:
    column = GOLDEN["dialects"].index(name)
    expected = {(text, nbits): row[column] for text, nbits, row in GOLDEN["cases"]}
    found = {
        (text, nbits): outcome(text.encode("latin-1"), nbits, CpulistDialect[name])
        for text, nbits in expected
    }
    assert found == expected


# What has a meaning to one dialect or another, and the bytes that isspace() takes for blanks.
MEANING = b"0123456789,-:/nNaAlL\n\0" + b" \t\v\f\r\xa0"


@pytest.mark.parametrize("dialect", list(D))
@pytest.mark.parametrize("text", [b"0%b2", b"%b0", b"0%b", b"0,%b,2", b"0-%b3"])
def test_any_other_byte_is_wrong_wherever_it_stands(text: bytes, dialect: D) -> None:
    for byte in set(range(256)) - set(MEANING):
        assert outcome(text % bytes([byte]), 8, dialect) == "EINVAL"


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        # lib/bitmap.c of 4.9: no group of 0 is refused, what a pattern left behind is checked.
        (b"0-7:1/2", D.E3A, "0x55"),
        (b"0:/", D.E3A, "0x0"),
        (b"0:/0", D.E3A, "0x0"),
        (b"0:/0", D.E3, "EINVAL"),
        (b"0-4294967295", D.E3A, "ERANGE"),
        (b"0-4294967295", D.E3, "EINVAL"),
        (b"3/2", D.E3A, "EINVAL"),
        (b"3/2", D.E3, "0x4"),
        # The number used per group outlives its item.
        (b"0-1:2/4,0-7:4", D.E3A, "0x33"),
        (b"0-1:2/4,0-7:4", D.E3, "0x33"),
        (b"0,0-7:4", D.E3, "0x11"),
        (b"0,0-7:4", D.E3A, "0x1"),
        # A group near 2^32 wraps the position, from 4.14 on.
        (b"7-7:1/4294967295", D.E3A, "0x80"),
        (b"7-7:1/4294967295", D.E3, "0xff"),
        (b"7-7:1/4294967295", D.E4, "0xff"),
        (b"7-7:1/4294967294", D.E5, "0xaa"),
        (b"5-7:2/4294967293", D.E5, "0x6c"),
        # 5.13 has N, but not all.
        (b"0-N", D.E5A, "0xff"),
        (b"all", D.E5A, "EINVAL"),
        # A pattern ends where its number does: nothing has to separate what follows.
        (b"0-7:1/N3", D.E5, "0x89"),
        (b"0-7:4/8all", D.E5, "0xff"),
        (b"0-7:1/8x", D.E5, "EINVAL"),
        # The first number that is too long decides, whatever follows.
        (b"4294967296x", D.E4, "EOVERFLOW"),
        (b"x4294967296", D.E4, "EINVAL"),
        (b"1-4294967296", D.E4, "EOVERFLOW"),
        (b"9-8", D.E4, "EINVAL"),
        (b"0-9:2/1", D.E4, "EINVAL"),
        (b"0-9:1/1", D.E4, "ERANGE"),
        # Errors come in the order of the text.
        (b"9,x", D.E1, "ERANGE"),
        (b"9-", D.E1, "EINVAL"),
        (b"12-", D.E1, "EINVAL"),
        (b"9-9-", D.E1, "ERANGE"),
        (b"9 ,1", D.E2A, "EINVAL"),
        (b"9 ,1", D.E2C, "ERANGE"),
        (b"9,1 2", D.E2A, "ERANGE"),
        # 3.0 to 4.2: blanks around the whole list only.
        (b"1, ", D.E2A, "0x3"),
        (b"1, ", D.E2B, "0x2"),
        (b"1,,", D.E2A, "0x3"),
        (b" ,1", D.E2B, "0x2"),
        (b"1, ,2", D.E2B, "EINVAL"),
    ],
)
def test_corners(text: bytes, dialect: CpulistDialect, expected: str) -> None:
    assert outcome(text, 8, dialect) == expected


@pytest.mark.parametrize("dialect", D)
def test_text_ends_at_its_nul(dialect: CpulistDialect) -> None:
    assert outcome(b"1-2\0,junk", 8, dialect) == "0x6"


@pytest.mark.parametrize("dialect", E2_UP)
@pytest.mark.parametrize("blank", [b" ", b"\t", b"\v", b"\f", b"\r", b"\xa0"])
def test_blanks_of_latin_1(blank: bytes, dialect: CpulistDialect) -> None:
    assert outcome(blank + b"1" + blank, 8, dialect) == "0x2"
    assert outcome(b"\x85" + b"1", 8, dialect) == "EINVAL"  # NEL is no blank of the kernel


@pytest.mark.parametrize("dialect", D)
@pytest.mark.parametrize(
    "text",
    [
        b"9" * 100_000,
        b"0" * 100_000 + b"1",
        b"0-" * 50_000,
        b"0," * 50_000,
        b" " * 100_000 + b"x",
        b"0:" * 50_000,
        b"0-255:1/2," * 160,
        b"255-255:1/4294967295," * 78,
        b"\n" * 100_000,
        b"N" * 100_000,
        b"all:" * 25_000,
    ],
    ids=lambda text: f"{text[:12]!r} {len(text)}",
)
def test_hostile_texts_take_linear_time(text: bytes, dialect: CpulistDialect) -> None:
    """Sixty times what the kernel takes at most."""
    assert lines_run_by(lambda: outcome(text, 256, dialect)) <= 20 * len(text)


@pytest.mark.parametrize("dialect", REGIONS)
def test_patterns_on_wide_masks(dialect: CpulistDialect) -> None:
    expected = sum(1 << cpu for cpu in range(3, 8000) if (cpu - 3) % 7 < 2)
    assert parse_cpulist(b"3-7999:2/7", 8192, dialect) == expected


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (0, ""),
        (1, "0"),
        (0b10, "1"),
        (0b11, "0-1"),
        (0b1011_0111, "0-2,4-5,7"),
        (1 << 255 | 1, "0,255"),
        ((1 << 256) - 1, "0-255"),
    ],
)
def test_format(mask: int, text: str) -> None:
    assert format_cpulist(mask) == text


@pytest.mark.parametrize(
    ("text", "nbits", "dialect", "expected"),
    [
        # A comma at the end is no empty item, which would be CPU 0.
        (b"3,", 8, D.E2A, "0x8"),
        (b"3,,", 8, D.E2A, "0x9"),
        # What a plain range leaves behind is its width.
        (b"2-3,0-7:4", 8, D.E3, "0x3f"),
        # A group that leads back to CPU 0 exactly.
        (b"7-7:1/4294967289", 8, D.E5, "0x81"),
        (b"7-7:1/4294967289", 8, D.E3, "0x81"),
        # Odd and even numbers of groups.
        (b"0-8:1/4", 16, D.E5, "0x111"),
        (b"0-12:2/4", 16, D.E5, "0x1333"),
        (b"0-15:2/4", 16, D.E5, "0x3333"),
    ],
)
def test_corners_that_mutants_showed(
    text: bytes, nbits: int, dialect: CpulistDialect, expected: str
) -> None:
    assert outcome(text, nbits, dialect) == expected
