"""Masked bytes as text, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.conformance.cases import bytes_text
from netlink_emu.conformance.cases.case import CaseError
from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.cases.masked import Mask, MaskedBytes, Symbol
from netlink_emu.protocol.format import LITTLE

FAMILY = Symbol("FAMILY_ID", "TASKSTATS")


@st.composite
def masked_bytes(draw: st.DrawFn) -> MaskedBytes:
    """Runs of all sorts, with masks that do not overlap."""
    parts = draw(
        st.lists(
            st.one_of(
                st.binary(max_size=12),
                st.integers(1, 90).map(bytes),
                st.text("TASKSTATS0-1,", max_size=20).map(str.encode),
                st.tuples(st.binary(min_size=1, max_size=4), st.integers(1, 40)).map(
                    lambda pair: pair[0] * pair[1]
                ),
            ),
            max_size=6,
        )
    )
    data = b"".join(parts)
    cuts = sorted(draw(st.sets(st.integers(0, len(data)), max_size=6)))
    masks = tuple(
        Mask(start, end - start, Symbol("PID", "c1.t1"))
        for start, end in zip(cuts[::2], cuts[1::2], strict=False)
    )
    return MaskedBytes(data, masks)


@given(masked_bytes())
def test_round_trip(masked: MaskedBytes) -> None:
    assert bytes_text.read(bytes_text.write(masked, LITTLE), LITTLE) == masked
    assert bytes_text.read(" ".join(bytes_text.write_messages(masked, LITTLE)), LITTLE) == masked


def test_every_recorded_datagram_round_trips() -> None:
    for case in load_corpus():
        for step in case.steps:
            for datagram in step.expect.datagrams or ():
                text = bytes_text.write(datagram.payload, LITTLE)
                assert bytes_text.read(text, LITTLE) == datagram.payload, case.name


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", b""),
        ("0102 ff", b"\x01\x02\xff"),
        ("00*3 01", b"\0\0\0\x01"),
        ("'0-1' 00", b"0-1\0"),
        ("'0,'*3", b"0,0,0,"),
        (r"'a\x27b'", b"a'b"),
    ],
)
def test_reading(text: str, data: bytes) -> None:
    assert bytes_text.read(text, LITTLE) == MaskedBytes(data)


def test_a_mask_keeps_what_was_recorded() -> None:
    masked = bytes_text.read("1c000000 FAMILY_ID(TASKSTATS)=1f00 0500", LITTLE)
    assert masked == MaskedBytes(bytes.fromhex("1c0000001f000500"), (Mask(4, 2, FAMILY),))
    assert masked.value(masked.masks[0], LITTLE) == 31


def test_a_stats_block_is_written_by_its_members() -> None:
    case = next(case for case in load_corpus() if case.name == "event_exit_0")
    (datagram,) = case.steps[-1].expect.datagrams or ()
    text = bytes_text.write(datagram.payload, LITTLE)
    assert "taskstats:16:live{version=16 ac_flag=33 " in text
    assert " ac_comm='orc-c1' ac_pid=PID(c1):" in text
    assert " ~nvcsw=" in text
    assert len(text) < 800


def test_a_block_that_would_lose_something_is_written_in_hex() -> None:
    case = next(case for case in load_corpus() if case.name == "event_exit_0")
    (datagram,) = case.steps[-1].expect.datagrams or ()
    hole = 36 + 113  # ac_pad
    data = bytearray(datagram.payload.data)
    data[hole] = 1
    masked = MaskedBytes(bytes(data), datagram.payload.masks)
    assert "taskstats:" not in bytes_text.write(masked, LITTLE)
    assert bytes_text.read(bytes_text.write(masked, LITTLE), LITTLE) == masked


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "xy",
        "'open",
        "PID(c1)=0",
        "taskstats:16:sometimes{}",
        "taskstats:16:live{no_such_member=1}",
        "taskstats:16:live{nvcsw=1}",  # varies, but is not marked
        "taskstats:16:none{~nvcsw=1}",
    ],
)
def test_not_understood(text: str) -> None:
    with pytest.raises(CaseError):
        bytes_text.read(text, LITTLE)
