"""Hex as people paste it: every form gives the same bytes, and what is none is named."""

from __future__ import annotations

import pytest

from netlink_emu.protocol.format import DecodeError
from netlink_emu.protocol.reading.hextext import read_hex

DATA = bytes(range(0x10, 0x24))


@pytest.mark.parametrize(
    "text",
    [
        "10111213 1415161718191a1b 1c1d1e1f20212223",
        "10:11:12:13:14:15:16:17:18:19:1a:1b:1c:1d:1e:1f:20:21:22:23",
        "0x10, 0x11; 0x12 0x13 14151617 18191A1B 1c1d1e1f 20212223",
        # xxd
        "00000000: 1011 1213 1415 1617 1819 1a1b 1c1d 1e1f  ................\n"
        '00000010: 2021 2223                                 !"#',
        "0x0000:  1011 1213 1415 1617 1819 1a1b 1c1d 1e1f\n\t0x0010:  2021 2223",
        # hexdump -C
        "00000000  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f  |................|\n"
        '00000010  20 21 22 23                                       | !"#|  \n'
        "00000014",
        # hexdump -C -v, whose characters look like escapes, and a length of seven digits
        r"0000000  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f  |....\x12.\x13...|"
        "\n0000010  20 21 22 23  |###|\n0000014",
        # strace -xx, and what it says around it
        r'sendto(3, "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f'
        r'\x20\x21\x22\x23", 20, 0, NULL, 0) = 20',
        "# a comment\n10111213 # and one here\n1415161718191a1b1c1d1e1f20212223\n",
    ],
)
def test_all_forms(text: str) -> None:
    assert [*read_hex(text)] == [DATA]


def test_eight_digits_are_bytes_but_behind_a_dump() -> None:
    assert [*read_hex("00000014")] == [b"\0\0\0\x14"]
    assert [*read_hex("00000000  10  |.|\n00000001\n00000001")] == [b"\x10\0\0\0\1"]


def test_blank_lines_separate_datagrams() -> None:
    text = "\n\n1011\n12\n\n  \n# nothing here\n\n13\n\n"
    assert [*read_hex(text)] == [b"\x10\x11\x12", b"\x13"]
    assert [*read_hex("")] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10\n\nno hex", "line 3 is not hex: 'no hex'"),
        ("101", "line 1 is not hex: '101'"),
        ("z" * 41, f"line 1 is not hex: '{'z' * 40}'"),
        ("0000000000", None),
        ("000000", None),
    ],
)
def test_what_is_no_hex(text: str, said: str | None) -> None:
    if said is None:
        assert [*read_hex(text)] == [bytes.fromhex(text)]
        return
    with pytest.raises(DecodeError) as error:
        list(read_hex(text))
    assert str(error.value) == said
