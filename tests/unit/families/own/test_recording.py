"""Recorded GETFAMILY and GETPOLICY: what they tell, what is inferred, what is no recording.

That fifteen real families come out again as they went in: tests/conformance.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from helpers.kernel import Bench, make_bench

from netlink_emu.families.own.recording import RecordedFamily, read_recording
from netlink_emu.kernel.genetlink import (
    GENL_DONT_VALIDATE_DUMP,
    GENL_DONT_VALIDATE_STRICT,
    GenlFamily,
    GenlInfo,
    GenlOp,
    GenlSplitOp,
)
from netlink_emu.kernel.profile import ARCHS, Profile
from netlink_emu.protocol.netlink import NLM_F_DUMP
from netlink_emu.protocol.policy import (
    NlaPolicy,
    NlaType,
    Policy,
    nla_policy_bitfield32,
    nla_policy_exact_len,
    nla_policy_mask,
    nla_policy_min,
    nla_policy_nested,
    nla_policy_nested_array,
    nla_policy_range,
)
from netlink_emu.protocol.policy.recorded import RecordedPolicies

T = NlaType
LOOP: dict[int, NlaPolicy] = {1: NlaPolicy(T.NLA_U8)}
LOOP[2] = nla_policy_nested(LOOP, 3)
POLICY: Policy = {
    1: nla_policy_range(T.NLA_U8, 1, 9),
    2: nla_policy_min(T.NLA_S32, -5),
    3: nla_policy_mask(T.NLA_UINT, 7),
    4: nla_policy_exact_len(6),
    5: NlaPolicy(T.NLA_NUL_STRING, 15),
    6: nla_policy_bitfield32(3),
    7: nla_policy_nested(LOOP, 3),
    8: nla_policy_nested_array({1: NlaPolicy(T.NLA_FLAG)}),
    9: nla_policy_range(T.NLA_U64, 0, 1 << 40, wide=True),
    10: NlaPolicy(T.NLA_NESTED),
    11: NlaPolicy(T.NLA_BINARY, 99),
}


def nothing(_info: GenlInfo) -> None:
    return None


def no_parts(_info: GenlInfo) -> Iterator[bytes]:
    return iter(())


def record(bench: Bench, name: str) -> RecordedFamily:
    """What an emulated kernel says of a family, read."""
    attrs = [(2, name.encode() + b"\0")]
    found = [
        bench.ask(bench.sock(0), bench.request(16, cmd, attrs, flags=flags))
        for cmd, flags in ((3, 0), (10, NLM_F_DUMP))
    ]
    return read_recording(found[0], found[1], bench.kernel.profile.arch.order)


def again(bench: Bench, family: RecordedFamily) -> list[Any]:
    """The same from a kernel that has the family made anew."""
    other = make_bench(bench.kernel.profile)
    other.kernel.genl.register_family(family.family(doit=nothing, dumpit=no_parts))
    return [record(other, family.name), family]


@pytest.mark.parametrize("profile", [Profile(), Profile(arch=ARCHS["s390x"])], ids=["le", "be"])
@pytest.mark.parametrize(
    "ops",
    [
        (GenlOp(1, policy=POLICY, maxattr=11, doit=nothing, dumpit=no_parts),),
        (
            GenlSplitOp(1, policy=POLICY, maxattr=11, doit=nothing),
            GenlSplitOp(1, policy=LOOP, maxattr=3, dumpit=no_parts),
            GenlSplitOp(2, dumpit=no_parts),
            GenlSplitOp(3, policy=LOOP, maxattr=3, dumpit=no_parts),
        ),
        (
            GenlOp(
                1, policy=POLICY, maxattr=11, doit=nothing, dumpit=no_parts,
                validate=GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
            ),
            GenlOp(2, doit=nothing),
        ),
    ],
    ids=["full", "split", "old"],
)  # fmt: skip
def test_a_recorded_family_says_the_same_again(
    profile: Profile, ops: tuple[GenlOp | GenlSplitOp, ...]
) -> None:
    bench = make_bench(profile)
    bench.kernel.genl.register_family(GenlFamily("F", 3, ops, mcgrps=("a", "b")))
    first = record(bench, "F")
    second, _ = again(bench, first)
    assert second == first
    for op in first.ops:
        for number in (op.do, op.dump):
            policy, _ = first.policy(number)
            assert second.policy(number)[0] == policy


def test_leniency_is_inferred_from_dumps_that_are_not_validated(bench: Bench) -> None:
    op = GenlOp(
        1, policy=POLICY, maxattr=11, doit=nothing, dumpit=no_parts,
        validate=GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
    )  # fmt: skip
    bench.kernel.genl.register_family(GenlFamily("OLD", 1, (op,)))
    family = record(bench, "OLD").family(doit=nothing, dumpit=no_parts)
    (made,) = family.ops
    assert made.validate == GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP
    told = record(bench, "OLD").family(
        doit=nothing, dumpit=no_parts, validate={1: GENL_DONT_VALIDATE_DUMP}
    )
    assert told.ops[0].validate == GENL_DONT_VALIDATE_DUMP


def test_what_is_no_recording() -> None:
    with pytest.raises(ValueError, match="no CTRL_CMD_NEWFAMILY in the recording"):
        read_recording([], [])
    with pytest.raises(ValueError, match="no CTRL_ATTR_FAMILY_NAME in the recording"):
        read_recording([bytes.fromhex("1400000010000000") + bytes(12)], [])
    policies = RecordedPolicies()
    policies.add(0, 1, bytes.fromhex("08000100 63000000"))
    with pytest.raises(ValueError, match="TYPE 99 is no type of an attribute"):
        policies.policy(0)
    assert policies.policy(1) is None
