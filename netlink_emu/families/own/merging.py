"""Merge the values of a request into an object."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from netlink_emu.protocol.family import Attribute, AttributeSet

# Bits that say what to do and are no state: "replace-peers", "remove-me", "update-only".
_ORDER: Final = re.compile(r"replace-.+|remove-me|update-only")


def orders_of(attributes: AttributeSet, values: Mapping[Any, Any]) -> frozenset[str]:
    """The flags in ``values`` that control the merge."""
    found: set[str] = set()
    for attribute in attributes:
        if _orders(attribute) and isinstance(values.get(attribute.name), list):
            found.update(str(bit) for bit in values[attribute.name])
    return frozenset(found)


def _orders(attribute: Attribute) -> list[str]:
    if attribute.enum is None or not (attribute.enum.flags or attribute.enum_as_flags):
        return []
    return [name for name in attribute.enum.values if _ORDER.fullmatch(name)]


def merge(
    attributes: AttributeSet, before: Mapping[Any, Any], values: Mapping[Any, Any]
) -> dict[Any, Any]:
    """Merge ``values`` into ``before``, also within nests; None removes an attribute.

    A list replaces the previous list, unless the set has a flag to ask for that
    ("replace-peers" of "peers"): then its elements are added, changed, and with "remove-me"
    removed.
    """
    merged = dict(before)
    kept = {
        order.removeprefix("replace-") for attribute in attributes for order in _orders(attribute)
    }
    orders = orders_of(attributes, values)
    for name, value in values.items():
        if value is None:
            merged.pop(name, None)
            continue
        if name not in attributes:
            merged[name] = value
            continue
        attribute = attributes[name]
        if attribute.nested is None:
            if not _orders(attribute):
                merged[name] = value
        elif isinstance(value, list) and name in kept:
            old = [] if f"replace-{name}" in orders else merged.get(name, [])
            merged[name] = [*_elements(attribute.nested, old, value)]
        elif isinstance(value, Mapping) and isinstance(merged.get(name), Mapping):
            merged[name] = merge(attribute.nested, merged[name], value)
        else:
            merged[name] = value
    return merged


def _elements(
    attributes: AttributeSet, before: list[Any], values: list[Any]
) -> Iterator[dict[Any, Any]]:
    elements = {_identity(attributes, element): element for element in before}
    for value in values:
        if not isinstance(value, Mapping):
            continue
        orders, identity = orders_of(attributes, value), _identity(attributes, value)
        if "remove-me" in orders:
            elements.pop(identity, None)
        elif identity in elements or "update-only" not in orders:
            elements[identity] = merge(attributes, elements.get(identity, {}), value)
    yield from elements.values()


def _identity(attributes: AttributeSet, values: Mapping[Any, Any]) -> tuple[Any, ...]:
    """The identity of a list's element: its key, or everything except nests."""
    plain = [attribute for attribute in attributes if not _orders(attribute)]
    for attribute in plain:
        if re.fullmatch(r"(.*-)?(id|index|name|key)", attribute.name):
            return (str(values.get(attribute.name)),)
    return tuple(
        str(values.get(attribute.name)) for attribute in plain if attribute.nested is None
    )
