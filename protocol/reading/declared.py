"""Families of somebody's own for those who read messages: from declarations to descriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ..family import Attribute, AttributeSet, AttrType, FamilyDeclaration, Struct
from .describe import ANY, AttrDesc, AttrSet, FamilyDesc, Kind

UNKNOWN: Final = AttrDesc("", Kind.UNKNOWN)


def describe(declaration: FamilyDeclaration) -> FamilyDesc:
    """What a decoder needs to know of a family."""
    requests: dict[int, str] = {}
    replies: dict[int, str] = {}
    sets: dict[int, AttrSet] = {}
    reply_sets: dict[int, AttrSet] = {}
    headers: dict[int, Struct] = {}
    for op in declaration.operations:
        attrs = DeclaredAttrs(op.attributes)
        for exchange in (op.do, op.dump):
            if exchange is not None:
                requests.setdefault(exchange.cmd, op.name)
                sets.setdefault(exchange.cmd, attrs)
                replies.setdefault(exchange.reply_cmd, op.name)
                reply_sets.setdefault(exchange.reply_cmd, attrs)
        if op.event is not None:
            replies[op.event.reply_cmd or op.event.cmd] = op.name
            reply_sets[op.event.reply_cmd or op.event.cmd] = attrs
        if op.fixed_header is not None:
            for exchange in (op.do, op.dump, op.event):
                if exchange is not None:
                    headers[exchange.cmd] = headers[exchange.reply_cmd] = op.fixed_header
    return FamilyDesc(declaration.name, requests, sets, replies, reply_sets, headers)


class DeclaredAttrs(Mapping[int, AttrDesc]):
    """An :class:`AttributeSet` as a decoder asks for it; sets may be nested in themselves."""

    def __init__(self, attributes: AttributeSet) -> None:
        self.attributes: Final = attributes

    def __getitem__(self, number: int) -> AttrDesc:
        if number == ANY:
            return UNKNOWN
        attribute = self.attributes.get(number)
        if attribute is None:
            raise KeyError(number)
        return _described(attribute)

    def __iter__(self) -> Iterator[int]:
        return (attribute.number for attribute in self.attributes)

    def __len__(self) -> int:
        return len(self.attributes)


def _described(attribute: Attribute) -> AttrDesc:
    nested = attribute.nested
    if nested is None:
        return AttrDesc(attribute.name, Kind.DECLARED, declared=attribute)
    attrs: AttrSet = DeclaredAttrs(nested)
    levels = 0
    if attribute.type is AttrType.INDEXED_ARRAY:
        levels = 1
    elif attribute.type is AttrType.NEST_TYPE_VALUE:
        levels = len(attribute.type_value)
    for _ in range(levels):
        attrs = {ANY: AttrDesc("", Kind.NEST, attrs)}
    return AttrDesc(attribute.name, Kind.NEST, attrs, declared=attribute)


def attribute_names(described: AttrSet) -> frozenset[str]:
    """The names of attributes at any depth."""
    names: set[str] = set()
    seen: set[int] = set()
    waiting: list[AttrSet] = [described]
    while waiting:
        attrs = waiting.pop()
        key = id(attrs.attributes) if isinstance(attrs, DeclaredAttrs) else id(attrs)
        if key in seen:
            continue
        seen.add(key)
        for desc in attrs.values():
            if desc.name:
                names.add(desc.name)
            if desc.attrs:
                waiting.append(desc.attrs)
    return frozenset(names)
