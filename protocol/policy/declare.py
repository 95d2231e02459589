"""What a family says of its attributes: struct nla_policy and NLA_POLICY_*() of net/netlink.h."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


class NlaType(enum.IntEnum):
    """The type of an attribute's payload: the enum of include/net/netlink.h.

    NLA_BE16 and NLA_BE32 are numbers in network byte order. NLA_UINT and NLA_SINT (6.7) are 4 or
    8 bytes, as the sender likes.
    """

    NLA_UNSPEC = 0
    NLA_U8 = 1
    NLA_U16 = 2
    NLA_U32 = 3
    NLA_U64 = 4
    NLA_STRING = 5
    NLA_FLAG = 6
    NLA_MSECS = 7
    NLA_NESTED = 8
    NLA_NESTED_ARRAY = 9
    NLA_NUL_STRING = 10
    NLA_BINARY = 11
    NLA_S8 = 12
    NLA_S16 = 13
    NLA_S32 = 14
    NLA_S64 = 15
    NLA_BITFIELD32 = 16
    NLA_REJECT = 17
    NLA_BE16 = 18
    NLA_BE32 = 19
    NLA_SINT = 20
    NLA_UINT = 21


class NlaValidation(enum.IntEnum):
    """What is looked at beside the type: enum nla_policy_validation.

    NLA_VALIDATE_RANGE_PTR is a range too wide for struct nla_policy's s16; it differs from
    NLA_VALIDATE_RANGE for NLA_BINARY alone, whose lengths GETPOLICY then does not tell.
    """

    NLA_VALIDATE_NONE = 0
    NLA_VALIDATE_RANGE = 1
    NLA_VALIDATE_RANGE_WARN_TOO_LONG = 2
    NLA_VALIDATE_MIN = 3
    NLA_VALIDATE_MAX = 4
    NLA_VALIDATE_MASK = 5
    NLA_VALIDATE_RANGE_PTR = 6
    NLA_VALIDATE_FUNCTION = 7


# Looks at the payload; raises NetlinkError, whose message becomes the extended ack's.
ValidateFn = Callable[[bytes], None]

# Bits of each type that is a number; NLA_UINT and NLA_SINT count as the widest.
UNSIGNED_BITS: Final[Mapping[NlaType, int]] = MappingProxyType(
    {
        NlaType.NLA_U8: 8,
        NlaType.NLA_U16: 16,
        NlaType.NLA_U32: 32,
        NlaType.NLA_U64: 64,
        NlaType.NLA_MSECS: 64,
        NlaType.NLA_UINT: 64,
        NlaType.NLA_BE16: 16,
        NlaType.NLA_BE32: 32,
    }
)
SIGNED_BITS: Final[Mapping[NlaType, int]] = MappingProxyType(
    {
        NlaType.NLA_S8: 8,
        NlaType.NLA_S16: 16,
        NlaType.NLA_S32: 32,
        NlaType.NLA_S64: 64,
        NlaType.NLA_SINT: 64,
    }
)
NESTS: Final = frozenset({NlaType.NLA_NESTED, NlaType.NLA_NESTED_ARRAY})
_MASKABLE: Final = UNSIGNED_BITS.keys() - {NlaType.NLA_MSECS}
_RANGES: Final = frozenset(
    {
        NlaValidation.NLA_VALIDATE_RANGE,
        NlaValidation.NLA_VALIDATE_RANGE_WARN_TOO_LONG,
        NlaValidation.NLA_VALIDATE_MIN,
        NlaValidation.NLA_VALIDATE_MAX,
        NlaValidation.NLA_VALIDATE_RANGE_PTR,
    }
)
# Nested policies may refer to each other; lib/nlattr.c looks no deeper (5.8).
MAX_POLICY_RECURSION_DEPTH: Final = 10


@dataclass(frozen=True, slots=True)
class NlaPolicy:
    """struct nla_policy: what one attribute may be.

    ``len`` is the longest payload of NLA_STRING, NLA_NUL_STRING (without its NUL) and NLA_BINARY
    (0: any), the highest attribute of ``nested``, and the shortest payload of other types.
    ``min`` and ``max`` are inclusive, None where there is no such limit; of NLA_BINARY they are
    lengths in bytes. ``mask`` are the bits that may be set, of NLA_BITFIELD32 the valid ones.
    ``message`` is what NLA_REJECT says. ``strict_start_type`` is that of entry 0 alone: types
    from there on are validated strictly.

    ``nested`` is compared by nobody (it may be a policy of itself). Raises ValueError for what
    the kernel's macros do not compile.
    """

    type: NlaType = NlaType.NLA_UNSPEC
    len: int = 0
    validation: NlaValidation = NlaValidation.NLA_VALIDATE_NONE
    min: int | None = None
    max: int | None = None
    mask: int = 0
    nested: Policy | None = field(default=None, repr=False, compare=False)
    message: str | None = None
    function: ValidateFn | None = None
    strict_start_type: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.len <= 0xFFFF:
            raise ValueError(f"len is a u16, not {self.len}")
        if not 0 <= self.mask < 1 << 64:
            raise ValueError(f"a mask is unsigned, of 64 bits at most, not {self.mask}")
        wrong = self._misfit()
        if wrong:
            raise ValueError(f"{self.type.name} has no {wrong}")
        if self.validation in _RANGES:
            self._check_range()

    def _misfit(self) -> str:
        numeric = self.type in UNSIGNED_BITS or self.type in SIGNED_BITS
        if self.nested is not None and self.type not in NESTS:
            return "nested policy"
        if self.validation in _RANGES and not (numeric or self.type is NlaType.NLA_BINARY):
            return "range"
        if self.validation is NlaValidation.NLA_VALIDATE_MASK and self.type not in _MASKABLE:
            return "mask"
        if self.validation is NlaValidation.NLA_VALIDATE_FUNCTION and (
            self.type in NESTS or self.type in (NlaType.NLA_BITFIELD32, NlaType.NLA_REJECT)
        ):
            return "validation function"
        return ""

    def _check_range(self) -> None:
        low, high = self.limits
        bits = SIGNED_BITS.get(self.type)
        least, most = (-1 << bits - 1, (1 << bits - 1) - 1) if bits else (0, self._most)
        if not least <= low <= high <= most:
            raise ValueError(f"{self.type.name} has no range from {low} to {high}")

    @property
    def _most(self) -> int:
        return (1 << UNSIGNED_BITS.get(self.type, 16)) - 1

    @property
    def limits(self) -> tuple[int, int]:
        """nla_get_range_unsigned() and nla_get_range_signed(): the least and the greatest."""
        bits = SIGNED_BITS.get(self.type)
        least, most = (-1 << bits - 1, (1 << bits - 1) - 1) if bits else (0, self._most)
        return (
            least if self.min is None else self.min,
            most if self.max is None else self.max,
        )


Policy = Mapping[int, NlaPolicy]

# What the kernel's array has for a type without an entry; ``len`` would be the shortest payload.
UNSPEC: Final = NlaPolicy()
# genl_policy_reject_all, of operations that declare no policy (6.1); its highest attribute is 1.
REJECT_ALL: Final[Policy] = MappingProxyType(
    {0: NlaPolicy(NlaType.NLA_REJECT), 1: NlaPolicy(NlaType.NLA_REJECT)}
)


def nla_policy_range(type: NlaType, min: int, max: int, *, wide: bool = False) -> NlaPolicy:
    """NLA_POLICY_RANGE(); NLA_POLICY_FULL_RANGE() where it is ``wide``."""
    kind = NlaValidation.NLA_VALIDATE_RANGE
    if wide:
        kind = NlaValidation.NLA_VALIDATE_RANGE_PTR
    return NlaPolicy(type, validation=kind, min=min, max=max)


def nla_policy_min(type: NlaType, min: int) -> NlaPolicy:
    """NLA_POLICY_MIN()."""
    return NlaPolicy(type, validation=NlaValidation.NLA_VALIDATE_MIN, min=min)


def nla_policy_max(type: NlaType, max: int) -> NlaPolicy:
    """NLA_POLICY_MAX()."""
    return NlaPolicy(type, validation=NlaValidation.NLA_VALIDATE_MAX, max=max)


def nla_policy_mask(type: NlaType, mask: int) -> NlaPolicy:
    """NLA_POLICY_MASK(): other bits are reserved."""
    return NlaPolicy(type, validation=NlaValidation.NLA_VALIDATE_MASK, mask=mask)


def nla_policy_exact_len(length: int) -> NlaPolicy:
    """NLA_POLICY_EXACT_LEN(): a binary of that many bytes."""
    return nla_policy_range(NlaType.NLA_BINARY, length, length)


def nla_policy_exact_len_warn(length: int) -> NlaPolicy:
    """NLA_POLICY_EXACT_LEN_WARN(): a longer one is taken with a warning, unless it is strict."""
    warn = NlaValidation.NLA_VALIDATE_RANGE_WARN_TOO_LONG
    return NlaPolicy(NlaType.NLA_BINARY, validation=warn, min=length, max=length)


def nla_policy_min_len(length: int) -> NlaPolicy:
    """NLA_POLICY_MIN_LEN(): a binary of that many bytes or more."""
    return nla_policy_min(NlaType.NLA_BINARY, length)


def nla_policy_nested(policy: Policy, maxtype: int | None = None) -> NlaPolicy:
    """NLA_POLICY_NESTED(): as ``policy`` says; ``maxtype`` is its highest type by default."""
    highest = max(policy, default=0) if maxtype is None else maxtype
    return NlaPolicy(NlaType.NLA_NESTED, highest, nested=policy)


def nla_policy_nested_array(policy: Policy, maxtype: int | None = None) -> NlaPolicy:
    """NLA_POLICY_NESTED_ARRAY(): nests of any type, each of them as ``policy`` says."""
    highest = max(policy, default=0) if maxtype is None else maxtype
    return NlaPolicy(NlaType.NLA_NESTED_ARRAY, highest, nested=policy)


def nla_policy_bitfield32(valid: int) -> NlaPolicy:
    """NLA_POLICY_BITFIELD32(): struct nla_bitfield32 with none but ``valid`` bits."""
    return NlaPolicy(NlaType.NLA_BITFIELD32, mask=valid)


def nla_policy_reject(message: str | None = None) -> NlaPolicy:
    """NLA_REJECT: never, and ``message`` may say why not."""
    return NlaPolicy(NlaType.NLA_REJECT, message=message)


def nla_policy_validate_fn(type: NlaType, function: ValidateFn, length: int = 0) -> NlaPolicy:
    """NLA_POLICY_VALIDATE_FN(): ``function`` has the last word."""
    kind = NlaValidation.NLA_VALIDATE_FUNCTION
    return NlaPolicy(type, length, validation=kind, function=function)
