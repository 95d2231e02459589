"""Attribute policies and their validation: what lib/nlattr.c and net/netlink/policy.c do.

A policy says for each attribute type what its payload must be. A :class:`Parser` walks,
validates and returns the attributes; what it rejects is a :class:`NetlinkError` with the
extended ack filled in, in the words of the kernel.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from errno import EINVAL, ERANGE
from typing import Final

from .attributes import (
    NLA_F_NESTED,
    NLA_HDRLEN,
    NLA_TYPE_MASK,
    NLATTR,
    AttrWriter,
    nla_walk,
)
from .errors import NetlinkError, NetlinkExtAck
from .format import LITTLE, ByteOrder


class NlAttrType(enum.IntEnum):
    """NL_POLICY_TYPE_ATTR_TYPE: enum netlink_attribute_type of the UAPI."""

    NL_ATTR_TYPE_INVALID = 0
    NL_ATTR_TYPE_FLAG = 1
    NL_ATTR_TYPE_U8 = 2
    NL_ATTR_TYPE_U16 = 3
    NL_ATTR_TYPE_U32 = 4
    NL_ATTR_TYPE_U64 = 5
    NL_ATTR_TYPE_BINARY = 10
    NL_ATTR_TYPE_STRING = 11
    NL_ATTR_TYPE_NUL_STRING = 12
    NL_ATTR_TYPE_NESTED = 13


class NlPolicyTypeAttr(enum.IntEnum):
    """Attributes that describe one attribute's policy."""

    NL_POLICY_TYPE_ATTR_TYPE = 1
    NL_POLICY_TYPE_ATTR_MIN_VALUE_U = 4
    NL_POLICY_TYPE_ATTR_MAX_VALUE_U = 5
    NL_POLICY_TYPE_ATTR_MIN_LENGTH = 6
    NL_POLICY_TYPE_ATTR_MAX_LENGTH = 7
    NL_POLICY_TYPE_ATTR_PAD = 11


# MIN_VALUE_S, MAX_VALUE_S, MIN_VALUE_U, MAX_VALUE_U and MASK have a u64 or s64 for payload.
_64BIT: Final = frozenset({2, 3, 4, 5, 12})


_INT_SIZE: Final = {
    NlAttrType.NL_ATTR_TYPE_U8: 1,
    NlAttrType.NL_ATTR_TYPE_U16: 2,
    NlAttrType.NL_ATTR_TYPE_U32: 4,
    NlAttrType.NL_ATTR_TYPE_U64: 8,
}


@dataclass(frozen=True, slots=True)
class NlaPolicy:
    """struct nla_policy: the type, and for strings and binaries the longest payload (0: any).

    A string's NUL does not count. NL_ATTR_TYPE_INVALID is NLA_UNSPEC.
    """

    type: NlAttrType
    len: int = 0


Policy = Mapping[int, NlaPolicy]
_ANY_LENGTH: Final = 1 << 16  # nla_len is a u16

# What the kernel's array has for a type without an entry; ``len`` would be the shortest payload.
UNSPEC: Final = NlaPolicy(NlAttrType.NL_ATTR_TYPE_INVALID)


class NlValidate(enum.Flag):
    """enum netlink_validation: how strict a parse is; liberal is none of them."""

    NL_VALIDATE_LIBERAL = 0
    NL_VALIDATE_TRAILING = enum.auto()
    NL_VALIDATE_MAXTYPE = enum.auto()
    NL_VALIDATE_UNSPEC = enum.auto()
    NL_VALIDATE_STRICT_ATTRS = enum.auto()
    NL_VALIDATE_NESTED = enum.auto()
    NL_VALIDATE_STRICT = (
        NL_VALIDATE_TRAILING
        | NL_VALIDATE_MAXTYPE
        | NL_VALIDATE_UNSPEC
        | NL_VALIDATE_STRICT_ATTRS
        | NL_VALIDATE_NESTED
    )


LIBERAL: Final = NlValidate.NL_VALIDATE_LIBERAL
STRICT: Final = NlValidate.NL_VALIDATE_STRICT


def policy_attributes(policy: NlaPolicy, order: ByteOrder = LITTLE) -> bytes:
    """One attribute's policy as GETPOLICY and NLMSGERR_ATTR_POLICY describe it.

    From net/netlink/policy.c: limits first, the type last.
    """
    attrs = AttrWriter(order)
    size = _INT_SIZE.get(policy.type)
    if size is not None:
        attrs.put_u64(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MIN_VALUE_U, 0)
        attrs.put_u64(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MAX_VALUE_U, (1 << 8 * size) - 1)
    elif policy.len:
        attrs.put_u32(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MAX_LENGTH, policy.len)
    attrs.put_u32(NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_TYPE, policy.type)
    return bytes(attrs.data)


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


def _violation(policy: NlaPolicy, payload: bytes) -> int:
    """The errno with which validate_nla() rejects ``payload``, or 0."""
    size = _INT_SIZE.get(policy.type)
    if size is not None:
        return ERANGE if len(payload) < size else 0
    match policy.type:
        case NlAttrType.NL_ATTR_TYPE_FLAG:
            return ERANGE if payload else 0
        case NlAttrType.NL_ATTR_TYPE_NUL_STRING:
            # A NUL has to stand within the longest text and its NUL.
            reach = policy.len + 1 if policy.len else len(payload)
            return _string_violation(policy, payload) if b"\0" in payload[:reach] else EINVAL
        case NlAttrType.NL_ATTR_TYPE_STRING:
            return _string_violation(policy, payload)
        case NlAttrType.NL_ATTR_TYPE_BINARY:
            return ERANGE if policy.len and len(payload) > policy.len else 0
        case NlAttrType.NL_ATTR_TYPE_NESTED:
            return ERANGE if payload and len(payload) < NLA_HDRLEN else 0
        case _:
            return ERANGE if len(payload) < policy.len else 0


def _string_violation(policy: NlaPolicy, payload: bytes) -> int:
    if not payload:
        return ERANGE
    length = len(payload) - payload.endswith(b"\0")
    return ERANGE if policy.len and length > policy.len else 0


@dataclass(frozen=True, slots=True)
class ParseRules:
    """What an era adds to a parse: see the profile's capabilities of the same names."""

    attr_type_mask: int = NLA_TYPE_MASK
    extack_policy_msg: bool = True
    extack_policy: bool = True
    extack_leftover_msg: bool = True
    nul_string: bool = True


MODERN: Final = ParseRules()


class Parser:
    """nla_parse() of one policy under one set of rules: made once, for who parses often.

    Nearly all that clients send is an attribute without flags, whose length alone says that it
    is good. Which lengths those are is derived from the policy; every other attribute takes the
    way through validate_nla(). A liberal parse of one attribute so takes 0.7 us, not 4.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        maxtype: int,
        validate: NlValidate = LIBERAL,
        order: ByteOrder = LITTLE,
        rules: ParseRules = MODERN,
    ) -> None:
        self._policy = policy
        self._maxtype = maxtype
        self._validate = validate
        self._order = order
        self._rules = rules
        self._unpack = NLATTR[order].unpack_from
        # By nla_type as it is on the wire, the nla_len that are good whatever the payload.
        self._good: dict[int, range] = {}
        for kind, rule in policy.items():
            lengths = _good_lengths(rule, validate, rules)
            if 0 < kind <= min(maxtype, NLA_TYPE_MASK) and lengths:
                self._good[int(kind)] = range(
                    lengths.start + NLA_HDRLEN, lengths.stop + NLA_HDRLEN
                )

    def parse(
        self, data: bytes, start: int, end: int, extack: NetlinkExtAck, base: int = 0
    ) -> dict[int, bytes]:
        """The attributes of data[start:end] by type, the last of a kind winning.

        ``base`` is where the request message starts in ``data``: offsets in the extended ack
        count from there. Raises NetlinkError: ERANGE or EINVAL, as __nla_validate_parse().
        """
        attrs: dict[int, bytes] = {}
        unpack, good = self._unpack, self._good
        while end - start >= NLA_HDRLEN:
            nla_len, nla_type = unpack(data, start)
            if nla_len < NLA_HDRLEN or nla_len > end - start:
                break
            payload = data[start + NLA_HDRLEN : start + nla_len]
            if nla_type in good and nla_len in good[nla_type]:
                attrs[nla_type] = payload
            elif self._validate_nla(nla_type, payload, extack, start - base):
                attrs[nla_type & self._rules.attr_type_mask] = payload
            start += nla_len + 3 & ~3
        if start < end:
            if self._rules.extack_leftover_msg:
                extack.msg = "bytes leftover after parsing attributes"
            if NlValidate.NL_VALIDATE_TRAILING in self._validate:
                raise NetlinkError(EINVAL)
        return attrs

    def _validate_nla(
        self, nla_type: int, payload: bytes, extack: NetlinkExtAck, offset: int
    ) -> bool:
        """False for an attribute to ignore; raises NetlinkError for one to reject."""
        kind = nla_type & self._rules.attr_type_mask
        if kind == 0 or kind > self._maxtype:
            if NlValidate.NL_VALIDATE_MAXTYPE in self._validate:
                extack.msg, extack.bad_attr = "Unknown attribute type", offset
                raise NetlinkError(EINVAL)
            return False
        rule = self._policy.get(kind, UNSPEC)
        failure = _failure(rule, nla_type, payload, self._validate, self._rules)
        if failure is None:
            return True
        errno, extack.msg = failure
        extack.bad_attr = offset
        # An attribute without a type is not described.
        if self._rules.extack_policy and rule.type is not NlAttrType.NL_ATTR_TYPE_INVALID:
            extack.policy = policy_attributes(rule, self._order)
        raise NetlinkError(errno)


def nla_parse(
    data: bytes,
    start: int,
    end: int,
    policy: Policy,
    *,
    maxtype: int,
    extack: NetlinkExtAck,
    base: int = 0,
    validate: NlValidate = LIBERAL,
    order: ByteOrder = LITTLE,
    rules: ParseRules = MODERN,
) -> dict[int, bytes]:
    """One parse by a :class:`Parser`."""
    parser = Parser(policy, maxtype=maxtype, validate=validate, order=order, rules=rules)
    return parser.parse(data, start, end, extack, base)


def _good_lengths(rule: NlaPolicy, validate: NlValidate, rules: ParseRules) -> range:
    """The lengths of payload at which _failure() finds nothing, whatever the bytes are."""
    size = _INT_SIZE.get(rule.type)
    if size is not None:
        exact = NlValidate.NL_VALIDATE_STRICT_ATTRS in validate
        return range(size, size + 1 if exact else _ANY_LENGTH)
    match rule.type:
        case NlAttrType.NL_ATTR_TYPE_FLAG:
            return range(1)
        case NlAttrType.NL_ATTR_TYPE_STRING:
            return range(1, rule.len + 1 if rule.len else _ANY_LENGTH)
        case NlAttrType.NL_ATTR_TYPE_BINARY:
            return range(rule.len + 1 if rule.len else _ANY_LENGTH)
        case _:  # it depends on the payload, or on the flags of nla_type
            return range(0)


def _failure(
    rule: NlaPolicy, nla_type: int, payload: bytes, validate: NlValidate, rules: ParseRules
) -> tuple[int, str | None] | None:
    """validate_nla(): the errno and the message of what is wrong with an attribute."""
    size = _INT_SIZE.get(rule.type)
    is_nest = rule.type is NlAttrType.NL_ATTR_TYPE_NESTED
    is_unspec = rule.type is NlAttrType.NL_ATTR_TYPE_INVALID
    if (
        NlValidate.NL_VALIDATE_STRICT_ATTRS in validate
        and size is not None
        and len(payload) != size
    ):
        return EINVAL, "invalid attribute length"
    if NlValidate.NL_VALIDATE_NESTED in validate:
        if is_nest and not nla_type & NLA_F_NESTED:
            return EINVAL, "NLA_F_NESTED is missing"
        if not is_nest and not is_unspec and nla_type & NLA_F_NESTED:
            return EINVAL, "NLA_F_NESTED not expected"
    if is_unspec and NlValidate.NL_VALIDATE_UNSPEC in validate:
        return EINVAL, "Unsupported attribute"
    if not rules.nul_string and rule.type is NlAttrType.NL_ATTR_TYPE_NUL_STRING:
        errno = _unterminated_violation(rule, payload)
    else:
        errno = _violation(rule, payload)
    if not errno:
        return None
    return errno, "Attribute failed policy validation" if rules.extack_policy_msg else None


def _unterminated_violation(rule: NlaPolicy, payload: bytes) -> int:
    """2.6.18 had NLA_STRING without a length; its handler copied the text and checked that."""
    if not payload:
        return ERANGE
    return EINVAL if len(payload) - payload.endswith(b"\0") > rule.len else 0
