"""Datagrams in words, and two of them side by side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.judge.compare import Mismatch
from netlink_emu.conformance.report.sidebyside import hex_lines, lines
from netlink_emu.conformance.report.text import side_by_side
from netlink_emu.conformance.report.words import rows_of, summary
from netlink_emu.protocol.format import LITTLE

CASES = {case.name: case for case in load_corpus()}


def recorded(name: str, step: int = -1, datagram: int = 0) -> bytes:
    datagrams = CASES[name].steps[step].expect.datagrams
    assert datagrams is not None
    return datagrams[datagram].payload.data


def covers_every_byte_once(data: bytes) -> bool:
    at = 0
    for row in rows_of(data, 31, LITTLE):
        if row.offset != at or row.size < 0:
            return False
        at += row.size
    return at == len(data)


@given(st.binary(max_size=120))
def test_every_byte_is_in_one_row_of_anything(data: bytes) -> None:
    assert covers_every_byte_once(data)


@given(st.data())
def test_every_byte_is_in_one_row_of_damaged_messages(draw: st.DataObject) -> None:
    data = bytearray(recorded("error_erange_policy_ext_cap"))
    for _ in range(draw.draw(st.integers(0, 3))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    assert covers_every_byte_once(bytes(data))


def test_every_byte_is_in_one_row_of_what_was_recorded() -> None:
    for case in CASES.values():
        for step in case.steps:
            for datagram in step.expect.datagrams or ():
                assert covers_every_byte_once(datagram.payload.data), case.name


def texts(data: bytes) -> dict[str, str]:
    return {row.name: row.text for row in rows_of(data, 31, LITTLE)}


def test_an_event() -> None:
    rows = texts(recorded("event_exit_0"))
    assert rows["nlmsg_type"] == "31 TASKSTATS"
    assert rows["cmd"] == "2 TASKSTATS_CMD_NEW"
    assert rows["AGGR_PID/STATS/ac_flag"] == "0x0021 AFORK|AGROUP"
    assert rows["AGGR_PID/STATS/ac_comm"] == "b'orc-c1'"


def test_an_error_with_its_extended_ack() -> None:
    rows = texts(recorded("error_erange_policy_ext_cap"))
    assert rows["nlmsg_flags"] == "0x0300 CAPPED|ACK_TLVS"
    assert rows["error"] == "-34 ERANGE"
    assert rows["MSG/text"] == r"b'Attribute failed policy validation\x00'"
    assert rows["POLICY/TYPE/value"] == "4 NL_ATTR_TYPE_U32"
    assert rows["request/nlmsg_type"] == "31 TASKSTATS"


def test_the_request_in_an_error() -> None:
    rows = texts(recorded("error_esrch_ext"))
    assert rows["request/cmd"] == "1 TASKSTATS_CMD_GET"
    assert rows["request/PID"] == "type 1, 8 bytes"


def test_a_summary_is_a_line() -> None:
    assert summary(recorded("error_esrch_ext"), 31, LITTLE).startswith(
        "48 bytes, NLMSG_ERROR, error -3 ESRCH"
    )
    assert "cmd 1 CTRL_CMD_NEWFAMILY" in summary(
        recorded("ctrl_getfamily_name_taskstats"), 31, LITTLE
    )
    assert summary(b"", 31, LITTLE) == "0 bytes, ?, seq ?"


def mismatch(change: dict[int, int], loose: tuple[tuple[int, int], ...] = ()) -> Mismatch:
    expected = recorded("event_exit_0")
    data = bytearray(expected)
    for offset, value in change.items():
        data[offset] = value
    ranges = tuple((offset, offset + 1) for offset in sorted(change))
    return Mismatch(0, "datagram 0", "", expected, bytes(data), ranges, loose)


def test_the_field_that_differs_is_marked_alone() -> None:
    marked = [
        line for line in side_by_side(mismatch({44: 0x20}), 31, LITTLE) if line.startswith("!")
    ]
    assert marked == [
        "!  44      ac_flag                  0x0021 AFORK|AGROUP                0x0020 AGROUP"
    ]


def test_a_byte_between_members_shows_when_it_differs() -> None:
    (line,) = [
        line for line in side_by_side(mismatch({150: 7}), 31, LITTLE) if line.startswith("!")
    ]
    assert "(hole)" in line


def test_ranges_that_may_vary_are_marked_as_such() -> None:
    shown = list(side_by_side(mismatch({44: 0}, loose=((8, 12),)), 31, LITTLE))
    (line,) = [line for line in shown if line.startswith("~")]
    assert "nlmsg_seq" in line


def test_hex_shows_the_line_of_the_difference_and_its_neighbours() -> None:
    found = list(hex_lines(mismatch({44: 0x20})))
    assert [line.offset for line in found] == [16, 32, 48]
    assert found[1].differing == {12}
    assert (found[1].expected[12], found[1].got[12]) == (0x21, 0x20)


def test_a_message_of_another_sort_leaves_gaps_on_both_sides() -> None:
    expected, got = recorded("event_exit_0"), recorded("error_esrch_ext")
    both = lines(Mismatch(0, "", "", expected, got, ((0, 596),)), 31, LITTLE)
    assert any(line.got is None for line in both)
    assert any(line.expected is None for line in both)


def test_long_texts_are_cut_around_the_difference() -> None:
    expected = recorded("error_erange_policy_ext_cap")
    data = bytearray(expected)
    at = data.index(b"validation") + 5
    data[at] ^= 1
    marked = Mismatch(0, "", "", expected, bytes(data), ((at, at + 1),))
    (line,) = [line for line in side_by_side(marked, 31, LITTLE) if line.startswith("!")]
    assert "validation" in line
    assert "valid`tion" in line
