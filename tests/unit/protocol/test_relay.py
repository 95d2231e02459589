"""The relay's frames: what is written is read, and nothing else is."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.protocol.format import HOST_ORDER, DecodeError
from netlink_emu.protocol.ours.hello import MAGIC
from netlink_emu.protocol.ours.relay import (
    MAX_FRAME,
    RELAY_HELLO,
    Frames,
    RelayCall,
    RelayHello,
    RelayMethod,
    RelayReport,
    RelayWish,
    ReportKind,
    SockState,
    decode_call,
    decode_cmsgs,
    decode_relay_hello,
    decode_report,
    encode_call,
    encode_cmsgs,
    encode_report,
)

u32 = st.integers(0, (1 << 32) - 1)
s32 = st.integers(-(1 << 31), (1 << 31) - 1)
s64 = st.integers(-(1 << 63), (1 << 63) - 1)
blob = st.binary(max_size=40)
calls = st.builds(RelayCall, u32, u32, u32, u32, s64, s64, s64, blob, blob, blob)
reports = st.builds(
    RelayReport,
    u32, u32, s32, s64, u32, u32, u32, u32, st.integers(0, (1 << 64) - 1), u32, u32, u32, s32,
    s64, s64, blob, blob, blob,
)  # fmt: skip


def test_the_bytes_are_those_of_version_2() -> None:
    """The ends may be of different releases: nothing changes on the wire but with the version."""
    hello = RELAY_HELLO[HOST_ORDER].encode(RelayHello())
    assert hello == MAGIC + struct.pack("=6I", 2, 0, 0, 0, 0, 0)
    call = RelayCall(RelayMethod.SENDMSG, 7, 8, 9, -1, -2, -3, b"addr", b"ctl", b"data")
    header = struct.pack("=8I3q", 67, 4, 7, 8, 9, 4, 3, 0, -1, -2, -3)
    assert encode_call(call) == header + b"addrctldata"
    assert RelayCall(5) == RelayCall(5, 0, 0, 0, 0, 0, 0, b"", b"", b"")
    report = RelayReport(
        ReportKind.RETURNED, 1, -2, -3, 4, 5, 6, 7, 8, 9, 10, 11, -12, -13, -14, b"n", b"c", b"d"
    )
    header = struct.pack(
        "=3IiqIIIIIIQIIIiqq", 91, 2, 1, -2, -3, 4, 5, 1, 1, 6, 7, 8, 9, 10, 11, -12, -13, -14
    )
    assert encode_report(report) == header + b"ncd"
    nothing = (0,) * 12
    assert RelayReport(1) == RelayReport(1, *nothing, -1, -1, b"", b"", b"")
    assert MAX_FRAME == 0x1010000


def test_the_numbers_are_those_of_version_2() -> None:
    assert [method.value for method in RelayMethod] == list(range(1, 14))
    assert [kind.value for kind in ReportKind] == [1, 2, 3, 4]
    assert [state.value for state in SockState] == [1, 2, 4, 8, 16]
    assert [wish.value for wish in RelayWish] == [1, 2]


@given(calls)
def test_a_call_is_read_as_it_was_written(call: RelayCall) -> None:
    assert decode_call(encode_call(call)) == call


@given(reports)
def test_a_report_is_read_as_it_was_written(report: RelayReport) -> None:
    assert decode_report(encode_report(report)) == report


@given(st.lists(st.tuples(s32, s32, blob)))
def test_control_messages_are_read_as_they_were_written(
    cmsgs: list[tuple[int, int, bytes]],
) -> None:
    assert decode_cmsgs(encode_cmsgs(cmsgs)) == cmsgs


@given(st.binary(max_size=200))
def test_junk_is_an_error_or_a_frame_and_nothing_else(junk: bytes) -> None:
    for decode in (decode_call, decode_report, decode_cmsgs):
        try:
            decode(junk)
        except DecodeError:
            continue


@given(st.lists(calls, max_size=5), st.lists(st.integers(1, 50), max_size=30))
def test_a_stream_is_cut_into_frames(sent: list[RelayCall], cuts: list[int]) -> None:
    stream = b"".join(map(encode_call, sent))
    frames, received = Frames(), []
    for cut in [*cuts, len(stream)]:
        piece, stream = stream[:cut], stream[cut:]
        received += [decode_call(frame) for frame in frames.feed(piece)]
    received += [decode_call(frame) for frame in frames.feed(stream)]
    assert received == sent


@pytest.mark.parametrize("size", [0, 3, MAX_FRAME + 1, 0xFFFFFFFF])
def test_a_frame_of_an_impossible_size(size: int) -> None:
    with pytest.raises(DecodeError, match="a frame of"):
        list(Frames().feed(struct.pack("=I", size)))


def test_a_hello_is_known_by_its_version() -> None:
    encode = RELAY_HELLO[HOST_ORDER].encode
    assert decode_relay_hello(encode(RelayHello(wishes=1, uid=7))) == RelayHello(wishes=1, uid=7)
    assert decode_relay_hello(encode(RelayHello(version=1))) is None
    assert decode_relay_hello(encode(RelayHello(magic=bytes(16)))) is None
    assert decode_relay_hello(encode(RelayHello()) + b"\0") is None


def test_the_size_of_a_frame_is_of_all_of_it() -> None:
    report = RelayReport(2, name=b"a", control=b"bc", data=b"def")
    assert encode_report(report)[:4] == struct.pack("=I", 88 + 6)
    call = RelayCall(4, address=b"a", control=b"bc", data=b"def")
    assert encode_call(call)[:4] == struct.pack("=I", 56 + 6)


@pytest.mark.parametrize("size", [4, MAX_FRAME])
def test_frames_of_the_least_and_the_largest_size(size: int) -> None:
    frames = Frames()
    assert list(frames.feed(struct.pack("=I", size))) == ([struct.pack("=I", 4)] * (size == 4))


def test_parts_that_do_not_fit() -> None:
    call = encode_call(RelayCall(2, address=b"abcd", control=b"ef"))
    assert decode_call(call).control == b"ef"
    for cut in (call[:-1], call[:-3]):
        with pytest.raises(DecodeError, match="4 and 2 bytes do not fit into"):
            decode_call(cut)
    report = encode_report(RelayReport(2, name=b"abcd", control=b"ef"))
    with pytest.raises(DecodeError, match="4 and 2 bytes do not fit into 5"):
        decode_report(report[:-1])


def test_a_control_message_that_is_cut() -> None:
    whole = encode_cmsgs([(1, 2, b"abcd")])
    assert decode_cmsgs(b"") == []
    with pytest.raises(DecodeError, match="a control message of 4 bytes has 3"):
        decode_cmsgs(whole[:-1])
    with pytest.raises(DecodeError, match="11 bytes are not a control message"):
        decode_cmsgs(whole[:11])
