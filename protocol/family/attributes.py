"""Attributes by name, and the sets of them that messages and nests are made of."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ..attributes import NLA_TYPE_MASK
from ..format import ByteOrder
from ..policy import NlaPolicy, Policy
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
        from .policies import policy_of

        if names is not None:
            chosen = (self[name] for name in names)
            return {
                attribute.number: rule
                for attribute in sorted(chosen, key=lambda attribute: attribute.number)
                if (rule := policy_of(attribute)) is not None
            }
        if self._policy is None:
            # Known before it is complete: a set may be nested in itself.
            self._policy = policy = {}
            for number, attribute in sorted(self._by_number.items()):
                rule = policy_of(attribute)
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
