"""Policies from what GETPOLICY said of them: the way back of net/netlink/policy.c."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ..attributes import nla_walk
from ..format import LITTLE, ByteOrder
from .declare import (
    SIGNED_BITS,
    UNSIGNED_BITS,
    NlaPolicy,
    NlaType,
    NlaValidation,
    Policy,
    nla_policy_bitfield32,
    nla_policy_mask,
    nla_policy_range,
)
from .describe import DESCRIBED, NlAttrType, NlPolicyTypeAttr

# Of two that are described alike, NLA_U64 and NLA_MSECS, the usual one.
_TYPES: Final[Mapping[int, NlaType]] = {
    **{described: kind for kind, described in DESCRIBED.items()},
    NlAttrType.NL_ATTR_TYPE_U64: NlaType.NLA_U64,
}
_SHORT: Final = range(-(1 << 15), 1 << 15)  # struct nla_policy's own limits are s16


class RecordedPolicies:
    """The policies of one dump by their numbers.

    Their highest attributes are told where another policy nests them; of others that is the
    highest attribute that is described.
    """

    def __init__(self, order: ByteOrder = LITTLE) -> None:
        self._order: Final = order
        self._policies: dict[int, dict[int, NlaPolicy]] = {}
        self._described: dict[int, dict[int, bytes]] = {}
        self._highest: dict[int, int] = {}

    def add(self, number: int, nla_type: int, described: bytes) -> None:
        """One attribute of the policy ``number``, as CTRL_ATTR_POLICY has it."""
        self._described.setdefault(number, {})[nla_type] = described
        limits = self._attributes(described)
        nested = limits.get(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_POLICY_IDX)
        if nested is not None:
            most = limits.get(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE, 0)
            self._highest[nested] = most

    def _attributes(self, described: bytes) -> dict[int, int]:
        return {
            kind: int.from_bytes(described[at : at + size], self._order.name)
            for kind, at, size in nla_walk(described, 0, len(described), self._order)
        }

    def highest(self, number: int) -> int:
        """The highest attribute of a policy."""
        told = max(self._described.get(number, {}), default=0)
        return self._highest.get(number, told)

    def extend(self, number: int, highest: int) -> None:
        """The highest attribute of a policy is known: the last ones are not described."""
        self._highest[number] = highest

    def policy(self, number: int) -> Policy | None:
        """The policy of that number, always the same object; None if nothing was said of it.

        Raises ValueError for a description that means nothing.
        """
        if number not in self._described:
            return None
        if number not in self._policies:
            policy = self._policies[number] = {}  # known before it is read: it may nest itself
            for nla_type, described in self._described[number].items():
                policy[nla_type] = self._read(described)
        return self._policies[number]

    def _read(self, described: bytes) -> NlaPolicy:
        limits = self._attributes(described)
        told = limits.get(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_TYPE, 0)
        if told not in _TYPES:
            raise ValueError(f"NL_POLICY_TYPE_ATTR_TYPE {told} is no type of an attribute")
        kind = _TYPES[told]
        if kind in UNSIGNED_BITS or kind in SIGNED_BITS:
            return _number(kind, limits)
        if kind is NlaType.NLA_BITFIELD32:
            return nla_policy_bitfield32(
                limits.get(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_BITFIELD32_MASK, 0)
            )
        if kind in (NlaType.NLA_NESTED, NlaType.NLA_NESTED_ARRAY):
            number = limits.get(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_POLICY_IDX)
            if number is None:
                return NlaPolicy(kind)
            nested = self.policy(number)
            return NlaPolicy(kind, self.highest(number), nested={} if nested is None else nested)
        least = limits.get(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MIN_LENGTH)
        most = limits.get(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MAX_LENGTH)
        if kind is NlaType.NLA_BINARY and least is not None:
            return nla_policy_range(kind, least, 0xFFFF if most is None else most)
        return NlaPolicy(kind, most or 0)


def _number(kind: NlaType, limits: Mapping[int, int]) -> NlaPolicy:
    mask = limits.get(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MASK)
    if mask is not None:
        return nla_policy_mask(kind, mask)
    whole = NlaPolicy(kind)
    least, most = whole.limits
    if kind in SIGNED_BITS:
        kinds: Iterable[int] = (
            NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MIN_VALUE_S,
            NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MAX_VALUE_S,
        )
    else:
        kinds = (
            NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MIN_VALUE_U,
            NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MAX_VALUE_U,
        )
    low, high = (
        limits.get(attr, usual & (1 << 64) - 1)
        for attr, usual in zip(kinds, (least, most), strict=True)
    )
    if kind in SIGNED_BITS:
        low, high = (value - (value >> 63 << 64) for value in (low, high))
    if (low, high) == (least, most):
        return whole
    wide = low not in _SHORT or high not in _SHORT
    return NlaPolicy(
        kind,
        validation=NlaValidation.NLA_VALIDATE_RANGE_PTR
        if wide
        else NlaValidation.NLA_VALIDATE_RANGE,
        min=low,
        max=high,
    )
