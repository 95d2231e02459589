"""The policy that an attribute's declaration means: as the kernel's ynl-gen-c makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..format import BIG
from ..policy import (
    NlaPolicy,
    NlaType,
    nla_policy_bitfield32,
    nla_policy_exact_len,
    nla_policy_mask,
    nla_policy_max,
    nla_policy_min,
    nla_policy_min_len,
    nla_policy_nested,
    nla_policy_nested_array,
    nla_policy_range,
)
from .attributes import Attribute, AttrType

_NUMBERS: Final[Mapping[str, NlaType]] = {
    AttrType.U8: NlaType.NLA_U8,
    AttrType.U16: NlaType.NLA_U16,
    AttrType.U32: NlaType.NLA_U32,
    AttrType.U64: NlaType.NLA_U64,
    AttrType.S8: NlaType.NLA_S8,
    AttrType.S16: NlaType.NLA_S16,
    AttrType.S32: NlaType.NLA_S32,
    AttrType.S64: NlaType.NLA_S64,
    AttrType.UINT: NlaType.NLA_UINT,
    AttrType.SINT: NlaType.NLA_SINT,
}
_NETWORK_ORDER: Final[Mapping[str, NlaType]] = {
    AttrType.U16: NlaType.NLA_BE16,
    AttrType.U32: NlaType.NLA_BE32,
}


def policy_of(attribute: Attribute) -> NlaPolicy | None:
    """The policy, None where there is none; the declaration's own if it has one."""
    if attribute.policy is not None:
        return attribute.policy
    kind = attribute.type
    if kind in _NUMBERS:
        return _number(attribute)
    match kind:
        case AttrType.FLAG:
            return NlaPolicy(NlaType.NLA_FLAG)
        case AttrType.STRING:
            ends = not attribute.unterminated_ok
            text = NlaType.NLA_NUL_STRING if ends else NlaType.NLA_STRING
            return NlaPolicy(text, attribute.exact_len or attribute.max_len or 0)
        case AttrType.BINARY:
            return _binary(attribute)
        case AttrType.BITFIELD32:
            return nla_policy_bitfield32(_mask(attribute, 0xFFFFFFFF))
        case AttrType.NEST if attribute.nested is not None:
            return nla_policy_nested(attribute.nested.policy(), attribute.nested.highest)
        case AttrType.INDEXED_ARRAY:
            if attribute.sub_type is AttrType.NEST and attribute.nested is not None:
                return nla_policy_nested_array(attribute.nested.policy(), attribute.nested.highest)
            return NlaPolicy(NlaType.NLA_NESTED)
        case AttrType.NEST_TYPE_VALUE | AttrType.SUB_MESSAGE:
            return NlaPolicy(NlaType.NLA_NESTED)
    return None


def _mask(attribute: Attribute, otherwise: int) -> int:
    if attribute.mask is not None:
        return attribute.mask
    if attribute.enum is not None:
        return attribute.enum.mask(as_flags=attribute.enum_as_flags)
    return otherwise


def _number(attribute: Attribute) -> NlaPolicy:
    kind = _NUMBERS[attribute.type]
    if attribute.byte_order is BIG:
        kind = _NETWORK_ORDER.get(attribute.type, kind)
    least, most, names = attribute.min, attribute.max, attribute.enum
    if least is not None and most is not None:
        return nla_policy_range(kind, least, most)
    if least is not None:
        return nla_policy_min(kind, least)
    if most is not None:
        return nla_policy_max(kind, most)
    if attribute.mask is not None or (
        names is not None and (names.flags or attribute.enum_as_flags)
    ):
        return nla_policy_mask(kind, _mask(attribute, 0))
    if names is not None and names.values:
        return _enumerated(kind, sorted(set(names.values.values())))
    return NlaPolicy(kind)


def _enumerated(kind: NlaType, numbers: list[int]) -> NlaPolicy:
    """A range, if the numbers are one without a gap."""
    if numbers[-1] - numbers[0] != len(numbers) - 1:
        return NlaPolicy(kind)
    if numbers[0] == 0:
        return nla_policy_max(kind, numbers[-1])
    return nla_policy_range(kind, numbers[0], numbers[-1])


def _binary(attribute: Attribute) -> NlaPolicy:
    if attribute.exact_len is not None:
        return nla_policy_exact_len(attribute.exact_len)
    if attribute.min_len is not None and attribute.max_len is not None:
        return nla_policy_range(NlaType.NLA_BINARY, attribute.min_len, attribute.max_len)
    if attribute.min_len is not None:
        return nla_policy_min_len(attribute.min_len)
    return NlaPolicy(NlaType.NLA_BINARY, attribute.max_len or 0)
