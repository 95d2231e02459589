"""Values of NETLINK_EMU's attributes by name, on their way into a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..family import AttributeSet, encode
from ..family.structs import NUMBERS
from ..format import ByteOrder
from .control import attr_name

# By name. What is None is left out; a flag is True.
Row = Mapping[str, Any]
# The longest text of an attribute: with others it must fit a message of one page.
TEXT_MAX: Final = 2000


def write(attrs: AttributeSet, values: Row, order: ByteOrder) -> bytes:
    """Attributes from values: of texts what fits, of numbers what C makes of them; JSON is whole.

    Raises ValueError for what no attribute has room for.
    """
    return encode(attrs, _fitting(attrs, values), order)


def _fitting(attrs: AttributeSet, values: Row) -> dict[str, Any]:
    fitting: dict[str, Any] = {}
    for name, value in values.items():
        nested, size = attrs[name].nested, NUMBERS.get(attrs[name].type)
        if isinstance(value, str) and name != "json":
            cut = value.encode(errors="surrogateescape")[:TEXT_MAX]
            fitting[name] = cut.decode("utf-8", "ignore")
        elif isinstance(value, Mapping) and nested is not None:
            fitting[name] = _fitting(nested, value)
        elif isinstance(value, int) and size is not None:
            fitting[name] = value & ((1 << 8 * size) - 1)
        else:
            fitting[name] = value
    return fitting


def check(attrs: AttributeSet, values: Row) -> None:
    """ValueError for a number, signed or not, of which :func:`write` would make another one."""
    for name, value in values.items():
        nested, size = attrs[name].nested, NUMBERS.get(attrs[name].type)
        if isinstance(value, Mapping) and nested is not None:
            check(nested, value)
        elif isinstance(value, int) and size is not None:
            bits = 8 * size
            if not -(1 << (bits - 1)) <= value < 1 << bits:
                raise ValueError(f"{attr_name(attrs, name)} has {bits} bits: {value} does not fit")
