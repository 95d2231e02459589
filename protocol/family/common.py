"""What reading and writing values by name have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from .attributes import Attribute, AttrType, SubMessageFormat

# By name; an attribute without one by its number. (A Mapping of str and int takes no dict of str.)
Values = Mapping[Any, Any]
# Nests in nests: real ones have seven at most, a datagram has room for thousands.
MAX_DEPTH: Final = 32
SIGNED: Final[frozenset[str]] = frozenset(
    {AttrType.S8, AttrType.S16, AttrType.S32, AttrType.S64, AttrType.SINT}
)
EITHER: Final[frozenset[str]] = frozenset({AttrType.UINT, AttrType.SINT})  # 4 or 8 bytes


def element_of(attribute: Attribute) -> Attribute:
    """One element of an array, as an attribute of its own."""
    assert attribute.sub_type is not None
    return Attribute(
        attribute.name,
        attribute.sub_type,
        0,
        nested=attribute.nested,
        struct=attribute.struct,
        enum=attribute.enum,
        enum_as_flags=attribute.enum_as_flags,
        byte_order=attribute.byte_order,
        display_hint=attribute.display_hint,
        type_value=attribute.type_value,
        sub_message=attribute.sub_message,
        selector=attribute.selector,
    )


def format_of(
    attribute: Attribute, around: Iterable[Mapping[str | int, Any]]
) -> SubMessageFormat | None:
    """The format that the nearest value of the selector chooses."""
    assert attribute.sub_message is not None
    for values in around:
        if attribute.selector in values:
            value = values[attribute.selector]
            if isinstance(value, str | int):
                return attribute.sub_message.formats.get(value)
            return None
    return None
