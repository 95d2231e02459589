"""The fifteen families of a recorded 6.18, made anew from its GETFAMILY and GETPOLICY.

The recording is tests/data/genl-6.18.json. Where this machine's kernel is a 6.18, it is asked.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.kernel import Bench, make_bench
from helpers.nets import SECONDS

from netlink_emu.families.own.recording import RecordedFamily, read_recording
from netlink_emu.kernel.genetlink import GenlInfo
from netlink_emu.kernel.releases import profile_for
from netlink_emu.protocol.attributes import nla_walk
from netlink_emu.protocol.genetlink import CtrlAttr, CtrlCmd
from netlink_emu.protocol.netlink import NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR, nlmsg_walk
from netlink_emu.protocol.policy import policy_attributes

RECORDING: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "genl-6.18.json").read_text("utf-8")
)
FAMILIES: list[dict[str, Any]] = RECORDING["families"]
BUILT_IN = {"nlctrl", "TASKSTATS"}
_READ_SIZE = 1 << 16  # with which the recording was read


def datagrams(family: dict[str, Any], what: str) -> list[bytes]:
    return [bytes.fromhex(text) for text in family[what]]


def read(family: dict[str, Any]) -> RecordedFamily:
    return read_recording(datagrams(family, "getfamily"), datagrams(family, "getpolicy_dump"))


def nothing(_info: GenlInfo) -> None:
    raise AssertionError("nobody asks an operation")


def no_dump(_info: GenlInfo) -> Iterator[bytes]:
    raise AssertionError("nobody asks an operation")


@pytest.fixture(scope="module")
def bench() -> Bench:
    bench = make_bench(profile_for(RECORDING["kernel"], arch=RECORDING["arch"]))
    # Groups are handed out in the order in which families come.
    for family in sorted(map(read, FAMILIES), key=lambda f: [number for _, number in f.groups]):
        if family.name not in BUILT_IN:
            bench.kernel.genl.register_family(family.family(doit=nothing, dumpit=no_dump))
    return bench


def plain(datagram: bytes) -> bytes:
    """A datagram without sequence numbers and portids, also those of a request that it quotes."""
    data = bytearray(datagram)
    for offset, header in nlmsg_walk(datagram):
        data[offset + 8 : offset + 16] = bytes(8)
        if header.nlmsg_type == NLMSG_ERROR:
            data[offset + 28 : offset + 36] = bytes(8)
    return bytes(data)


def ask(bench: Bench, cmd: int, who: str | int, flags: int = 0) -> list[bytes]:
    """What nlctrl says of a family by name or by number."""
    attrs = [(int(CtrlAttr.CTRL_ATTR_FAMILY_NAME), f"{who}\0".encode())]
    if isinstance(who, int):
        attrs = [(int(CtrlAttr.CTRL_ATTR_FAMILY_ID), who.to_bytes(2, "little"))]
    sock = bench.sock(0)
    # The recording read with one socket, and a dump's datagrams grow with the first read.
    assert bench.ask(sock, bench.request(16, CtrlCmd.CTRL_CMD_GETFAMILY))
    request = bytearray(bench.request(16, cmd, attrs, flags=flags))
    request[17] = 2  # the version that the recording asked with; an error quotes it
    sock.sendmsg(bench.current, bytes(request), addr=bench.address(0))
    found = []
    while sock.receive_queue:
        found.append(plain(sock.recvmsg(_READ_SIZE).data))
    return found


NAMES = [family["name"] for family in FAMILIES]


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_getfamily_is_equal(bench: Bench, family: dict[str, Any]) -> None:
    expected = [plain(data) for data in datagrams(family, "getfamily")]
    assert ask(bench, CtrlCmd.CTRL_CMD_GETFAMILY, family["name"]) == expected


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_getpolicy_is_equal(bench: Bench, family: dict[str, Any]) -> None:
    expected = [plain(data) for data in datagrams(family, "getpolicy_dump")]
    found = ask(bench, CtrlCmd.CTRL_CMD_GETPOLICY, family["id"], NLM_F_DUMP)
    assert found == expected


def policies(data: list[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Each attribute's policy: the policy's number, the attribute, the description."""
    for datagram in data:
        for offset, header in nlmsg_walk(datagram):
            if header.nlmsg_type == NLMSG_DONE:
                continue
            end = offset + header.nlmsg_len
            for kind, at, size in nla_walk(datagram, offset + 20, end):
                if kind & 0x3FFF != CtrlAttr.CTRL_ATTR_POLICY:
                    continue
                for number, inner, length in nla_walk(datagram, at, at + size):
                    for nla_type, begin, long in nla_walk(datagram, inner, inner + length):
                        yield number & 0x3FFF, nla_type & 0x3FFF, datagram[begin : begin + long]


def test_343_attribute_policies_can_be_said_and_are_described_alike() -> None:
    count = 0
    for recorded in FAMILIES:
        family = read(recorded)
        for number, nla_type, described in policies(datagrams(recorded, "getpolicy_dump")):
            policy, _highest = family.policy(number)
            assert policy is not None
            # A nest's reference to another policy is compared with the whole dump.
            if len(described) != 24 or described[4:8] != b"\x0d\0\0\0":
                mine = policy_attributes(policy[nla_type])
                assert mine == described or policy[nla_type].nested is not None
            count += 1
    assert count == 343


def live(cmd: int, name: str, flags: int) -> list[bytes]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
        sock.settimeout(SECONDS)
        sock.send(struct.pack("=IHHIIBBH", 20, 16, 1, 6, 0, 3, 1, 0))
        sock.recv(_READ_SIZE)
        payload = name.encode() + b"\0"
        attr = struct.pack("=HH", 4 + len(payload), 2) + payload + bytes(-len(payload) % 4)
        sock.send(struct.pack("=IHHIIBBH", 20 + len(attr), 16, 1 | flags, 7, 0, cmd, 2, 0) + attr)
        found = []
        while True:
            data = sock.recv(_READ_SIZE)
            found.append(data)
            if not flags or any(h.nlmsg_type in (2, NLMSG_DONE) for _, h in nlmsg_walk(data)):
                return found


@pytest.mark.real_kernel
@pytest.mark.parametrize("name", NAMES)
def test_this_machine_s_kernel_says_the_same(name: str) -> None:
    """Of each family that it has: made anew from what it says, it says it again."""
    release = os.uname().release
    if not release.startswith("6.18."):
        pytest.skip(f"this kernel is {release}, no 6.18")
    getfamily = live(CtrlCmd.CTRL_CMD_GETFAMILY, name, 0)
    if int.from_bytes(getfamily[0][4:6], "little") == 2:
        pytest.skip(f"this kernel has no {name}")
    getpolicy = live(CtrlCmd.CTRL_CMD_GETPOLICY, name, NLM_F_DUMP)
    bench = make_bench(profile_for(release.split("-")[0], arch=os.uname().machine))
    family = read_recording(getfamily, getpolicy)
    if name not in BUILT_IN:
        genl = family.family(doit=nothing, dumpit=no_dump)
        bench.kernel.genl.register_family(genl)
        genl.mcgrp_offset = family.groups[0][1] if family.groups else 0
    assert ask(bench, CtrlCmd.CTRL_CMD_GETFAMILY, name) == [plain(data) for data in getfamily]
    found = ask(bench, CtrlCmd.CTRL_CMD_GETPOLICY, name, NLM_F_DUMP)
    assert found == [plain(data) for data in getpolicy]
