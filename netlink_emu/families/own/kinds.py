"""The kinds of objects that a family has, and their keys, derived from the names in its spec.

An operation's name says what it does, and with which kind ("get-device", "rings-set", "new"): a
word such as "get" is the verb, and the rest is the kind. The key of a kind are the attributes
that a request for one object takes.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from netlink_emu.protocol.family import (
    Attribute,
    AttributeSet,
    AttrType,
    FamilyDeclaration,
    Operation,
    Struct,
)


class Verb(enum.Enum):
    """What an operation does with objects."""

    GET = "get"
    MAKE = "make"
    SET = "set"
    REMOVE = "remove"
    FLUSH = "flush"


_VERBS: Final = {
    "get": Verb.GET, "dump": Verb.GET, "list": Verb.GET,
    "new": Verb.MAKE, "add": Verb.MAKE, "create": Verb.MAKE,
    "set": Verb.SET, "change": Verb.SET,
    "del": Verb.REMOVE, "delete": Verb.REMOVE, "remove": Verb.REMOVE,
    "flush": Verb.FLUSH,
}  # fmt: skip
# What is told of which change, by what a notification's name has beside the kind.
_TOLD: Final = {
    "add": Verb.MAKE, "new": Verb.MAKE, "create": Verb.MAKE, "created": Verb.MAKE,
    "del": Verb.REMOVE, "delete": Verb.REMOVE, "deleted": Verb.REMOVE, "remove": Verb.REMOVE,
    "set": Verb.SET, "change": Verb.SET, "changed": Verb.SET, "updated": Verb.SET,
}  # fmt: skip
_IDENTITY: Final = re.compile(r"(.*-)?(id|idx|index|ifindex|ifname|name|handle|wiphy|wdev)")
_DEVICE: Final = re.compile(r"(.*[.-])?(ifindex|ifname|dev-index|dev-name|if-idx)")
_ID: Final = "-id"
_BLOCKS: Final = (
    AttrType.NEST, AttrType.INDEXED_ARRAY, AttrType.NEST_TYPE_VALUE, AttrType.SUB_MESSAGE,
)  # fmt: skip

Path = tuple[str, ...]


@dataclass(slots=True)
class Kind:
    """One kind of object.

    ``keys`` are paths of attributes that tell objects apart: without any there is one object.
    ``within`` are the top attributes whose nests are nothing but such a key.
    """

    name: str
    attributes: AttributeSet
    told: tuple[str, ...] | None = None
    keys: tuple[Path, ...] = ()
    within: frozenset[str] = frozenset()
    header: Struct | None = None
    made: bool = False  # whether an operation makes such objects

    @property
    def members(self) -> frozenset[str]:
        """The names of the members of the family's own header."""
        return frozenset(() if self.header is None else (m.name for m in self.header.members))

    @property
    def kept(self) -> frozenset[str]:
        """The attributes of an object; all, if the spec has only the key."""
        told = frozenset(self.told or ())
        if told <= {path[0] for path in self.keys}:
            return frozenset(attribute.name for attribute in self.attributes)
        return told

    @property
    def absent(self) -> str:
        """The errno for a missing object."""
        return "ENODEV" if any(_DEVICE.fullmatch(".".join(key)) for key in self.keys) else "ENOENT"

    def key_of(self, values: Mapping[Any, Any]) -> dict[Path, Any]:
        """The part of the key that ``values`` has."""
        found = {}
        for path in self.keys:
            value: Any = values
            for name in path:
                value = value.get(name) if isinstance(value, Mapping) else None
            if value is not None:
                found[path] = value
        return found


def meaning(declaration: FamilyDeclaration, op: str) -> tuple[Verb | None, str]:
    """An operation's verb and kind; without a kind in its name, the family's name."""
    words = op.split("-")
    inner = [at for at in range(1, len(words) - 1) if words[at] in ("get", "set")]
    for at in (len(words) - 1, 0, *inner):
        if words[at] in _VERBS:
            rest = "-".join(words[:at] + words[at + 1 :])
            return _VERBS[words[at]], rest or declaration.name
    return None, op


def told_of(declaration: FamilyDeclaration, op: Operation) -> tuple[Verb | None, str]:
    """The verb and the kind of a notification; without a verb it is for every change."""
    _, kind = meaning(declaration, op.notify)
    words = [word for word in op.name.split("-") if word not in ("ntf", "notify")]
    verbs = [_TOLD[word] for word in words if word in _TOLD]
    return (verbs[0] if verbs else None), kind


def kinds_of(declaration: FamilyDeclaration) -> dict[str, Kind]:
    """The kinds that the family has operations for, in their order."""
    kinds: dict[str, Kind] = {}
    for op in declaration.operations:
        verb, name = meaning(declaration, op.name)
        if verb is Verb.GET and (op.do or op.dump) and name not in kinds:
            kinds[name] = _kind(name, op)
    for op in declaration.operations:
        verb, name = meaning(declaration, op.name)
        if verb is Verb.MAKE and op.do is not None and name in kinds:
            kinds[name].made = True
    for name in [*kinds]:
        if is_search(kinds.get(name.removesuffix(_ID)), name):
            del kinds[name]
    return kinds


def is_search(kind: Kind | None, name: str) -> bool:
    """Whether a get of ``name`` looks for the id of such an object: "device-id" of a "device"."""
    return kind is not None and name == kind.name + _ID and ("id",) in kind.keys


def kind_for(
    declaration: FamilyDeclaration, kinds: Mapping[str, Kind], op: Operation
) -> Kind | None:
    """The kind that an operation is about.

    That of its name ("flush-addrs": "addr", "device-id-get": "device"); or one whose key its
    request takes ("set-flags" of an address).
    """
    _, name = meaning(declaration, op.name)
    for known in (name, name.removesuffix("s"), name.removesuffix("es"), name.removesuffix(_ID)):
        if known in kinds:
            return kinds[known]
    asked = set() if op.do is None else set(op.do.request)
    for kind in kinds.values():
        if asked & {path[0] for path in kind.keys}:
            return kind
    return None


def _kind(name: str, op: Operation) -> Kind:
    asked = _asked(op)
    replies = [e.reply for e in (op.do, op.dump) if e is not None and e.reply]
    told = tuple(dict.fromkeys(name for reply in replies for name in reply)) or None
    plain = told is not None and set(asked) < set(told)
    # What both have is the key, if the request has more ("af" of fou), and the answer has, too.
    both = set(asked) & set(told or ())
    if both in (set(asked), set(told or ())):
        both.clear()
    keys: list[Path] = []
    within = set()
    for attribute in (op.attributes[name] for name in asked):
        if attribute.type is AttrType.NEST and not attribute.multi:
            # A nest that is all that is told of an object has more in it than its key.
            alone = told == (attribute.name,)
            leaves = [*_leaves(attribute, every=plain and not alone)]
            if leaves and not alone:
                within.add(attribute.name)
            keys += leaves
        elif attribute.type not in _BLOCKS and (
            plain or attribute.name in both or _IDENTITY.fullmatch(attribute.name)
        ):
            keys.append((attribute.name,))
    header = op.fixed_header
    members = () if header is None else header.members
    keys += [(member.name,) for member in members if _IDENTITY.fullmatch(member.name)]
    return Kind(name, op.attributes, told, tuple(keys), frozenset(within), header)


def _asked(op: Operation) -> Iterable[str]:
    if op.do is not None:
        return op.do.request
    return () if op.dump is None else op.dump.request


def _leaves(attribute: Attribute, *, every: bool) -> Iterator[Path]:
    nested = [] if attribute.nested is None else [*attribute.nested]
    ids = [leaf for leaf in nested if leaf.name == "id"]
    for leaf in nested if every or not ids else ids:
        if leaf.type in (*_BLOCKS, AttrType.UNUSED, AttrType.PAD) or leaf.multi:
            continue
        if leaf.name != "flags" and (every or _IDENTITY.fullmatch(leaf.name)):
            yield attribute.name, leaf.name
