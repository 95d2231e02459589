"""Every kernel holds: whatever bytes come, the answer is netlink and nothing else breaks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netlink_emu.eras.bench import Attr, Bench
from netlink_emu.kernel.profile import ARCHS
from netlink_emu.kernel.releases import profile_for, releases
from netlink_emu.protocol.netlink import NetlinkSockOpt, nlmsg_align, nlmsg_walk

KINDS = st.one_of(st.integers(0, 12), st.integers(0, 0xFFFF))
PAYLOADS = st.one_of(
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from(["TASKSTATS", "nlctrl", "0-1", "all", "0,N", ""]),
    st.binary(max_size=24),
)
ATTRIBUTES: st.SearchStrategy[list[Attr]] = st.lists(st.tuples(KINDS, PAYLOADS), max_size=4)


@st.composite
def requests(draw: st.DrawFn) -> tuple[int, list[Attr], int, int, bytes]:
    """A command, attributes, flags, a family and what follows."""
    return (
        draw(st.integers(0, 12)),
        draw(ATTRIBUTES),
        draw(st.sampled_from([0, 4, 0x100, 0x200, 0x300, 0x304, 0x400])),
        draw(st.sampled_from([0x10, 0x1F, 0x3FF])),
        draw(st.binary(max_size=7)),
    )


@pytest.mark.parametrize("release", releases())
@settings(max_examples=30)
@given(st.lists(requests(), max_size=4), st.booleans())
def test_requests(
    release: str, batch: list[tuple[int, list[Attr], int, int, bytes]], options: bool
) -> None:
    bench = Bench(profile_for(release))
    client = bench.client()
    if options:
        for option in NetlinkSockOpt:
            client.setsockopt(option, 1)
    datagram = b""
    for cmd, attrs, flags, family, extra in batch:
        datagram += b"\0" * (nlmsg_align(len(datagram)) - len(datagram))
        datagram += bench.request(cmd, attrs, family=family, flags=flags, extra=extra)
    client.send(datagram)
    for answer in client.drain():
        end = 0
        for offset, header in nlmsg_walk(answer, bench.order):
            end = offset + nlmsg_align(header.nlmsg_len)
            assert header.nlmsg_pid == client.sock.portid
        assert end >= len(answer)  # nothing is left that is no message
    bench.machine.tasks.do_exit(bench.worker, 0)


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("release", ["2.6.18", "2.6.20", "2.6.38", "4.6", "4.7", "6.14", "7.3"])
def test_every_machine_answers_in_its_own_order(release: str, arch: str) -> None:
    bench = Bench(profile_for(release, arch=arch))
    client = bench.client()
    client.register("0-1")
    reply = client.stats()
    thread = bench.machine.tasks.clone_thread(bench.worker)
    bench.machine.tasks.do_exit(thread, 0)
    bench.machine.tasks.do_exit(bench.worker, 0)
    for message in (reply, *client.drain()):
        ((_, header),) = nlmsg_walk(message, bench.order)
        assert header.nlmsg_len == len(message)
        assert header.nlmsg_type == bench.family
        stats, *group = bench.taskstats(message)
        assert stats["version"] == bench.profile.taskstats_version
        assert stats["cpu_count"] == 1
        for total in group:
            assert total["cpu_count"] == 2
