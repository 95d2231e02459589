"""A store of objects, which answers the operations of a family without functions.

The family's ``state`` has the objects by kind; :mod:`.kinds` says what each operation does with
them. Where the kernel does more than its spec says, use your own functions or canned answers for
an operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from netlink_emu.families.own.given import given
from netlink_emu.families.own.habits import habits_of
from netlink_emu.families.own.kinds import (
    Kind,
    Verb,
    is_search,
    kind_for,
    kinds_of,
    meaning,
    told_of,
)
from netlink_emu.families.own.merging import merge
from netlink_emu.families.own.numbering import first_id, give_id, id_of
from netlink_emu.families.own.plain import from_plain
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.family import (
    Attribute,
    FamilyDeclaration,
    decode,
    encode,
)
from netlink_emu.protocol.format import LITTLE

if TYPE_CHECKING:
    from netlink_emu.families.own.request import Request

Object = dict[Any, Any]


class Taken(ValueError):
    """An object with this key exists."""


class Owner(Protocol):
    """What a store needs to know of its family."""

    state: dict[str, Any]

    @property
    def name(self) -> str: ...
    @property
    def declaration(self) -> FamilyDeclaration: ...
    def otherwise(self, *, do: Callable[..., Any], dump: Callable[..., Any]) -> None: ...
    def notify(
        self,
        name: str,
        values: Mapping[Any, Any],
        *,
        group: str = "",
        header: Mapping[str, Any] | None = None,
    ) -> None: ...


class Store:
    """The objects of a family by kind, and what its operations do with them.

    A get answers with an object; a dump with all objects, or with those that match the request's
    key. New makes an object (EEXIST if it exists), set changes one, and del removes one (if it
    does not exist: ENODEV for devices, otherwise ENOENT). Set also makes objects if no other
    operation does and none existed at the beginning. The spec's groups get each change.
    """

    def __init__(self, family: Owner) -> None:
        self._family: Final = family
        self.kinds: Final = kinds_of(family.declaration)
        self._habits: Final = habits_of(family.name)
        self._seeded: set[str] = set()
        family.otherwise(do=self._do, dump=self._dump)
        for name, values in self._habits.first.items():
            family.state[name] = [dict(values)]

    def seed(self, state: Mapping[str, Any]) -> None:
        """Set the objects that a boot begins with, by kind: a list of objects, or one.

        Raises ValueError for an unknown kind or attribute, and for wrong values.
        """
        for name, objects in state.items():
            kind = self.kind(name)
            many = objects if isinstance(objects, list | tuple) else [objects]
            self._seeded.add(name)
            self._family.state[name] = [self._checked(kind, each) for each in many]

    def kind(self, name: str) -> Kind:
        """Return the kind of that name; raises ValueError if there is none."""
        if name not in self.kinds:
            known = ", ".join(self.kinds) or "no operation gets any"
            raise ValueError(f"{self._family.name} has no objects {name!r}; it has: {known}")
        return self.kinds[name]

    def objects(self, name: str) -> list[Object]:
        """Return the objects of a kind, in the order in which they were made."""
        self.kind(name)
        objects: list[Object] = self._family.state.setdefault(name, [])
        return objects

    def check(self, name: str, values: Any) -> None:
        """Raise ValueError for an unknown kind or attribute, and for wrong values."""
        self._checked(self.kind(name), values)

    def add(self, name: str, values: Mapping[str, Any]) -> None:
        """Make an object, and notify the groups, as if a device appeared.

        Raises Taken, a ValueError, if an object has that key already.
        """
        kind = self.kind(name)
        made = self._checked(kind, values)
        if self._is_taken(kind, made):
            known = ", ".join(".".join(path) for path in kind.key_of(made))
            raise Taken(f"{self._family.name} has a {kind.name} with this {known} already")
        self.objects(name).append(made)
        self._tell(kind, Verb.MAKE, made)

    def change(self, name: str, values: Mapping[str, Any]) -> None:
        """Change the object with the key in ``values``, and notify the groups.

        Raises LookupError if there is none.
        """
        kind = self.kind(name)
        change = self._checked(kind, values)
        self._change(kind, self._named(kind, change), change)

    def remove(self, name: str, values: Mapping[str, Any]) -> None:
        """Remove the object with that key, and notify the groups; LookupError as above."""
        kind = self.kind(name)
        self._drop(kind, self._named(kind, self._checked(kind, values)))

    def _named(self, kind: Kind, values: Object) -> Object:
        found = next(self._matching(kind, kind.key_of(values)), None)
        if found is not None:
            return found
        key = kind.key_of(values)
        if kind.keys and not key:
            known = " or ".join(".".join(path) for path in kind.keys)
            raise LookupError(f"say which {kind.name} of {self._family.name}: by its {known}")
        which = " and ".join(f"{'.'.join(path)} {value!r}" for path, value in key.items())
        raise LookupError(f"{self._family.name} has no such {kind.name}{which and f': {which}'}")

    def _checked(self, kind: Kind, values: Any) -> Object:
        """Values as in a request: names for numbers, texts for addresses."""
        if not isinstance(values, Mapping):
            raise ValueError(f"{kind.name}: attributes are given by name, not as {values!r}")
        rest = {name: value for name, value in values.items() if name not in kind.members}
        checked: Object = {}
        try:
            if kind.header is not None:
                fixed = {name: values[name] for name in values if name in kind.members}
                checked |= kind.header.decode(kind.header.encode(fixed, LITTLE), LITTLE)
            data = encode(kind.attributes, from_plain(kind.attributes, rest))
        except ValueError as exc:
            raise ValueError(f"{kind.name}: {exc}") from None
        return checked | decode(kind.attributes, data)

    # --- operations

    def _do(self, _family: object, request: Request) -> Any:
        op = request.op
        verb, name = meaning(self._family.declaration, op.name)
        kind = kind_for(self._family.declaration, self.kinds, op)
        if verb is None or kind is None:
            raise NetlinkError("EOPNOTSUPP", f"nothing answers {op.name} of {self._family.name}")
        values = given(request)
        reply = () if op.do is None or op.do.reply is None else op.do.reply
        if verb is Verb.FLUSH or (
            verb is Verb.REMOVE and self._habits.removes_all and not kind.key_of(values)
        ):
            for each in [*self.objects(kind.name)]:
                self._drop(kind, each)
            if self._habits.numbers_on:
                self._ids().pop(kind.name, None)
            return None
        if self._habits.passes(verb, values):
            return None
        if verb is Verb.MAKE:
            changed = self._make(kind, values)
        elif verb is Verb.SET:
            changed = self._set(kind, values)
        elif verb is Verb.GET and is_search(kind, name):
            changed = self._searched(kind, values)
        else:
            changed = self._find(kind, values)
            if verb is Verb.REMOVE:
                self._drop(kind, changed)
            elif reply:
                return self._whole(kind, changed)
        return self._told(kind, changed, reply) if reply else None

    def _dump(self, _family: object, request: Request) -> Iterator[Object]:
        op = request.op
        kind = kind_for(self._family.declaration, self.kinds, op)
        verb, _ = meaning(self._family.declaration, op.name)
        if verb is not Verb.GET or kind is None:
            raise NetlinkError("EOPNOTSUPP", f"nothing answers {op.name} of {self._family.name}")
        values = given(request)
        key = kind.key_of(values)
        found = [*self._matching(kind, key)] if key else [*self.objects(kind.name)]
        if key and not found:
            raise self._nothing(kind)
        if self._habits.numbers_on:
            found.sort(key=lambda each: id_of(kind, each))
        return iter([self._whole(kind, each) for each in found])

    def _matching(self, kind: Kind, key: Mapping[Any, Any]) -> Iterator[Object]:
        """Objects that equal the key in all attributes that both have."""
        for each in self.objects(kind.name):
            its = kind.key_of(each)
            shared = its.keys() & key.keys()
            if not its or (shared and all(its[path] == key[path] for path in shared)):
                yield each

    def _find(self, kind: Kind, values: Object) -> Object:
        key = kind.key_of(values)
        anybodys = any(not kind.key_of(each) for each in self.objects(kind.name))
        if kind.keys and not key and not anybodys:
            if kind.name in self._habits.nobodys:
                return {}
            path = kind.keys[0]
            within = path[0] in values and len(path) > 1
            raise NetlinkError("EINVAL", missing=".".join(path) if within else path[0])
        for each in self._matching(kind, key) if kind.keys else self.objects(kind.name):
            return each
        raise self._nothing(kind)

    def _searched(self, kind: Kind, values: Object) -> Object:
        """The one object that has all these values: dpll_device_find() and its like."""
        objects = self.objects(kind.name)
        found = [o for o in objects if all(o.get(n) == v for n, v in values.items())]
        if len(found) > 1:
            raise NetlinkError("EINVAL", "multiple matches")
        if not found:
            raise self._nothing(kind)
        return found[0]

    def _nothing(self, kind: Kind) -> NetlinkError:
        """Raise the error for a missing object, or for a kind without objects."""
        given = kind.made or kind.name in self._seeded or not self._seeded
        errno, text = self._habits.absent or (kind.absent, "")
        return NetlinkError(errno, text) if given else NetlinkError("EOPNOTSUPP")

    def _make(self, kind: Kind, values: Object) -> Object:
        kept = self._kept(kind, values, {})
        kept = self._looked(Verb.MAKE, kind, None, kept)
        made = merge(kind.attributes, {}, kept)
        if self._is_taken(kind, made):
            raise NetlinkError("EEXIST")
        self._number(kind, made)
        self.objects(kind.name).append(made)
        self._tell(kind, Verb.MAKE, made)
        return made

    def _is_taken(self, kind: Kind, values: Object) -> bool:
        key = kind.key_of(values)
        return bool(key) and any(kind.key_of(e) == key for e in self.objects(kind.name))

    def _looked(self, verb: Verb, kind: Kind, found: Object | None, values: Object) -> Object:
        objects = self.objects(kind.name)
        return dict(self._habits.look(verb, kind.name, objects, found, values))

    def _number(self, kind: Kind, made: Object) -> None:
        objects = self.objects(kind.name)
        if not self._habits.numbers_on:
            give_id(kind, made, objects, 1)
            return
        highest = max((id_of(kind, each) for each in objects), default=1)
        first = first_id(kind, self._ids().get(kind.name, max(1, highest)))
        give_id(kind, made, objects, first)
        self._ids()[kind.name] = max(first, id_of(kind, made))

    def _ids(self) -> dict[str, int]:
        """The next ids, by kind."""
        ids: dict[str, int] = self._family.state.setdefault(_IDS, {})
        return ids

    def _set(self, kind: Kind, values: Object) -> Object:
        try:
            found = self._find(kind, values)
        except NetlinkError as exc:
            open_ = not kind.made and kind.name not in self._seeded
            if exc.missing is not None or not open_:
                raise
            made = merge(kind.attributes, {}, self._kept(kind, values, {}))
            self.objects(kind.name).append(made)
            self._tell(kind, Verb.SET, made)
            return made
        kept = self._kept(kind, values, found)
        self._change(kind, found, self._looked(Verb.SET, kind, found, kept))
        return found

    def _kept(self, kind: Kind, values: Object, before: Object) -> Object:
        """What of a request belongs to an object: what is told of it, or was in it ``before``.

        Of a nest that is a key it is the key alone.
        """
        kept: Object = {}
        for name, value in values.items():
            if name in kind.within and isinstance(value, Mapping):
                leaves = {path[1] for path in kind.keys if path[0] == name and len(path) > 1}
                kept[name] = {leaf: part for leaf, part in value.items() if leaf in leaves}
            elif name in kind.members:
                kept[name] = value
            elif name in kind.attributes and (name in kind.kept or name in before):
                kept[name] = _known(kind.attributes[name], value)
        return kept

    def _change(self, kind: Kind, found: Object, values: Object) -> None:
        changed = merge(kind.attributes, found, values)
        found.clear()
        found.update(changed)
        self._tell(kind, Verb.SET, found)

    def _drop(self, kind: Kind, found: Object) -> None:
        objects = self.objects(kind.name)
        objects[:] = [each for each in objects if each is not found]
        self._tell(kind, Verb.REMOVE, found)

    def _tell(self, kind: Kind, verb: Verb, values: Object) -> None:
        declaration = self._family.declaration
        for op in declaration.operations:
            told_verb, told_kind = told_of(declaration, op)
            if op.event is None or told_kind != kind.name or told_verb not in (verb, None):
                continue
            group = op.mcgrp or (
                declaration.groups[0].name if len(declaration.groups) == 1 else ""
            )
            if group:
                told = self._whole(kind, values)
                attributes = {n: v for n, v in told.items() if n in op.attributes}
                header = {n: v for n, v in told.items() if n in kind.members}
                self._family.notify(op.name, attributes, group=group, header=header)

    def _whole(self, kind: Kind, values: Object) -> Object:
        """All values of an object, in the order of the spec."""
        return {**self._told(kind, values, kind.told), **values}

    def _told(self, kind: Kind, values: Object, names: tuple[str, ...] | None) -> Object:
        """The values that an answer has, in the order of the spec."""
        if not names:
            return dict(values)
        return {name: values[name] for name in (*kind.members, *names) if name in values}


# In a family's state, beside its objects.
_IDS: Final = "next ids"


def _known(attribute: Attribute, value: Any) -> Any:
    """A value without the attributes of nests that a get does not answer with."""
    if isinstance(value, list):
        return [_known(attribute, one) for one in value]
    nested = attribute.nested
    if nested is None or not isinstance(value, Mapping):
        return value
    return {
        name: _known(nested[name], part) if name in nested else part
        for name, part in value.items()
        if name in nested or name in attribute.type_value
    }
