"""What a kernel tells of its policies: net/netlink/policy.c.

One attribute's policy is described alike in an extended ack (NLMSGERR_ATTR_POLICY) and in the
answers to CTRL_CMD_GETPOLICY; the latter also number policies, so that nests can refer to them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ..attributes import AttrWriter, nla_walk
from ..format import LITTLE, ByteOrder
from .declare import NESTS, SIGNED_BITS, NlaPolicy, NlaType, NlaValidation, Policy


class NlAttrType(enum.IntEnum):
    """NL_POLICY_TYPE_ATTR_TYPE: enum netlink_attribute_type of the UAPI."""

    NL_ATTR_TYPE_INVALID = 0
    NL_ATTR_TYPE_FLAG = 1
    NL_ATTR_TYPE_U8 = 2
    NL_ATTR_TYPE_U16 = 3
    NL_ATTR_TYPE_U32 = 4
    NL_ATTR_TYPE_U64 = 5
    NL_ATTR_TYPE_S8 = 6
    NL_ATTR_TYPE_S16 = 7
    NL_ATTR_TYPE_S32 = 8
    NL_ATTR_TYPE_S64 = 9
    NL_ATTR_TYPE_BINARY = 10
    NL_ATTR_TYPE_STRING = 11
    NL_ATTR_TYPE_NUL_STRING = 12
    NL_ATTR_TYPE_NESTED = 13
    NL_ATTR_TYPE_NESTED_ARRAY = 14
    NL_ATTR_TYPE_BITFIELD32 = 15
    NL_ATTR_TYPE_SINT = 16
    NL_ATTR_TYPE_UINT = 17


class NlPolicyTypeAttr(enum.IntEnum):
    """Attributes that describe one attribute's policy."""

    NL_POLICY_TYPE_ATTR_TYPE = 1
    NL_POLICY_TYPE_ATTR_MIN_VALUE_S = 2
    NL_POLICY_TYPE_ATTR_MAX_VALUE_S = 3
    NL_POLICY_TYPE_ATTR_MIN_VALUE_U = 4
    NL_POLICY_TYPE_ATTR_MAX_VALUE_U = 5
    NL_POLICY_TYPE_ATTR_MIN_LENGTH = 6
    NL_POLICY_TYPE_ATTR_MAX_LENGTH = 7
    NL_POLICY_TYPE_ATTR_POLICY_IDX = 8
    NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE = 9
    NL_POLICY_TYPE_ATTR_BITFIELD32_MASK = 10
    NL_POLICY_TYPE_ATTR_PAD = 11
    NL_POLICY_TYPE_ATTR_MASK = 12


# NLA_UNSPEC, NLA_REJECT and the numbers in network byte order have no description.
DESCRIBED: Final[Mapping[NlaType, NlAttrType]] = MappingProxyType(
    {
        NlaType.NLA_FLAG: NlAttrType.NL_ATTR_TYPE_FLAG,
        NlaType.NLA_U8: NlAttrType.NL_ATTR_TYPE_U8,
        NlaType.NLA_U16: NlAttrType.NL_ATTR_TYPE_U16,
        NlaType.NLA_U32: NlAttrType.NL_ATTR_TYPE_U32,
        NlaType.NLA_U64: NlAttrType.NL_ATTR_TYPE_U64,
        NlaType.NLA_MSECS: NlAttrType.NL_ATTR_TYPE_U64,
        NlaType.NLA_UINT: NlAttrType.NL_ATTR_TYPE_UINT,
        NlaType.NLA_S8: NlAttrType.NL_ATTR_TYPE_S8,
        NlaType.NLA_S16: NlAttrType.NL_ATTR_TYPE_S16,
        NlaType.NLA_S32: NlAttrType.NL_ATTR_TYPE_S32,
        NlaType.NLA_S64: NlAttrType.NL_ATTR_TYPE_S64,
        NlaType.NLA_SINT: NlAttrType.NL_ATTR_TYPE_SINT,
        NlaType.NLA_BINARY: NlAttrType.NL_ATTR_TYPE_BINARY,
        NlaType.NLA_STRING: NlAttrType.NL_ATTR_TYPE_STRING,
        NlaType.NLA_NUL_STRING: NlAttrType.NL_ATTR_TYPE_NUL_STRING,
        NlaType.NLA_NESTED: NlAttrType.NL_ATTR_TYPE_NESTED,
        NlaType.NLA_NESTED_ARRAY: NlAttrType.NL_ATTR_TYPE_NESTED_ARRAY,
        NlaType.NLA_BITFIELD32: NlAttrType.NL_ATTR_TYPE_BITFIELD32,
    }
)
_TEXTS: Final = frozenset({NlaType.NLA_STRING, NlaType.NLA_NUL_STRING, NlaType.NLA_BINARY})
_TOLD_LENGTHS: Final = frozenset(
    {NlaValidation.NLA_VALIDATE_RANGE, NlaValidation.NLA_VALIDATE_RANGE_WARN_TOO_LONG}
)
_LATE: Final = frozenset({NlaType.NLA_UINT, NlaType.NLA_SINT})  # 6.7
_U16_MAX: Final = 0xFFFF


def policy_attributes(
    policy: NlaPolicy,
    order: ByteOrder = LITTLE,
    *,
    known: PolicyDump | None = None,
    uint: bool = True,
    masks: bool = True,
) -> bytes:
    """One attribute's policy; empty where the kernel describes none.

    ``known`` numbers the policies that nests refer to; without it, as in an extended ack, a nest
    refers to none. Unless ``uint`` the release has no NLA_UINT and NLA_SINT (6.7), unless
    ``masks`` no NLA_VALIDATE_MASK (5.10). From __netlink_policy_dump_write_attr(): limits first,
    the type last.
    """
    described = DESCRIBED.get(policy.type)
    if described is None or (policy.type in _LATE and not uint):
        return b""
    if policy.validation is NlaValidation.NLA_VALIDATE_MASK and not masks:
        return b""
    attrs = AttrWriter(order)
    if policy.type in NESTS:
        if known is not None and policy.nested is not None and policy.len:
            index = known.index(policy.nested, policy.len)
            attrs.put_u32(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_POLICY_IDX, index)
            attrs.put_u32(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE, policy.len)
    elif policy.type is NlaType.NLA_BITFIELD32:
        mask = policy.mask & 0xFFFFFFFF
        attrs.put_u32(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_BITFIELD32_MASK, mask)
    elif policy.type in _TEXTS:
        _put_lengths(attrs, policy)
    elif policy.type is not NlaType.NLA_FLAG:
        _put_values(attrs, policy)
    attrs.put_u32(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_TYPE, described)
    return bytes(attrs.data)


def _put_lengths(attrs: AttrWriter, policy: NlaPolicy) -> None:
    if policy.validation in _TOLD_LENGTHS:
        least, most = policy.limits
        if least:
            attrs.put_u32(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MIN_LENGTH, least)
        if most < _U16_MAX:
            attrs.put_u32(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MAX_LENGTH, most)
    elif policy.len:
        attrs.put_u32(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MAX_LENGTH, policy.len)


def _put_values(attrs: AttrWriter, policy: NlaPolicy) -> None:
    if policy.validation is NlaValidation.NLA_VALIDATE_MASK:
        attrs.put_u64(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MASK, policy.mask)
        return
    least, most = policy.limits
    kinds = (
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MIN_VALUE_U,
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MAX_VALUE_U,
    )
    if policy.type in SIGNED_BITS:
        kinds = (
            NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MIN_VALUE_S,
            NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MAX_VALUE_S,
        )
    for kind, value in zip(kinds, (least, most), strict=True):
        attrs.put_u64(kind, value & (1 << 64) - 1)


# MIN_VALUE_S, MAX_VALUE_S, MIN_VALUE_U, MAX_VALUE_U and MASK have a u64 or s64 for payload.
_64BIT: Final = frozenset({2, 3, 4, 5, 12})


def pad_u64(described: bytes, position: int, order: ByteOrder = LITTLE) -> bytes:
    """What :func:`policy_attributes` gave, as nla_put_u64_64bit() writes it at ``position``.

    ``position`` is the address, modulo 8, where it begins. On machines that align u64
    (CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS=n) an empty NL_POLICY_TYPE_ATTR_PAD stands before each
    64-bit number that would be misaligned without.
    """
    attrs = AttrWriter(order)
    for nla_type, at, length in nla_walk(described, 0, len(described), order):
        if nla_type in _64BIT and (position + len(attrs.data)) % 8 == 0:
            attrs.put(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_PAD)
        attrs.put(nla_type, described[at : at + length])
    return bytes(attrs.data)


class PolicyDump:
    """struct netlink_policy_dump_state: the policies of a dump, numbered as they are met.

    Two are the same if they are one object with one highest attribute, as two pointers are.
    """

    def __init__(self) -> None:
        self._policies: list[tuple[Policy, int]] = []
        self._numbers: dict[tuple[int, int], int] = {}

    def __bool__(self) -> bool:
        return bool(self._policies)

    def add(self, policy: Policy | None, maxtype: int) -> None:
        """netlink_policy_dump_add_policy(): a policy, then the nested ones of all there are."""
        self._add(policy, maxtype)
        # It grows while it is walked. What was walked before adds nothing new.
        for known, highest in self._policies:
            for nla_type, rule in sorted(known.items()):
                if rule.type in NESTS and nla_type <= highest:
                    self._add(rule.nested, rule.len)

    def _add(self, policy: Policy | None, maxtype: int) -> None:
        if policy is None or not maxtype or (id(policy), maxtype) in self._numbers:
            return
        self._numbers[id(policy), maxtype] = len(self._policies)
        self._policies.append((policy, maxtype))

    def index(self, policy: Policy, maxtype: int) -> int:
        """netlink_policy_dump_get_policy_idx(); 0, as there, for one that was not added."""
        return self._numbers.get((id(policy), maxtype), 0)

    def described(
        self, order: ByteOrder = LITTLE, *, uint: bool = True, masks: bool = True
    ) -> Iterator[tuple[int, int, bytes]]:
        """netlink_policy_dump_write(): number of the policy, attribute, and its description."""
        for number, (policy, maxtype) in enumerate(self._policies):
            for nla_type, rule in sorted(policy.items()):
                if nla_type > maxtype:
                    continue
                described = policy_attributes(rule, order, known=self, uint=uint, masks=masks)
                if described:
                    yield number, nla_type, described
