"""YAML files from strangers as plain values that know where they stand in the file.

A file may be hostile: its size, depth and number of values are bounded (aliases count as often
as they are used), nothing but plain values is made of it, and each mistake has its place.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

MOST_BYTES: Final = 4 << 20  # the kernel's longest has 100 KiB
MOST_VALUES: Final = 300_000  # its richest, some 17,000
MOST_DEPTH: Final = 40  # its deepest, 10

# The one of libyaml is ten times faster, and bounds the depth by itself.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "bool", "null", "float")
)


class Place(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class DocumentError(ValueError):
    """A file cannot be used. ``place`` says where, ``reason`` why."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place: Final = place
        self.reason: Final = reason


class Map(dict[str, Any]):
    """A mapping with names for keys. ``place`` is its own, ``places`` those of its values."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place: Final = place
        self.places: Final[dict[str, Place]] = {}

    def error(self, key: str | None, reason: str) -> DocumentError:
        """A mistake at that key's value, or in the mapping as a whole."""
        return DocumentError(self.places.get(key or "", self.place), reason)

    def _typed(self, key: str, kind: type | tuple[type, ...], what: str) -> Any:
        value = self[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(key, f"{key} is {what}, not {shown(value)}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A string; DocumentError where it is something else, or missing without a default."""
        if key not in self:
            if default is None:
                raise self.error(None, f"{key} is missing")
            return default
        value: str = self._typed(key, str, "a string")
        return value

    def name(self, key: str = "name") -> str:
        """A string that is not empty."""
        found = self.text(key)
        if not found:
            raise self.error(key, f"{key} is empty")
        return found

    def flag(self, key: str) -> bool:
        """A boolean; false where it is missing."""
        return key in self and bool(self._typed(key, bool, "true or false"))

    def number(self, key: str, default: int | None = None) -> int:
        """An integer; DocumentError where it is something else, or missing without a default."""
        if key not in self:
            if default is None:
                raise self.error(None, f"{key} is missing")
            return default
        value: int = self._typed(key, int, "a number")
        return value

    def map(self, key: str) -> Map | None:
        """A mapping; None where it is missing or empty."""
        if self.get(key) is None:
            return None
        value: Map = self._typed(key, Map, "a mapping")
        return value

    def maps(self, key: str) -> list[Map]:
        """A list of mappings; empty where it is missing."""
        found: list[Map] = []
        for place, value in self.items_of(key):
            if not isinstance(value, Map):
                raise DocumentError(place, f"{key} has mappings, not {shown(value)}")
            found.append(value)
        return found

    def names(self, key: str) -> list[str]:
        """A list of strings; empty where it is missing."""
        found: list[str] = []
        for place, value in self.items_of(key):
            if not isinstance(value, str):
                raise DocumentError(place, f"{key} has names, not {shown(value)}{_quoting(value)}")
            found.append(value)
        return found

    def items_of(self, key: str) -> list[tuple[Place, Any]]:
        """The items of a list with their places; none where it is missing."""
        if self.get(key) is None:
            return []
        values: Seq = self._typed(key, Seq, "a list")
        return [*zip(values.places, values, strict=True)]

    def only(self, known: Iterable[str]) -> list[DocumentError]:
        """What is wrong with keys that are not of ``known``."""
        names = [*known]
        found = []
        for key in self:
            if key not in names:
                close = difflib.get_close_matches(key, names, 1)
                hint = f", did you mean {close[0]}?" if close else ""
                found.append(self.error(key, f"{key!r} is not known here{hint}"))
        return found


class Seq(list[Any]):
    """A list; ``places`` are those of its items."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place: Final = place
        self.places: Final[list[Place]] = []


def shown(value: object) -> str:
    """A value in a sentence."""
    if isinstance(value, Map):
        return "a mapping"
    if isinstance(value, Seq):
        return "a list"
    return "nothing" if value is None else repr(value)


def _quoting(value: object) -> str:
    """YAML 1.1 takes on, off, yes and no for booleans."""
    return ' (write it in quotes: "on")' if isinstance(value, bool) else ""


def file_bytes(path: Path) -> bytes:
    """All of a file; DocumentError if that is more than a document may have, OSError as usual."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise DocumentError(Place(str(path), 1, 1), f"longer than {MOST_BYTES >> 20} MiB")
    return data


def read_document(text: str | bytes, file: str, *, most_bytes: int = MOST_BYTES) -> Map:
    """The mapping that a file is. Raises DocumentError."""
    if len(text) > most_bytes:
        raise DocumentError(Place(file, 1, 1), f"longer than {most_bytes >> 20} MiB")
    loader = None
    try:
        loader = _LOADER(text)
        found = _Reader(file, loader).document()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        raise DocumentError(place, f"not YAML: {exc.problem or exc.context}") from exc
    except yaml.YAMLError as exc:
        raise DocumentError(Place(file, 1, 1), f"not YAML: {' '.join(str(exc).split())}") from exc
    except RecursionError as exc:
        raise DocumentError(Place(file, 1, 1), f"nested deeper than {MOST_DEPTH}") from exc
    except UnicodeDecodeError as exc:
        raise DocumentError(Place(file, 1, 1), "not UTF-8") from exc
    finally:
        if loader is not None:
            loader.dispose()
    return found


class _Reader:
    """Makes values of the nodes that YAML composes."""

    def __init__(self, file: str, loader: Any) -> None:
        self._file = file
        self._loader = loader
        self._left = MOST_VALUES

    def document(self) -> Map:
        node = self._loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise DocumentError(Place(self._file, 1, 1), "not a mapping")
        found = self._value(node, 0)
        assert isinstance(found, Map)
        return found

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _value(self, node: yaml.Node, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise DocumentError(self._place(node), f"more than {MOST_VALUES:,} values")
        if depth > MOST_DEPTH:
            raise DocumentError(self._place(node), f"nested deeper than {MOST_DEPTH}")
        if isinstance(node, yaml.MappingNode):
            return self._map(node, depth)
        if isinstance(node, yaml.SequenceNode):
            items = Seq(self._place(node))
            for item in node.value:
                items.places.append(self._place(item))
                items.append(self._value(item, depth + 1))
            return items
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        if node.tag not in _TAGS:
            return str(node.value)  # a date, say
        try:
            return self._loader.construct_object(node)
        except ValueError as exc:
            raise DocumentError(self._place(node), f"{node.value!r} is not a valid value") from exc

    def _map(self, node: yaml.MappingNode, depth: int) -> Map:
        found = Map(self._place(node))
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or key_node.tag == "tag:yaml.org,2002:merge":
                raise DocumentError(self._place(key_node), "a key is a name")
            if key in found:
                raise DocumentError(self._place(key_node), f"{key} is there twice")
            found.places[key] = self._place(value_node)
            found[key] = self._value(value_node, depth + 1)
        return found
