"""struct msghdr and its kin in a client's memory, which here is a few pages of our own."""

from __future__ import annotations

import struct
from collections.abc import Callable
from errno import EFAULT, EINVAL, EMSGSIZE, ENOBUFS

import pytest
from helpers.memory import BASE, Pages, Remembering, trap
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.interpose.syscalls.trap import Trap
from netlink_emu.interpose.syscalls.uapi import (
    MSG_CTRUNC,
    MsgHdr,
    encode_cmsg,
    parse_control,
    place_address,
    place_msghdr,
    read_address,
    read_control,
    read_iovec,
    readv_iovec,
    received_message,
    scatter,
    sent_message,
    single,
    total,
)
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.protocol.errors import NetlinkError

NL_NAME = bytes.fromhex("10 00 00 00 00 00 00 00 00 00 00 00")


def errno_of(call: object, *args: object) -> int:
    with pytest.raises(NetlinkError) as caught:
        call(*args)  # type: ignore[operator]
    return caught.value.errno


# --- struct user_msghdr

# struct user_msghdr as gcc lays it out on x86-64: msg_name, msg_namelen, 4 bytes of padding,
# msg_iov, msg_iovlen, msg_control, msg_controllen, msg_flags, 4 bytes of padding.
MSGHDR = (
    "00 10 01 00  00 00 00 00"
    "0c 00 00 00  ff ff ff ff"
    "00 11 01 00  00 00 00 00"
    "02 00 00 00  00 00 00 00"
    "00 12 01 00  00 00 00 00"
    "40 00 00 00  00 00 00 00"
    "ff ff ff ff  ff ff ff ff"
)


def test_msghdr_is_read_as_the_compiler_lays_it_out() -> None:
    header = MsgHdr.read(trap(Pages(bytes.fromhex(MSGHDR))), BASE)
    assert header == MsgHdr(BASE, 0x11000, 12, 0x11100, 2, 0x11200, 64)


def msghdr(
    *, name: int = 0, namelen: int = 0, iovlen: int = 0, control: int = 0, controllen: int = 0
) -> bytes:
    return struct.pack("=Qi4xQQQQI4x", name, namelen, BASE + 256, iovlen, control, controllen, 0)


@pytest.mark.parametrize(
    ("namelen", "kept"), [(0, 0), (12, 12), (128, 128), (129, 128), (0x7FFFFFFF, 128)]
)
def test_a_long_name_is_cut_to_sockaddr_storage(namelen: int, kept: int) -> None:
    pages = Pages(msghdr(name=BASE, namelen=namelen))
    assert MsgHdr.read(trap(pages), BASE).namelen == kept


def test_without_a_name_its_length_does_not_matter() -> None:
    assert MsgHdr.read(trap(Pages(msghdr(namelen=-1))), BASE).namelen == 0


def test_what_a_msghdr_may_not_hold() -> None:
    negative = trap(Pages(msghdr(name=BASE, namelen=-1)))
    assert errno_of(MsgHdr.read, negative, BASE) == EINVAL
    many = trap(Pages(msghdr(iovlen=1025), 1 << 16))
    assert errno_of(MsgHdr.read(many, BASE).iovec, many) == EMSGSIZE
    enough = trap(Pages(msghdr(iovlen=1024), 1 << 16))
    assert len(MsgHdr.read(enough, BASE).iovec(enough)) == 1024
    assert errno_of(MsgHdr.read, trap(Pages()), BASE + 8192 - 55) == EFAULT
    assert errno_of(MsgHdr.read, trap(Pages()), 0) == EFAULT


# A header as above, but with one piece, and all within a page of ours.
MESSAGE = struct.pack("<QiIQQQQQ", BASE + 64, 12, 0, BASE + 80, 1, BASE + 96, 0, 0)
MESSAGE += bytes(8) + NL_NAME + bytes(4) + struct.pack("<QQ", BASE + 128, 28)


@pytest.mark.parametrize("read", [sent_message, received_message])
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 95), st.sampled_from((0, 1, 2, 12, 255))), max_size=2),
        min_size=1,
        max_size=4,
    )
)
def test_a_message_that_is_remembered_is_what_it_would_be_without(
    read: Callable[[Trap, int], object], calls: list[list[tuple[int, int]]]
) -> None:
    remembering = Remembering(MESSAGE)

    def outcome(memory: Pages) -> object:
        try:
            return read(trap(memory), BASE)
        except NetlinkError as exc:
            return exc.errno

    for changes in [[], *calls, []]:
        content = bytearray(MESSAGE)
        for at, byte in changes:
            content[at] = byte
        remembering.content[: len(content)] = content
        for _ in range(3):
            assert outcome(remembering) == outcome(Pages(bytes(content)))


@pytest.mark.parametrize("read", [sent_message, received_message])
def test_a_message_that_is_the_same_is_not_parsed_again(
    read: Callable[[Trap, int], object],
) -> None:
    memory = Remembering(MESSAGE)
    first, *others = (read(trap(memory), BASE) for _ in range(4))
    assert others == [first] * 3
    assert others[0] is others[1] is others[2]


# --- struct iovec


def iovec(*pieces: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("=QQ", *piece) for piece in pieces)


def test_iovec_is_read_in_order() -> None:
    pages = Pages(iovec((BASE, 3), (0, 0), (BASE + 9, 1)))
    assert read_iovec(trap(pages), BASE, 3) == [(BASE, 3), (0, 0), (BASE + 9, 1)]
    assert read_iovec(trap(pages), 0, 0) == []


def test_what_an_iovec_may_not_hold() -> None:
    negative = trap(Pages(iovec((BASE, 1 << 63))))
    assert errno_of(read_iovec, negative, BASE, 1) == EINVAL
    kernel = trap(Pages(iovec((0xFFFF800000000000, 8))))
    assert errno_of(read_iovec, kernel, BASE, 1) == EFAULT
    assert errno_of(read_iovec, trap(Pages()), BASE + 8192 - 15, 1) == EFAULT
    assert errno_of(readv_iovec, trap(Pages()), BASE, 1025) == EINVAL


def test_together_no_more_than_max_rw_count() -> None:
    pages = Pages(iovec((BASE, 0x7FFF0000), (BASE, 0x7FFF0000), (BASE, 7)))
    pieces = read_iovec(trap(pages), BASE, 3)
    assert [size for _, size in pieces] == [0x7FFF0000, 0xF000, 0]
    assert single(BASE, 1 << 40) == [(BASE, 0x7FFFF000)]


@given(st.lists(st.integers(0, 20)), st.binary(max_size=100))
def test_scatter_fills_the_pieces_from_the_first_on(sizes: list[int], data: bytes) -> None:
    pieces = [(1000 * n, size) for n, size in enumerate(sizes)]
    places = scatter(pieces, data)
    assert b"".join(part for _, part in places) == data[: total(pieces)]
    for (address, part), (base, size) in zip(places, pieces, strict=False):
        assert address == base
        assert len(part) <= size


# --- struct sockaddr


def test_addresses_of_any_length_are_read() -> None:
    pages = Pages(NL_NAME)
    assert read_address(trap(pages), BASE, 12) == NL_NAME
    assert read_address(trap(pages), BASE, 2) == NL_NAME[:2]
    assert read_address(trap(pages), 0, 0) == b""
    assert errno_of(read_address, trap(pages), BASE, -1) == EINVAL
    assert errno_of(read_address, trap(pages), BASE, 129) == EINVAL
    assert errno_of(read_address, trap(pages), 0, 12) == EFAULT


@pytest.mark.parametrize("room", [0, 1, 11, 12, 13, 128])
def test_an_address_is_cut_and_its_whole_length_told(room: int) -> None:
    pages = Pages(struct.pack("=i", room))
    places = place_address(trap(pages), NL_NAME, BASE + 100, BASE)
    assert places == [(BASE, struct.pack("=i", 12)), (BASE + 100, NL_NAME[:room])]


def test_a_negative_room_for_an_address() -> None:
    pages = Pages(struct.pack("=i", -1))
    assert errno_of(place_address, trap(pages), NL_NAME, BASE + 100, BASE) == EINVAL
    assert errno_of(place_address, trap(pages), NL_NAME, BASE + 100, 0) == EFAULT


# --- struct cmsghdr

CREDENTIALS = Cmsg(1, 2, bytes.fromhex("01 00 00 00 02 00 00 00 03 00 00 00"))
PKTINFO = Cmsg(270, 3, bytes.fromhex("04 00 00 00"))
BOTH = bytes.fromhex(
    "14 00 00 00 00 00 00 00  0e 01 00 00 03 00 00 00  04 00 00 00 00 00 00 00"
    "1c 00 00 00 00 00 00 00  01 00 00 00 02 00 00 00"
    "01 00 00 00 02 00 00 00 03 00 00 00 00 00 00 00"
)


CUT = b"\x1b" + BOTH[25:51]  # of the second message's length, 27 bytes


@pytest.mark.parametrize(
    ("room", "written", "used", "flags"),
    [
        pytest.param(64, BOTH[:20] + BOTH[24:52], 56, 0, id="room for more"),
        pytest.param(56, BOTH[:20] + BOTH[24:52], 56, 0, id="just enough"),
        pytest.param(52, BOTH[:20] + BOTH[24:52], 52, 0, id="without the last padding"),
        pytest.param(51, BOTH[:20] + CUT, 51, MSG_CTRUNC, id="the second is cut"),
        pytest.param(39, BOTH[:20], 24, MSG_CTRUNC, id="no second header fits"),
        pytest.param(20, BOTH[:20], 20, MSG_CTRUNC, id="one without padding"),
        pytest.param(16, b"\x10" + BOTH[1:16], 16, MSG_CTRUNC, id="only a header"),
        pytest.param(15, b"", 0, MSG_CTRUNC, id="not even a header"),
        pytest.param(0, b"", 0, MSG_CTRUNC, id="none"),
    ],
)
def test_control_messages_are_cut_as_put_cmsg_does(
    room: int, written: bytes, used: int, flags: int
) -> None:
    out, at, all_flags = b"", 0, 0
    for message in (PKTINFO, CREDENTIALS):
        data, space, truncated = encode_cmsg(message, room - at)
        out, at, all_flags = out + data, at + space, all_flags | truncated
    assert (out, at, all_flags) == (written, used, flags)


@given(
    st.lists(
        st.builds(
            Cmsg, st.integers(-(2**31), 2**31 - 1), st.integers(0, 9), st.binary(max_size=40)
        )
    )
)
def test_control_messages_are_read_as_they_are_written(messages: list[Cmsg]) -> None:
    data = b""
    for message in messages:
        encoded, space, flags = encode_cmsg(message, 1 << 16)
        assert flags == 0
        data += encoded.ljust(space, b"\0")
    assert parse_control(data) == messages


@pytest.mark.parametrize("length", [0, 1, 15, 57, 1 << 32])
def test_a_control_message_with_a_wrong_length(length: int) -> None:
    """It is EINVAL, once those before it are found to be right."""
    good = struct.pack("=Qii", 20, 270, 3) + bytes(8)
    data = good + struct.pack("=Qii", length, 1, 2) + bytes(40)
    assert parse_control(data) == [Cmsg(270, 3, bytes(4)), Cmsg(1, 0, b"")]


def test_how_much_control_is_read() -> None:
    assert read_control(trap(Pages()), 0, 0) == b""
    assert read_control(trap(Pages(b"abc")), BASE, 15) == b"abc" + bytes(12)
    assert parse_control(bytes(15)) == [], "no header fits"
    assert errno_of(read_control, trap(Pages()), BASE, 1 << 31) == ENOBUFS
    assert errno_of(read_control, trap(Pages()), BASE, 1 << 20) == ENOBUFS
    assert errno_of(read_control, trap(Pages()), 0x100, 24) == EFAULT


# --- what recvmsg(2) writes


def test_recvmsg_writes_name_control_lengths_and_flags() -> None:
    content = msghdr(name=BASE + 1000, namelen=128, control=BASE + 2000, controllen=100)
    pages = Pages(content)
    client = trap(pages)
    header = MsgHdr.read(client, BASE)
    client.write(place_msghdr(client, header, NL_NAME, [PKTINFO], 0x20))
    namelen, controllen, flags = (
        int.from_bytes(pages.content[8:12], "little"),
        int.from_bytes(pages.content[40:48], "little"),
        int.from_bytes(pages.content[48:52], "little"),
    )
    assert (namelen, controllen, flags) == (12, 24, 0x20)
    assert pages.content[1000:1012] == NL_NAME
    assert pages.content[2000:2020] == BOTH[:20]
    # The rest of the header is the client's.
    assert pages.content[:8] == content[:8]
    assert pages.content[16:40] == content[16:40]


def test_without_a_name_its_length_is_left_alone() -> None:
    pages = Pages(msghdr(namelen=77))
    client = trap(pages)
    header = MsgHdr.read(client, BASE)
    client.write(place_msghdr(client, header, NL_NAME, [], 0))
    assert pages.content[8:12] == struct.pack("=i", 77)
