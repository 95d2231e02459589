"""Whether an attribute is what its policy says: validate_nla() and what it calls in lib/nlattr.c.

What is wrong becomes a :class:`NetlinkError` with the extended ack filled in, in the words of the
kernel.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from errno import EINVAL, ERANGE
from typing import Final

from ..attributes import NLA_F_NESTED, NLA_HDRLEN, NLA_TYPE_MASK, NLATTR, nla_walk
from ..errors import NetlinkError, NetlinkExtAck
from ..format import LITTLE, ByteOrder
from ..netlink import nlmsg_align
from .declare import (
    MAX_POLICY_RECURSION_DEPTH,
    NESTS,
    SIGNED_BITS,
    UNSIGNED_BITS,
    UNSPEC,
    NlaPolicy,
    NlaType,
    NlaValidation,
    Policy,
)
from .describe import policy_attributes


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


@dataclass(frozen=True, slots=True)
class ParseRules:
    """What an era adds to a parse: see the profile's capabilities of the same names."""

    attr_type_mask: int = NLA_TYPE_MASK
    extack_policy_msg: bool = True
    extack_policy: bool = True
    extack_leftover_msg: bool = True
    nul_string: bool = True
    uint_policies: bool = True
    log_attr_length: bool = True
    log_leftover_comm: bool = True


MODERN: Final = ParseRules()
_FAILED: Final = "Attribute failed policy validation"
_INVALID_LENGTH: Final = "invalid attribute length"

# nla_attr_len: the exact size of numbers; NLA_UINT and NLA_SINT have two, NLA_MSECS is not in it.
SIZES: Final[Mapping[NlaType, int]] = {
    kind: bits // 8
    for kind, bits in {**UNSIGNED_BITS, **SIGNED_BITS}.items()
    if kind not in (NlaType.NLA_UINT, NlaType.NLA_SINT, NlaType.NLA_MSECS)
}
_EITHER: Final = frozenset({NlaType.NLA_UINT, NlaType.NLA_SINT})
_NETWORK_ORDER: Final = frozenset({NlaType.NLA_BE16, NlaType.NLA_BE32})


class _Violation(Exception):
    """What is wrong with an attribute; ``told``: its policy is described to the client."""

    def __init__(self, errno: int, message: str | None = _FAILED, *, told: bool = True) -> None:
        super().__init__(message)
        self.errno = errno
        self.message = message
        self.told = told


@dataclass(frozen=True, slots=True)
class Validator:
    """__nla_validate_parse() of attributes nobody asks the values of, and of one attribute.

    Offsets in the extended ack count from ``base``, where the request begins in the data.
    """

    order: ByteOrder = LITTLE
    rules: ParseRules = MODERN

    def attribute(
        self,
        policy: Policy,
        nla_type: int,
        data: bytes,
        span: tuple[int, int],
        validate: NlValidate,
        extack: NetlinkExtAck,
        base: int,
        depth: int = 0,
    ) -> None:
        """validate_nla(): raise NetlinkError unless the payload data[span] is as ``policy`` says.

        ``nla_type`` has its flags, and is neither 0 nor above the policy's highest.
        """
        kind = nla_type & self.rules.attr_type_mask
        rule = policy.get(kind, UNSPEC)
        start_type = policy[0].strict_start_type if 0 in policy else 0
        if start_type and kind >= start_type:
            validate |= STRICT
        payload = data[span[0] : span[1]]
        if self.rules.log_attr_length:
            _log_length(extack, kind, rule, payload)
        try:
            _check(rule, nla_type, payload, validate, self.order, self.rules)
            _check_further(rule, payload, validate, self.order)
        except _Violation as wrong:
            self._tell(extack, span[0] - NLA_HDRLEN - base, wrong, rule)
            raise NetlinkError(wrong.errno) from None
        except NetlinkError as error:  # of a validation function
            if error.message:
                extack.msg, extack.bad_attr = error.message, span[0] - NLA_HDRLEN - base
                extack.policy = None
            raise
        if rule.type in NESTS and payload and rule.nested is not None:
            self._nest(rule, data, span, validate, extack, base, depth)

    def _nest(
        self,
        rule: NlaPolicy,
        data: bytes,
        span: tuple[int, int],
        validate: NlValidate,
        extack: NetlinkExtAck,
        base: int,
        depth: int,
    ) -> None:
        assert rule.nested is not None
        if rule.type is NlaType.NLA_NESTED:
            self.attributes(rule.nested, rule.len, data, span, validate, extack, base, depth + 1)
            return
        # nla_validate_array(): the entries' types do not matter.
        for _nla_type, start, length in nla_walk(data, *span, self.order):
            if not length:
                continue
            if length < NLA_HDRLEN:
                short = _Violation(ERANGE, "Array element too short")
                self._tell(extack, start - NLA_HDRLEN - base, short, rule.nested.get(0, UNSPEC))
                raise NetlinkError(ERANGE)
            entry = start, start + length
            self.attributes(rule.nested, rule.len, data, entry, validate, extack, base, depth + 1)

    def attributes(
        self,
        policy: Policy,
        maxtype: int,
        data: bytes,
        span: tuple[int, int],
        validate: NlValidate,
        extack: NetlinkExtAck,
        base: int = 0,
        depth: int = 0,
    ) -> None:
        """__nla_validate_parse(): raise NetlinkError unless all of data[span] is good."""
        if depth >= MAX_POLICY_RECURSION_DEPTH:
            extack.msg = "allowed policy recursion depth exceeded"
            raise NetlinkError(EINVAL)
        start, end = span
        unpack = NLATTR[self.order].unpack_from
        while end - start >= NLA_HDRLEN:
            nla_len, nla_type = unpack(data, start)
            if nla_len < NLA_HDRLEN or nla_len > end - start:
                break
            if self.in_range(nla_type, maxtype, validate, extack, start - base):
                payload = start + NLA_HDRLEN, start + nla_len
                self.attribute(policy, nla_type, data, payload, validate, extack, base, depth)
            start += nlmsg_align(nla_len)
        self.leftover(start, end, validate, extack)

    def in_range(
        self,
        nla_type: int,
        maxtype: int,
        validate: NlValidate,
        extack: NetlinkExtAck,
        offset: int,
    ) -> bool:
        """False for an attribute to ignore; raises NetlinkError for an unknown one."""
        if 0 < nla_type & self.rules.attr_type_mask <= maxtype:
            return True
        if NlValidate.NL_VALIDATE_MAXTYPE in validate:
            extack.msg, extack.bad_attr = "Unknown attribute type", offset
            extack.policy = None
            raise NetlinkError(EINVAL)
        return False

    def leftover(self, start: int, end: int, validate: NlValidate, extack: NetlinkExtAck) -> None:
        """What stands behind the last attribute: a warning, or an error."""
        if start >= end:
            return
        process = " in process `{comm}'" if self.rules.log_leftover_comm else ""
        extack.log += (
            f"netlink: {end - start} bytes leftover after parsing attributes{process}.",
        )
        if self.rules.extack_leftover_msg:
            extack.msg = "bytes leftover after parsing attributes"
        if NlValidate.NL_VALIDATE_TRAILING in validate:
            raise NetlinkError(EINVAL)

    def _tell(
        self, extack: NetlinkExtAck, offset: int, wrong: _Violation, rule: NlaPolicy
    ) -> None:
        """NL_SET_ERR_MSG_ATTR_POL()."""
        extack.bad_attr = offset
        extack.policy = None
        if self.rules.extack_policy_msg:
            extack.msg = wrong.message
        if self.rules.extack_policy and wrong.told:
            uint = self.rules.uint_policies
            extack.policy = policy_attributes(rule, self.order, uint=uint) or None


def _log_length(extack: NetlinkExtAck, kind: int, rule: NlaPolicy, payload: bytes) -> None:
    """What a length that is taken all the same, or not, leaves in the kernel's log."""
    exact = SIZES.get(rule.type)
    if exact is not None and len(payload) != exact:
        number = kind
    elif (
        rule.validation is NlaValidation.NLA_VALIDATE_RANGE_WARN_TOO_LONG
        and rule.type is NlaType.NLA_BINARY
        and len(payload) > rule.limits[1]
    ):
        number = rule.type  # nla_validate_range_unsigned() tells of the policy's type
    else:
        return
    extack.log += (f"netlink: '{{comm}}': attribute type {number} has an invalid length.",)


def _check(
    rule: NlaPolicy,
    nla_type: int,
    payload: bytes,
    validate: NlValidate,
    order: ByteOrder,
    rules: ParseRules,
) -> None:
    """The first half of validate_nla(): length, flags, and what the type demands."""
    kind, length = rule.type, len(payload)
    exact = SIZES.get(kind)
    if NlValidate.NL_VALIDATE_STRICT_ATTRS in validate and exact is not None and length != exact:
        raise _Violation(EINVAL, _INVALID_LENGTH)
    if NlValidate.NL_VALIDATE_NESTED in validate:
        if kind in NESTS and not nla_type & NLA_F_NESTED:
            raise _Violation(EINVAL, "NLA_F_NESTED is missing")
        if kind not in NESTS and kind is not NlaType.NLA_UNSPEC and nla_type & NLA_F_NESTED:
            raise _Violation(EINVAL, "NLA_F_NESTED not expected")
    match kind:
        case NlaType.NLA_REJECT:
            if rule.message is not None:
                raise _Violation(EINVAL, rule.message, told=False)
            raise _Violation(EINVAL)
        case NlaType.NLA_FLAG:
            if payload:
                raise _Violation(ERANGE)
        case NlaType.NLA_SINT | NlaType.NLA_UINT:
            if length not in (4, 8):
                raise _Violation(EINVAL, _INVALID_LENGTH)
        case NlaType.NLA_BITFIELD32:
            _check_bitfield32(rule, payload, order)
        case NlaType.NLA_NUL_STRING if rules.nul_string:
            # A NUL has to stand within the longest text and its NUL.
            reach = rule.len + 1 if rule.len else length
            if b"\0" not in payload[:reach]:
                raise _Violation(EINVAL)
            _check_string(rule, payload)
        case NlaType.NLA_NUL_STRING:
            _check_unterminated(rule, payload)
        case NlaType.NLA_STRING:
            _check_string(rule, payload)
        case NlaType.NLA_BINARY:
            if rule.len and length > rule.len:
                raise _Violation(ERANGE)
        case NlaType.NLA_NESTED | NlaType.NLA_NESTED_ARRAY:
            if 0 < length < NLA_HDRLEN:
                raise _Violation(ERANGE)
        case NlaType.NLA_UNSPEC:
            if NlValidate.NL_VALIDATE_UNSPEC in validate:
                raise _Violation(EINVAL, "Unsupported attribute", told=False)
            if length < rule.len:
                raise _Violation(ERANGE)
        case _:
            if length < (rule.len or exact or 8):  # NLA_MSECS is a u64
                raise _Violation(ERANGE)


def _check_string(rule: NlaPolicy, payload: bytes) -> None:
    length = len(payload) - payload.endswith(b"\0")
    if not payload or (rule.len and length > rule.len):
        raise _Violation(ERANGE)


def _check_unterminated(rule: NlaPolicy, payload: bytes) -> None:
    """2.6.18 had NLA_STRING without a length; its handler copied the text and checked that."""
    if not payload:
        raise _Violation(ERANGE)
    if len(payload) - payload.endswith(b"\0") > rule.len:
        raise _Violation(EINVAL)


def _check_bitfield32(rule: NlaPolicy, payload: bytes, order: ByteOrder) -> None:
    """validate_nla_bitfield32(): known bits, and none set that is not selected."""
    if len(payload) != 8:
        raise _Violation(ERANGE)
    value = int.from_bytes(payload[:4], order.name)
    selector = int.from_bytes(payload[4:], order.name)
    valid = rule.mask & 0xFFFFFFFF
    if not valid or (selector | value) & ~valid or value & ~selector:
        raise _Violation(EINVAL)


def _check_further(
    rule: NlaPolicy, payload: bytes, validate: NlValidate, order: ByteOrder
) -> None:
    """The second half: ranges, masks, and the family's own function."""
    match rule.validation:
        case NlaValidation.NLA_VALIDATE_NONE:
            return
        case NlaValidation.NLA_VALIDATE_FUNCTION:
            if rule.function is not None:
                rule.function(payload)
        case NlaValidation.NLA_VALIDATE_MASK:
            if _number(rule.type, payload, order) & ~rule.mask:
                raise _Violation(EINVAL, "reserved bit set", told=False)
        case _ if rule.type is NlaType.NLA_BINARY:
            _check_length(rule, len(payload), validate)
        case _:
            least, most = rule.limits
            if not least <= _number(rule.type, payload, order) <= most:
                raise _Violation(ERANGE, "integer out of range")


def _check_length(rule: NlaPolicy, length: int, validate: NlValidate) -> None:
    least, most = rule.limits
    warned = rule.validation is NlaValidation.NLA_VALIDATE_RANGE_WARN_TOO_LONG
    if warned and length > most:
        if NlValidate.NL_VALIDATE_STRICT_ATTRS in validate:
            raise _Violation(EINVAL, _INVALID_LENGTH)
    elif not least <= length <= most:
        raise _Violation(ERANGE, "binary attribute size out of range")


def _number(kind: NlaType, payload: bytes, order: ByteOrder) -> int:
    """nla_get_*(): the number that the first bytes are."""
    size = len(payload) if kind in _EITHER else SIZES.get(kind, 8)
    name = "big" if kind in _NETWORK_ORDER else order.name
    return int.from_bytes(payload[:size], name, signed=kind in SIGNED_BITS)
