"""Messages as lines and as JSON, character by character."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from netlink_emu.protocol.cgroupstats import CGROUPSTATS
from netlink_emu.protocol.format import BIG, LITTLE
from netlink_emu.protocol.reading.decode import Attribute, Decoder, Message
from netlink_emu.protocol.reading.render import message_json, message_lines
from netlink_emu.protocol.reading.structs import layout_of
from netlink_emu.protocol.taskstats import taskstats_layout

IDS = {0x1F: "TASKSTATS"}


def attr(kind: int, payload: bytes, length: int | None = None) -> bytes:
    size = 4 + len(payload) if length is None else length
    return struct.pack("=HH", size, kind) + payload + bytes(-len(payload) % 4)


def message(kind: int, flags: int, body: bytes, *, seq: int = 7, pid: int = 9) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, seq, pid) + body


def genl(kind: int, cmd: int, *attrs: bytes, flags: int = 0) -> bytes:
    return message(kind, flags, struct.pack("=BBxx", cmd, 1) + b"".join(attrs))


def decode(data: bytes) -> list[Message]:
    return Decoder(ids=dict(IDS)).datagram(data)


def text(data: bytes) -> list[str]:
    return [line for found in decode(data) for line in message_lines(found)]


def values(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(json.dumps([*map(message_json, decode(data))]))
    return found


REQUEST = genl(0x1F, 1, attr(1, struct.pack("=I", 42)), flags=5)


def test_an_error_with_the_whole_request_and_an_extended_ack() -> None:
    extack = attr(1, b"Bad\n\0") + attr(2, struct.pack("=I", 20))
    data = message(2, 0x200, struct.pack("=i", -22) + REQUEST + extack)
    assert text(data) == [
        "NLMSG_ERROR EINVAL ACK_TLVS seq 7 pid 9",
        "  about TASKSTATS TASKSTATS_CMD_GET seq 7",
        '  NLMSGERR_ATTR_MSG "Bad\\n"',
        "  NLMSGERR_ATTR_OFFS 20",
    ]
    (found,) = values(data)
    assert found == {
        "type": "NLMSG_ERROR",
        "nlmsg_type": 2,
        "flags": ["ACK_TLVS"],
        "seq": 7,
        "pid": 9,
        "error": -22,
        "errno": "EINVAL",
        "about": {
            "type": "TASKSTATS",
            "nlmsg_type": 31,
            "flags": ["REQUEST", "ACK"],
            "seq": 7,
            "pid": 9,
            "cmd": "TASKSTATS_CMD_GET",
            "attrs": [{"attr": "TASKSTATS_CMD_ATTR_PID", "value": 42}],
        },
        "attrs": [
            {"attr": "NLMSGERR_ATTR_MSG", "value": "Bad\n"},
            {"attr": "NLMSGERR_ATTR_OFFS", "value": 20},
        ],
    }


def test_an_ack_that_quotes_the_header_alone() -> None:
    data = message(2, 0x100, struct.pack("=i", 0) + REQUEST[:16])
    (found,) = decode(data)
    assert text(data) == ["NLMSG_ERROR 0 CAPPED seq 7 pid 9", "  about TASKSTATS seq 7"]
    assert (found.about and found.about.data, found.rest) == (REQUEST[:16], b"")
    # Without the flag, too, when the message is not there.
    (found,) = decode(message(2, 0, struct.pack("=i", -3) + REQUEST[:16]))
    assert (found.about and found.about.data, found.errno_name) == (REQUEST[:16], "ESRCH")


def test_what_follows_an_error_without_the_flag_is_no_attribute() -> None:
    data = message(2, 0, struct.pack("=i", -1) + REQUEST + b"more")
    assert text(data)[-1] == "  4 more bytes: 6d6f7265"
    assert values(data)[0]["rest"] == "6d6f7265"


def test_what_is_not_known() -> None:
    data = genl(0x40, 3, attr(0x8001, attr(2, b"x" * 5)), attr(3, b""), b"\1\2\3")
    assert text(data) == [
        "64 command 3 seq 7 pid 9",
        "  1/2 78787878 78",
        '  3 ""',
        "  3 more bytes: 010203",
    ]
    (found,) = values(data)
    assert found["cmd"] == 3
    assert found["attrs"] == [
        {"attr": 1, "value": [{"attr": 2, "value": {"hex": "7878787878"}}]},
        {"attr": 3, "value": {"hex": ""}},
    ]


def test_no_message_at_all() -> None:
    assert text(b"\1\2\3\4\5") == ["no message: 01020304 05"]
    assert text(b"") == ["no message: nothing"]
    assert "cmd" not in values(b"\1")[0]


def test_a_struct_that_is_too_long_for_a_line() -> None:
    layout = taskstats_layout(16, 8)
    fields: dict[str, Any] = dict.fromkeys(layout.codec(LITTLE).names, 0) | {
        "version": 16, "ac_comm": b"worker\0junk", "ac_pid": 1 << 20, "ac_etime": 1 << 40,
        "cpu_run_real_total": 1 << 40, "nvcsw": 1 << 40,
    }  # fmt: skip
    stats = layout.codec(LITTLE).encode(fields)
    data = genl(0x1F, 2, attr(0x8004, attr(1, struct.pack("=I", 5)) + attr(3, stats)))
    lines = text(data)
    assert lines[0] == "TASKSTATS TASKSTATS_CMD_NEW seq 7 pid 9"
    assert lines[1:4] == [
        "  TASKSTATS_TYPE_AGGR_PID",
        "    TASKSTATS_TYPE_PID 5",
        "    TASKSTATS_TYPE_STATS",
    ]
    assert " ".join(line.strip() for line in lines[4:]) == (
        "version=16 cpu_run_real_total=1099511627776 "
        'ac_comm="worker" ac_pid=1048576 ac_etime=1099511627776 nvcsw=1099511627776'
    )
    assert all(line.startswith("      ") and len(line) <= 86 for line in lines[4:])
    member = values(data)[0]["attrs"][0]["value"][1]["value"]
    assert (member["ac_comm"], member["ac_uid"]) == ("worker", 0)


def test_a_struct_on_one_line() -> None:
    cgroup = CGROUPSTATS[LITTLE].pack(1, 0, 3, 0, 5)
    assert text(genl(0x1F, 5, attr(1, cgroup)))[1] == (
        "  CGROUPSTATS_TYPE_CGROUP_STATS nr_sleeping=1 nr_stopped=3 nr_io_wait=5"
    )
    (found,) = values(genl(0x1F, 5, attr(1, cgroup)))
    assert found["attrs"][0]["value"] == {
        "nr_sleeping": 1, "nr_running": 0, "nr_stopped": 3, "nr_uninterruptible": 0,
        "nr_io_wait": 5,
    }  # fmt: skip
    # Another size is bytes.
    assert text(genl(0x1F, 5, attr(1, cgroup[:-8])))[1].endswith(" 00000000 00000000")


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b"abc\0", '"abc"'),
        (b"a\nb\0", '"a\\nb"'),
        (b"a\tb\0", "61096200"),
        (b"\xff\0", "ff00"),
        (b"", '""'),
    ],
)
def test_strings(payload: bytes, shown: str) -> None:
    assert text(genl(16, 3, attr(2, payload)))[1] == f"  CTRL_ATTR_FAMILY_NAME {shown}"


def test_an_integer_of_another_size_and_a_broken_nest_are_bytes() -> None:
    assert text(genl(0x1F, 1, attr(1, b"\1\0")))[1] == "  TASKSTATS_CMD_ATTR_PID 0100"
    assert text(genl(16, 1, attr(6, b"\1")))[1] == "  CTRL_ATTR_OPS 01"
    assert text(genl(16, 1, attr(6, attr(1, b"") + b"\7")))[1] == "  CTRL_ATTR_OPS 04000100 07"
    assert text(genl(16, 1, attr(6, b"")))[1] == "  CTRL_ATTR_OPS"


def test_messages_after_one_another() -> None:
    both = REQUEST + genl(16, 3, attr(2, b"x\0"))
    assert [found.header.nlmsg_type for found in decode(both + b"\0\0")] == [31, 16, 0]
    # Shorter than a message, and longer than what is there.
    assert [found.rest for found in decode(REQUEST[:15])] == [REQUEST[:15]]
    assert [found.rest for found in decode(REQUEST[:-1])] == [REQUEST[:-1]]


@pytest.mark.parametrize("order", [LITTLE, BIG])
@pytest.mark.parametrize("version", range(1, 18))
@pytest.mark.parametrize("align", [4, 8])
def test_the_layout_of_each_version(order: Any, version: int, align: int) -> None:
    layout = taskstats_layout(version, align)
    data = version.to_bytes(2, order.name).ljust(layout.size, b"\0")
    found = layout_of(data, order)
    assert found is not None
    assert (found.version, found.size) == (version, layout.size)
    assert layout_of(data + bytes(1), order) is None
    assert layout_of((18).to_bytes(2, order.name) + data[2:], order) is None


@pytest.mark.parametrize("order", [LITTLE, BIG])
@pytest.mark.parametrize("version", [*range(1, 12), *range(13, 18)])  # no release had 12
@pytest.mark.parametrize("align", [4, 8])
def test_the_layout_of_a_thread_group(order: Any, version: int, align: int) -> None:
    """It has no version: the size tells, but of two pairs."""
    layout = layout_of(bytes(taskstats_layout(version, align).size), order)
    assert layout is not None
    assert layout.version == {7: 8, 15: 16}.get(version, version)
    assert layout.size == taskstats_layout(version, align).size


@pytest.mark.parametrize(
    ("flags", "kind", "cmd", "names"),
    [
        (0x0001, 31, 1, ["REQUEST"]),
        (0x0301, 31, 1, ["REQUEST", "DUMP"]),
        (0x0101, 31, 1, ["REQUEST", "ROOT"]),
        (0x0201, 31, 1, ["REQUEST", "MATCH"]),
        (0x0401, 31, 1, ["REQUEST", "ATOMIC"]),
        (0x8001, 31, 1, ["REQUEST", "0x8000"]),
    ],
)
def test_flags(flags: int, kind: int, cmd: int, names: list[str]) -> None:
    found = [*decode(message(kind, flags, struct.pack("=BBxx", cmd, 1)))[0].flags]
    assert found == names
    if len(names) > 1:
        assert text(message(kind, flags, struct.pack("=BBxx", cmd, 1)))[0] == (
            f"TASKSTATS TASKSTATS_CMD_GET {'|'.join(names)} seq 7 pid 9"
        )


def test_numbers_that_have_names_and_those_that_have_none() -> None:
    def policy(kind: int) -> bytes:
        return attr(8, attr(5, attr(6, attr(1, struct.pack("=I", kind)))))

    assert text(genl(16, 10, policy(4)))[1].endswith(" NL_ATTR_TYPE_U32 (4)")
    assert text(genl(16, 10, policy(99)))[1].endswith("/NL_POLICY_TYPE_ATTR_TYPE 99")

    def op(flags: int) -> bytes:
        return attr(6, attr(1, attr(2, struct.pack("=I", flags))))

    assert text(genl(16, 1, op(3)))[1].endswith(" GENL_ADMIN_PERM|GENL_CMD_CAP_DO (0x3)")
    assert text(genl(16, 1, op(0x100)))[1].endswith("/CTRL_ATTR_OP_FLAGS 0x100")


def test_bytes_are_in_groups_of_four() -> None:
    assert text(message(5, 0, bytes(range(6)))) == [
        "5 seq 7 pid 9",
        "  6 more bytes: 00010203 0405",
    ]


def test_the_json_of_a_header_has_no_more_than_that() -> None:
    assert values(message(3, 2, b"")) == [
        {"type": "NLMSG_DONE", "nlmsg_type": 3, "flags": ["MULTI"], "seq": 7, "pid": 9}
    ]


def test_a_struct_has_eighty_columns() -> None:
    for width, count in ((80, 2), (81, 4)):
        found = Attribute(3, "stats", b"", {"version": 0, "name": "x" * (width - 17)})
        rest = Attribute(1, "last", b"", 5)
        header = decode(REQUEST)[0].header
        lines = [*message_lines(Message(header, b"", attrs=(found, rest)))][1:]
        assert lines[-1] == "  last 5"
        assert len(lines) == count
        assert len(" ".join(line.strip() for line in lines[:-1])) == len("stats ") + width


def test_a_name_that_is_no_text_is_bytes() -> None:
    layout = taskstats_layout(16, 8)
    stats = layout.codec(LITTLE).encode({"ac_comm": b"\xff\xfe1234\0junk"})
    data = genl(0x1F, 2, attr(3, stats))
    assert text(data)[1] == "  TASKSTATS_TYPE_STATS version=0 ac_comm=fffe31323334"
    member = values(data)[0]["attrs"][0]["value"]
    assert (member["ac_comm"], member["version"]) == ({"hex": "fffe31323334"}, 0)
