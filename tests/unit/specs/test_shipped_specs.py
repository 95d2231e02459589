"""The specs that are shipped say what is built in: numbers, policies, structs, messages."""

from __future__ import annotations

import enum
from typing import Any

import pytest
from helpers.kernel import Bench, make_bench
from helpers.messages import FAMILY, get, request

from netlink_emu.files import path_of
from netlink_emu.kernel.genl_family import GenlValidate, operations
from netlink_emu.kernel.releases import profile_for
from netlink_emu.protocol.cgroupstats import (
    CGROUPSTATS,
    Cgroupstats,
    CgroupstatsCmd,
    CgroupstatsCmdAttr,
    CgroupstatsType,
)
from netlink_emu.protocol.family import AttributeSet, FamilyDeclaration, Struct
from netlink_emu.protocol.format import LITTLE
from netlink_emu.protocol.genetlink import (
    GENL_ID_CTRL,
    CtrlAttr,
    CtrlAttrMcastGrp,
    CtrlAttrOp,
    CtrlAttrPolicy,
    CtrlCmd,
    GenlOpFlags,
)
from netlink_emu.protocol.policy import NlAttrType, NlPolicyTypeAttr
from netlink_emu.protocol.reading.declared import describe
from netlink_emu.protocol.reading.decode import Decoder, Message, walk
from netlink_emu.protocol.reading.describe import NLCTRL, TASKSTATS
from netlink_emu.protocol.taskstats import (
    NEWEST_VERSION,
    TaskstatsCmd,
    TaskstatsCmdAttr,
    TaskstatsType,
    taskstats_layout,
)
from netlink_emu.specs import read_spec


def spec(name: str) -> FamilyDeclaration:
    found = read_spec(path_of(name).read_text(), name)
    assert found.remarks == ()
    return found.declaration


@pytest.fixture(scope="module")
def taskstats() -> FamilyDeclaration:
    return spec("taskstats.yaml")


@pytest.fixture(scope="module")
def nlctrl() -> FamilyDeclaration:
    return spec("nlctrl.yaml")


@pytest.fixture
def bench() -> Bench:
    return make_bench(profile_for("7.3", arch="x86_64"))


def numbers(members: type[enum.IntEnum], prefix: str) -> dict[str, int]:
    """An enum as a spec names it; 0 is UNSPEC, and nobody's."""
    return {
        member.name.removeprefix(prefix).lower().replace("_", "-"): member.value
        for member in members
        if member.value
    }


def named(attrs: AttributeSet) -> dict[str, int]:
    return {attribute.name: attribute.number for attribute in attrs}


def test_numbers_of_taskstats(taskstats: FamilyDeclaration) -> None:
    sets = taskstats.attribute_sets
    assert named(sets["cmd-attr"]) == numbers(TaskstatsCmdAttr, "TASKSTATS_CMD_ATTR_")
    assert named(sets["type"]) == numbers(TaskstatsType, "TASKSTATS_TYPE_")
    assert named(sets["cgroup-cmd-attr"]) == numbers(CgroupstatsCmdAttr, "CGROUPSTATS_CMD_ATTR_")
    assert named(sets["cgroup-type"]) == numbers(CgroupstatsType, "CGROUPSTATS_TYPE_")
    assert {op.name: cmd for op in taskstats.operations for cmd in cmds(op)} == {
        "get": TaskstatsCmd.TASKSTATS_CMD_GET,
        "new": TaskstatsCmd.TASKSTATS_CMD_NEW,
        "cgroup-get": CgroupstatsCmd.CGROUPSTATS_CMD_GET,
        "cgroup-new": CgroupstatsCmd.CGROUPSTATS_CMD_NEW,
    }


def cmds(op: Any) -> list[int]:
    return [op.event.reply_cmd] if op.event else [(op.do or op.dump).cmd]


def test_numbers_of_nlctrl(nlctrl: FamilyDeclaration) -> None:
    sets = nlctrl.attribute_sets
    assert named(sets["ctrl"]) == numbers(CtrlAttr, "CTRL_ATTR_")
    assert named(sets["op"]) == numbers(CtrlAttrOp, "CTRL_ATTR_OP_")
    assert named(sets["mcast-grp"]) == numbers(CtrlAttrMcastGrp, "CTRL_ATTR_MCAST_GRP_")
    assert named(sets["policy"]) == numbers(CtrlAttrPolicy, "CTRL_ATTR_POLICY_")
    assert named(sets["policy-type"]) == numbers(NlPolicyTypeAttr, "NL_POLICY_TYPE_ATTR_")
    known = numbers(CtrlCmd, "CTRL_CMD_")
    for op in nlctrl.operations:
        assert cmds(op) == [known[op.name]]
    assert nlctrl.operation("getfamily").do == nlctrl.operation("getfamily").dump
    told = nlctrl.operation("getfamily").do
    assert told is not None
    assert told.reply_cmd == CtrlCmd.CTRL_CMD_NEWFAMILY
    names = {member.value: member.name for member in NlAttrType}
    assert {
        number: f"NL_ATTR_TYPE_{name.upper().replace('-', '_')}"
        for name, number in nlctrl.enums["attr-type"].values.items()
    } == names
    assert {
        f"GENL_{name.upper().replace('-', '_')}": number
        for name, number in nlctrl.enums["op-flags"].values.items()
    } == {flag.name: flag.value for flag in GenlOpFlags}


@pytest.mark.parametrize("name", ["taskstats", "nlctrl"])
def test_requests_are_checked_as_the_kernel_checks_them(
    bench: Bench, request: pytest.FixtureRequest, name: str
) -> None:
    declared: FamilyDeclaration = request.getfixturevalue(name)
    family = next(f for f in bench.kernel.genl.families.values() if f.name == declared.name)
    assert family.version == declared.version
    assert list(family.mcgrps) == [group.name for group in declared.groups]
    asked = {cmds(op)[0]: op for op in declared.operations if op.event is None}
    registered = {cmd.cmd: cmd for cmd in operations(family, bench.kernel.profile)}
    assert asked.keys() == registered.keys()
    for number, op in asked.items():
        for exchange, split in (
            (op.do, registered[number].doit),
            (op.dump, registered[number].dumpit),
        ):
            assert (exchange is None) == (split is None), op.name
            if exchange is None or split is None:
                continue
            assert exchange.validated_by(op.attributes) == (split.policy, split.maxattr)
            assert op.flags == split.flags
        validate = GenlValidate(0)
        for op_part in (registered[number].doit, registered[number].dumpit):
            validate |= op_part.validate if op_part is not None else GenlValidate(0)
        assert op.validate == {
            flag.name.removeprefix("GENL_DONT_VALIDATE_").lower().replace("_", "-")
            for flag in validate
            if flag.name
        }


def places(struct: Struct) -> dict[str, tuple[int, int]]:
    found, at = {}, 0
    for member in struct.members:
        if member.type != "pad":
            found[member.name.replace("-", "_")] = (at, member.size)
        at += member.size
    return found


def test_structs(taskstats: FamilyDeclaration) -> None:
    layout = taskstats_layout(NEWEST_VERSION)
    members = taskstats.structs["taskstats"]
    assert places(members) == {n: (f.offset, f.size) for n, f in layout.fields.items()}
    assert members.size == layout.size
    signed = {m.name.replace("-", "_") for m in members.members if m.type == "s64"}
    assert signed == {n for n, f in layout.fields.items() if f.ctype == "__s64"}
    counts = Cgroupstats(1, 2, 3, 4, 5)
    decoded = taskstats.structs["cgroupstats"].decode(CGROUPSTATS[LITTLE].encode(counts), LITTLE)
    assert decoded == {
        "nr-sleeping": 1, "nr-running": 2, "nr-stopped": 3, "nr-uninterruptible": 4,
        "nr-io-wait": 5,
    }  # fmt: skip


def answers(bench: Bench, data: bytes, *families: FamilyDeclaration) -> list[Message]:
    """What the kernel answers, read by the specs alone."""
    described = {family.name: describe(family) for family in families}
    decoder = Decoder(ids={FAMILY: "TASKSTATS"}, families=described)
    datagrams = bench.ask(bench.sock(0), data)
    return [message for datagram in datagrams for message in decoder.datagram(datagram)]


def test_a_reply_with_statistics(bench: Bench, taskstats: FamilyDeclaration) -> None:
    (reply,) = answers(bench, get(4242), taskstats)
    assert reply.cmd == "new"
    stats, pid = reply.find("stats"), reply.find("pid")
    assert stats is not None
    assert pid is not None
    assert (pid.value, stats.value["ac-pid"], stats.value["version"]) == (4242, 4242, 17)
    (same,) = Decoder(ids={FAMILY: "TASKSTATS"}, families={"TASKSTATS": TASKSTATS}).datagram(
        reply.data
    )
    built_in = same.find("TASKSTATS_TYPE_STATS")
    assert built_in is not None
    assert {n.replace("-", "_"): v for n, v in stats.value.items()} == built_in.value


def test_all_that_nlctrl_tells_has_a_name(bench: Bench, nlctrl: FamilyDeclaration) -> None:
    dump = 0x301
    families = answers(bench, request(3, flags=dump, family=GENL_ID_CTRL), nlctrl)
    policies = answers(
        bench, request(10, (2, b"TASKSTATS\0"), flags=dump, family=GENL_ID_CTRL), nlctrl
    )
    assert {message.cmd for message in families[:-1]} == {"newfamily"}
    assert {message.cmd for message in policies[:-1]} == {"getpolicy"}
    for message in (*families[:-1], *policies[:-1]):
        (same,) = Decoder(families={"nlctrl": NLCTRL}).datagram(message.data)
        for read, known in zip(walk(message.attrs), walk(same.attrs), strict=True):
            assert known.name.endswith(read.name.upper().replace("-", "_"))
            assert bool(read.name) == bool(known.name)
