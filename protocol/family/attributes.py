"""Attributes by name, and the sets of them that messages and nests are made of."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ..attributes import NLA_TYPE_MASK
from ..format import BIG, ByteOrder
from ..policy import (
    NlaPolicy,
    NlaType,
    Policy,
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
from .enumeration import Enumeration, unknown_name
from .structs import Struct

NEXT: Final = -1


class AttrType(enum.StrEnum):
    """How an attribute's payload is made: the types of the specs, by their names there."""

    UNUSED = "unused"  # a number that is nobody's
    PAD = "pad"
    FLAG = "flag"  # there or not
    BINARY = "binary"
    STRING = "string"
    BITFIELD32 = "bitfield32"
    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    U64 = "u64"
    S8 = "s8"
    S16 = "s16"
    S32 = "s32"
    S64 = "s64"
    UINT = "uint"  # 4 or 8 bytes
    SINT = "sint"
    NEST = "nest"
    INDEXED_ARRAY = "indexed-array"  # numbered attributes of one type
    NEST_TYPE_VALUE = "nest-type-value"  # nests whose types are values
    SUB_MESSAGE = "sub-message"  # another attribute says what is in it


_LONG: Final = frozenset({AttrType.STRING, AttrType.BINARY})
# The least and the greatest number of each type.
_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    **{f"u{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32, 64)},
    **{f"s{bits}": (-1 << bits - 1, (1 << bits - 1) - 1) for bits in (8, 16, 32, 64)},
    AttrType.UINT: (0, (1 << 64) - 1),
    AttrType.SINT: (-1 << 63, (1 << 63) - 1),
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a set.

    ``type`` is an :class:`AttrType` or its name. Without a ``number`` an attribute has the one
    after the highest before it. ``nested`` are the attributes of a nest, of an array's nests, and
    of a type-value nest. ``multi``: it may be there several times, and its value is a list.
    ``sub_type`` is the type of an array's elements, or of the numbers that a binary is made of.
    ``type_value`` names the levels of a type-value nest. ``selector`` is the attribute whose value
    picks one of ``sub_message``'s formats. ``byte_order`` None is the machine's own.

    The limits make the policy by which a kernel checks a request: ``min`` and ``max`` of numbers,
    ``mask`` of bits, ``min_len``, ``max_len`` and ``exact_len`` in bytes (of a string without its
    NUL), ``unterminated_ok`` for strings without NUL. ``policy`` is the policy itself where these
    cannot say it.
    """

    name: str
    type: str = AttrType.NEST
    number: int = NEXT
    nested: AttributeSet | None = field(default=None, repr=False)
    multi: bool = False
    sub_type: str | None = None
    type_value: tuple[str, ...] = ()
    sub_message: SubMessage | None = field(default=None, repr=False)
    selector: str = ""
    struct: Struct | None = None
    enum: Enumeration | None = None
    enum_as_flags: bool = False
    byte_order: ByteOrder | None = None
    display_hint: str = ""
    min: int | None = None
    max: int | None = None
    mask: int | None = None
    min_len: int | None = None
    max_len: int | None = None
    exact_len: int | None = None
    unterminated_ok: bool = False
    policy: NlaPolicy | None = None
    doc: str = ""

    def __post_init__(self) -> None:
        for name in ("type", "sub_type"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, _type(value))
        if not NEXT <= self.number <= NLA_TYPE_MASK:
            raise ValueError(f"{self.name}: an attribute's number is at most 16383")
        wrong = self._lacks()
        if wrong:
            raise ValueError(f"{self.name}: a {self.type} needs {wrong}")
        if self.type is not AttrType.INDEXED_ARRAY:
            self._check_limits()

    def _check_limits(self) -> None:
        """Refuse limits that a kernel's policy of this type cannot have, and would not enforce."""
        number = _RANGES.get(self.type)
        limits = [v for v in (self.min, self.max, self.mask) if v is not None]
        if limits and number is None and self.type is not AttrType.BITFIELD32:
            said = f"min, max and mask are for numbers, not for a {self.type}"
            hint = ": it has min_len, max_len and exact_len" if self.type in _LONG else ""
            raise ValueError(f"{self.name}: {said}{hint}")
        for limit in limits:
            if number is not None and not number[0] <= limit <= number[1]:
                raise ValueError(f"{self.name}: {limit} does not fit in {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"{self.name}: min {self.min} is more than max {self.max}")
        lengths = [v for v in (self.min_len, self.max_len, self.exact_len) if v is not None]
        if lengths and self.type not in _LONG:
            said = "min_len, max_len and exact_len are for strings and binaries"
            raise ValueError(f"{self.name}: {said}, not for a {self.type}")

    def _lacks(self) -> str:
        if self.type is AttrType.INDEXED_ARRAY:
            if self.sub_type is None:
                return "the type of its elements (sub_type)"
            if self.sub_type is AttrType.NEST and self.nested is None:
                return "the attributes of its nests (nested)"
        if self.type in (AttrType.NEST, AttrType.NEST_TYPE_VALUE) and self.nested is None:
            return "its attributes (nested)"
        if self.type is AttrType.NEST_TYPE_VALUE and not self.type_value:
            return "the names of its levels (type_value)"
        if self.type is AttrType.SUB_MESSAGE and (self.sub_message is None or not self.selector):
            return "its formats (sub_message) and the attribute that chooses (selector)"
        return ""


def _type(name: str) -> AttrType:
    try:
        return AttrType(name)
    except ValueError:
        raise unknown_name("type", name, [*AttrType]) from None


class AttributeSet:
    """Attributes by name and by number.

    It can be extended with :meth:`add` after it was made: a set may be nested in itself. Raises
    ValueError for a name or a number that is there twice.
    """

    def __init__(self, name: str, *attributes: Attribute, doc: str = "") -> None:
        if not isinstance(name, str):
            raise ValueError(f"an AttributeSet begins with its name, not with {name!r}")
        self.name: Final = name
        self.doc: Final = doc
        self._by_name: dict[str, Attribute] = {}
        self._by_number: dict[int, Attribute] = {}
        self._policy: dict[int, NlaPolicy] | None = None
        self._highest = 0
        for attribute in attributes:
            self.add(attribute)

    def __repr__(self) -> str:
        return f"<attributes {self.name}: {', '.join(self._by_name)}>"

    def __iter__(self) -> Iterator[Attribute]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Attribute:
        """The attribute of that name; raises ValueError, which says what comes close."""
        if name not in self._by_name:
            raise unknown_name(f"attribute of {self.name}", name, self._by_name)
        return self._by_name[name]

    def get(self, number: int) -> Attribute | None:
        """The attribute of that number."""
        return self._by_number.get(number)

    def add(self, attribute: Attribute) -> Attribute:
        """One more; it is returned with its number."""
        if not isinstance(attribute, Attribute):
            raise ValueError(f"{self.name} has attributes, and {attribute!r} is none")
        if attribute.number == NEXT:
            attribute = replace(attribute, number=self._highest + 1)
        if attribute.name in self._by_name:
            raise ValueError(f"{self.name} has two attributes {attribute.name!r}")
        other = self._by_number.get(attribute.number)
        if other is not None:
            raise ValueError(
                f"{self.name}: {attribute.name!r} and {other.name!r} have the same number, "
                f"{attribute.number}"
            )
        self._by_name[attribute.name] = self._by_number[attribute.number] = attribute
        self._highest = max(self._highest, attribute.number)
        self._policy = None
        return attribute

    @property
    def highest(self) -> int:
        """The highest number of an attribute."""
        return self._highest

    def policy(self, names: Iterable[str] | None = None) -> Policy:
        """The policy of all attributes (always one object), or of those that are named.

        An attribute that is not used has none, and neither has a pad.
        """
        if names is not None:
            chosen = (self[name] for name in names)
            return {
                attribute.number: rule
                for attribute in sorted(chosen, key=lambda attribute: attribute.number)
                if (rule := _policy_of(attribute)) is not None
            }
        if self._policy is None:
            # Known before it is complete: a set may be nested in itself.
            self._policy = policy = {}
            for number, attribute in sorted(self._by_number.items()):
                rule = _policy_of(attribute)
                if rule is not None:
                    policy[number] = rule
        return self._policy


@dataclass(frozen=True, slots=True)
class SubMessageFormat:
    """What is in a sub-message: a struct, attributes behind it, either or none."""

    fixed_header: Struct | None = None
    attributes: AttributeSet | None = None


@dataclass(frozen=True, slots=True)
class SubMessage:
    """The formats of a sub-message by the value of the attribute that chooses."""

    name: str
    formats: Mapping[str | int, SubMessageFormat]


# --- the policy that a declaration means: what the kernel's ynl-gen-c makes of a spec

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


def _policy_of(attribute: Attribute) -> NlaPolicy | None:
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
