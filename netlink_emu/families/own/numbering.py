"""Choose ids for objects whose request has none."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from netlink_emu.families.own.kinds import Kind, Path
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.family import AttributeSet
from netlink_emu.protocol.family.structs import NUMBERS

Object = dict[Any, Any]


def id_path(kind: Kind) -> Path | None:
    """The path to the id of a kind's objects; None if their key has no id."""
    return next((path for path in kind.keys if path[-1] == "id"), None)


def id_of(kind: Kind, values: Mapping[Any, Any]) -> int:
    """An object's id, or 0."""
    path = id_path(kind)
    found = None if path is None else kind.key_of(values).get(path)
    return found if isinstance(found, int) else 0


def first_id(kind: Kind, last: int) -> int:
    """The number after ``last``; after the highest possible number it is 1."""
    path = id_path(kind)
    return 1 if path is None or last >= _highest(kind, path) else last


def give_id(kind: Kind, made: Object, objects: Sequence[Object], first: int) -> None:
    """Give ``made`` the first free id from ``first`` on, or from 1 on where there is none.

    Does nothing if ``made`` has an id, or its kind has none. Raises NetlinkError: EEXIST for an
    object that differs from another one only in its id, ENOSPC if all ids are taken.
    """
    path = id_path(kind)
    if path is None or path in kind.key_of(made):
        return
    if any(_without(each, path) == made for each in objects):
        raise NetlinkError("EEXIST")
    taken = {id_of(kind, each) for each in objects}
    candidates = itertools.chain(range(first, _highest(kind, path) + 1), range(1, first))
    free = next((number for number in candidates if number not in taken), None)
    if free is None:
        raise NetlinkError("ENOSPC")
    nest = made
    for name in path[:-1]:
        nest = nest.setdefault(name, {})
    nest[path[-1]] = free


def _highest(kind: Kind, path: Path) -> int:
    """The highest number that the attribute can hold."""
    known: AttributeSet | None = kind.attributes
    number = "u32"
    for name in path:
        if known is not None and name in known:
            number, known = known[name].type, known[name].nested
    return (1 << 8 * NUMBERS.get(number, 4) - number.startswith("s")) - 1


def _without(values: Mapping[Any, Any], path: tuple[str, ...]) -> Object:
    """Values without the one at ``path``."""
    name, *rest = path
    if not rest:
        return {key: value for key, value in values.items() if key != name}
    return {
        key: _without(value, tuple(rest)) if key == name and isinstance(value, Mapping) else value
        for key, value in values.items()
    }
