"""Lengths and places of messages by era: figures worked out from the kernels' sources.

The tables are written by hand: S is sizeof(struct taskstats) of the version; a reply to GET, and
an event of one task, have 36 + S bytes, an event with a thread group 52 + 2 S.
"""

from __future__ import annotations

import pytest

from netlink_emu.eras.bench import Bench
from netlink_emu.kernel.releases import SERIES, profile_for
from netlink_emu.machine.cgroups import File
from netlink_emu.machine.task import Task
from netlink_emu.protocol.cgroupstats import CGROUPSTATS_CMD_ATTR_FD, CGROUPSTATS_CMD_GET
from netlink_emu.protocol.genetlink import CtrlAttr, CtrlCmd
from netlink_emu.protocol.netlink import NetlinkSockOpt

# (release, S, GET, event with a thread group): include/uapi/linux/taskstats.h
SIZES = [
    ("2.6.18", 72, 108, 196),
    ("2.6.19", 240, 276, 532),
    ("2.6.20", 264, 300, 580),
    ("2.6.22", 272, 308, 596),
    ("2.6.23", 288, 324, 628),
    ("2.6.26", 312, 348, 676),
    ("2.6.36", 328, 364, 708),
    ("4.19", 328, 364, 708),
    ("5.5", 344, 380, 740),
    ("5.16", 352, 388, 756),
    ("5.18", 368, 404, 788),
    ("6.3", 416, 452, 884),
    ("6.13", 432, 468, 916),
    ("6.14.8", 560, 596, 1172),
    ("6.19", 560, 596, 1172),
    ("7.3", 688, 724, 1428),
]


def _events(bench: Bench) -> tuple[bytes, bytes]:
    """The events of a thread and of the last task of its process."""
    client = bench.client()
    thread = bench.machine.tasks.clone_thread(bench.worker)
    client.register("0")
    bench.machine.tasks.do_exit(thread, 0)
    bench.machine.tasks.do_exit(bench.worker, 0)
    one, two = client.drain()
    return one, two


@pytest.mark.parametrize(("release", "size", "get", "group"), SIZES)
def test_lengths(release: str, size: int, get: int, group: int) -> None:
    bench = Bench(profile_for(release))
    reply = bench.client().stats()
    assert (len(reply), bench.struct_offsets(reply)) == (get, [36])
    assert get == 36 + size
    bench = Bench(profile_for(release))
    one, two = _events(bench)
    assert (len(one), len(two)) == (get, group)
    assert bench.struct_offsets(two) == [36, 52 + size]


@pytest.mark.parametrize(("release", "size"), [("2.6.19", 236), ("2.6.20", 260), ("2.6.21", 272)])
def test_lengths_on_i386(release: str, size: int) -> None:
    # A u64 is aligned to 4 there; from version 4 on members ask for 8.
    bench = Bench(profile_for(release, arch="i386"))
    assert len(bench.client().stats()) == 36 + size
    _, two = _events(Bench(profile_for(release, arch="i386")))
    assert len(two) == 52 + 2 * size


@pytest.mark.parametrize("release", SERIES)
def test_every_series_answers(release: str) -> None:
    bench = Bench(profile_for(release))
    (stats,) = bench.taskstats(bench.client().stats())
    assert stats["version"] == bench.profile.taskstats_version
    if stats["version"] != 1:
        assert stats["ac_pid"] == 2000
        assert stats["ac_comm"] == b"worker".ljust(32, b"\0")


# --- padding: kernel/taskstats.c, arch/*/Kconfig


@pytest.mark.parametrize(
    ("release", "arch", "get", "one_at", "group", "two_at"),
    [
        # None: S is 328 up to 4.19.
        ("2.6.36", "mips64", 36 + 328, [36], 52 + 656, [36, 380]),
        # Before each AGGR: the second struct lands at 60 + S, misaligned by four.
        ("2.6.37", "ia64", 40 + 328, [40], 60 + 656, [40, 388]),
        ("2.6.39", "sparc64", 40 + 328, [40], 60 + 656, [40, 388]),
        ("4.6", "mips64", 40 + 328, [40], 60 + 656, [40, 388]),
        ("3.11", "aarch64", 40 + 328, [40], 60 + 656, [40, 388]),
        ("3.14", "aarch64", 36 + 328, [36], 52 + 656, [36, 380]),
        ("4.6", "mips", 36 + 328, [36], 52 + 656, [36, 380]),
        # Inside the nest, where it would be misaligned: only the first is.
        ("4.7", "mips64", 40 + 328, [40], 56 + 656, [40, 384]),
        ("4.9", "mips", 40 + 328, [40], 56 + 656, [40, 384]),
        ("6.18", "riscv64", 40 + 560, [40], 56 + 1120, [40, 616]),
        ("7.3", "sparc64", 40 + 688, [40], 56 + 1376, [40, 744]),
        ("7.3", "i386", 36 + 688, [36], 52 + 1376, [36, 740]),
    ],
)
def test_padding(
    release: str, arch: str, get: int, one_at: list[int], group: int, two_at: list[int]
) -> None:
    bench = Bench(profile_for(release, arch=arch))
    reply = bench.client().stats()
    assert (len(reply), bench.struct_offsets(reply)) == (get, one_at)
    bench = Bench(profile_for(release, arch=arch))
    one, two = _events(bench)
    assert (len(one), bench.struct_offsets(one)) == (get, one_at)
    assert (len(two), bench.struct_offsets(two)) == (group, two_at)


@pytest.mark.parametrize("arch", ["x86_64", "mips64", "riscv64", "sparc64"])
def test_cgroupstats_are_never_padded(arch: str) -> None:
    for release in ("2.6.24", "4.6", "4.7", "7.3"):
        bench = Bench(profile_for(release, arch=arch))
        client = bench.client()
        _give_cgroup(bench, client.task)
        (reply,) = client.ask(bench.request(CGROUPSTATS_CMD_GET, [(CGROUPSTATS_CMD_ATTR_FD, 7)]))
        assert len(reply) == 64


def _give_cgroup(bench: Bench, task: Task) -> None:
    task.files[7] = File(cgroup=bench.machine.cgroups)


# --- byte order


def test_a_big_endian_machine_speaks_big_endian() -> None:
    bench = Bench(profile_for("6.18", arch="s390x"))
    reply = bench.client().stats()
    # nlmsg_len 596, type, flags, seq 1, pid 1000; cmd 2, version 1; AGGR_PID of 576 ...
    assert reply[:44].hex(" ", 4) == (
        "00000254 001f0000 00000001 000003e8 02010000 02400004 00080001 000007d0 02340003 "
        "00100000 00000000"
    )
    little = Bench(profile_for("6.18", arch="aarch64")).client().stats()
    assert little[:44].hex(" ", 4) == (
        "54020000 1f000000 01000000 e8030000 02010000 40020400 08000100 d0070000 34020300 "
        "10000000 00000000"
    )


# --- CTRL_CMD_GETFAMILY: net/netlink/genetlink.c


@pytest.mark.parametrize(
    ("release", "length", "maxattr", "flags"),
    [
        ("2.6.18", 44, None, []),
        ("2.6.19", 100, 4, [0x00]),
        ("2.6.20", 92, 4, [0x0A]),
        ("2.6.23", 92, 4, [0x0A]),
        ("2.6.24", 112, 4, [0x0A, 0x0A]),
        ("3.0", 112, 4, [0x0A, 0x0A]),
        ("3.0.101", 112, 4, [0x0B, 0x0A]),
        ("3.1", 112, 4, [0x0B, 0x0A]),
        ("5.9", 112, 4, [0x0B, 0x0A]),
        ("5.10", 112, 0, [0x0B, 0x0A]),
        ("7.3", 112, 0, [0x0B, 0x0A]),
    ],
)
def test_getfamily_of_taskstats(
    release: str, length: int, maxattr: int | None, flags: list[int]
) -> None:
    bench = Bench(profile_for(release))
    request = bench.ctrl(
        CtrlCmd.CTRL_CMD_GETFAMILY, [(CtrlAttr.CTRL_ATTR_FAMILY_NAME, "TASKSTATS")]
    )
    (reply,) = bench.client().ask(request)
    assert len(reply) == length
    top = {
        kinds[0]: reply[at : at + size] for kinds, at, size in bench.walk(reply) if len(kinds) == 1
    }
    assert top.get(CtrlAttr.CTRL_ATTR_MAXATTR) == (
        None if maxattr is None else maxattr.to_bytes(4, "little")
    )
    # OP_ID and OP_FLAGS, eight bytes each, stand first in each operation's nest.
    found = [
        int.from_bytes(reply[at + 12 : at + 16], "little")
        for at in range(len(reply) - 15)
        if reply[at : at + 8] in (b"\x08\0\1\0\1\0\0\0", b"\x08\0\1\0\4\0\0\0")
        and reply[at + 8 : at + 12] == b"\x08\0\2\0"
    ]
    assert found == flags


# --- NLMSG_ERROR: net/netlink/af_netlink.c, netlink_ack()


@pytest.mark.parametrize(
    ("release", "length", "types"),
    [
        # 20 + the 28 bytes of the request, then TLVs: OFFS 8; MSG 40; POLICY 36
        ("4.11", 48, []),
        ("4.12", 56, [2]),
        ("4.18", 56, [2]),
        ("4.19", 96, [1, 2]),
        ("5.9", 96, [1, 2]),
        ("5.10", 132, [1, 2, 4 | 0x8000]),
        ("6.18", 132, [1, 2, 4 | 0x8000]),
    ],
)
def test_a_short_pid_with_ext_ack(release: str, length: int, types: list[int]) -> None:
    bench = Bench(profile_for(release))
    client = bench.client()
    outcome = client.setsockopt(NetlinkSockOpt.NETLINK_EXT_ACK, 1)
    assert outcome == ("ENOPROTOOPT" if release == "4.11" else "0")
    (error,) = client.ask(bench.get([(1, b"\1\0")]))
    assert len(error) == length
    found = []
    at = 16 + 4 + 28
    while at < len(error):
        found.append(int.from_bytes(error[at + 2 : at + 4], "little"))
        at += (int.from_bytes(error[at : at + 2], "little") + 3) & ~3
    assert found == types
