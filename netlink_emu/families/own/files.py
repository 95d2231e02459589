"""Read the files that a family is made from."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netlink_emu.documents import DocumentError, Map, Place, Seq, file_bytes, read_document
from netlink_emu.families.own.habits import RESV_START_OP
from netlink_emu.families.own.overlay import lay_over, recorded_family
from netlink_emu.families.own.recording import RecordedFamily
from netlink_emu.machine.scenario_places import places_in
from netlink_emu.protocol.family import FamilyDeclaration
from netlink_emu.specs import read_spec_file

if TYPE_CHECKING:
    from netlink_emu.families.own.answers import Answers

# How tomllib says where.
_AT: Final = re.compile(r" \(at line (\d+), column (\d+)\)$")
# What a state file has beside objects by kind.
_CANNED: Final = ("replies", "failures")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The parts of a family; ``file`` is the file of ``state``."""

    declaration: FamilyDeclaration
    state: Mapping[str, Any]
    file: Path | None

    def seed(self, family: Answers) -> None:
        """Give the family its state. Raises ValueError."""
        if self.file is None:
            family.store.seed(self.state)
        else:
            _seed(self.state, self.file, family)


def load(
    spec: str | Path,
    state: Mapping[str, Any] | str | Path | None,
    recording: str | Path | None,
) -> Loaded:
    """Read a spec, a state and a recording: see Family.from_spec."""
    declaration = read_spec_file(spec).declaration
    name = declaration.name
    if declaration.protocol == "netlink-raw":
        raise ValueError(f"{name} is a raw protocol, and no generic netlink family")
    declaration = replace(declaration, resv_start_op=RESV_START_OP.get(name, 0))
    file = None if state is None or isinstance(state, Mapping) else Path(state)
    values = read_state(file) if file is not None else state
    assert values is None or isinstance(values, Mapping)
    if file is not None and values is not None and recording is None:
        recording = _recording_of(values, file)
    if recording is not None:
        declaration = lay_over(declaration, read_recorded(Path(recording), name))
    return Loaded(declaration, values or {}, file)


def read_state(path: Path) -> dict[str, Any]:
    """Read a state file: TOML if its name ends in .toml, otherwise YAML or JSON.

    Raises DocumentError, with line and column where they are known, and OSError.
    """
    if path.suffix == ".toml":
        return _toml(path)
    return read_document(file_bytes(path), str(path))


def read_recorded(path: Path, name: str) -> RecordedFamily:
    """The family of that name in a recording. Raises DocumentError and OSError."""
    try:
        values = json.loads(file_bytes(path))
    except (ValueError, RecursionError) as exc:
        if isinstance(exc, DocumentError):
            raise
        raise DocumentError(Place(str(path), 1, 1), f"not JSON: {exc}") from exc
    try:
        return recorded_family(values, name)
    except ValueError as exc:
        raise DocumentError(Place(str(path), 1, 1), str(exc)) from exc


def _recording_of(values: Mapping[str, Any], path: Path) -> Path | None:
    """The recording that a state file names, beside itself."""
    name = values.get("recording")
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        place = getattr(values, "places", {}).get("recording", Place(str(path), 1, 1))
        raise DocumentError(place, f"recording is the name of a file, not {name!r}")
    return path.parent / name


def _seed(values: Mapping[str, Any], path: Path, family: Answers) -> None:
    """Give a family what a file says: objects by kind, ``replies`` and ``failures`` by operation.

    Raises DocumentError.
    """
    for name, value in values.items():
        if name == "recording":
            continue
        places = getattr(value, "places", None) or {}
        where = getattr(values, "places", {}).get(name, Place(str(path), 1, 1))
        many = value if isinstance(value, list) else [value]
        try:
            if name in _CANNED:
                where = _canned(family, name, value, where)
            else:
                if isinstance(places, list):
                    _each(family, name, many, places)
                family.store.seed({name: value})
        except ValueError as exc:
            raise (
                exc if isinstance(exc, DocumentError) else DocumentError(where, str(exc))
            ) from exc


def _each(family: Answers, name: str, objects: list[Any], places: list[Place]) -> None:
    """Check each value on its own, so that a mistake has its place."""
    for value, place in zip(objects, places, strict=True):
        try:
            family.store.seed({name: value})
        except ValueError as exc:
            raise DocumentError(place, str(exc)) from exc


def _canned(family: Answers, name: str, value: Any, where: Place) -> Place:
    if not isinstance(value, Mapping):
        raise DocumentError(where, f"{name} are given by operation")
    for op, answer in value.items():
        place = getattr(value, "places", {}).get(op, where)
        try:
            if name == "replies":
                family.reply_plain(op, answer)
            elif isinstance(answer, str):
                family.fail(op, answer)
            elif not isinstance(answer, Mapping) or "errno" not in answer:
                raise ValueError(f"{op}: a failure has an errno")
            else:
                _fail(family, op, answer)
        except ValueError as exc:
            raise DocumentError(place, str(exc)) from exc
    return where


def _fail(family: Answers, op: str, answer: Mapping[str, Any]) -> None:
    unknown = answer.keys() - {"errno", "message", "attr", "missing", "times"}
    if unknown:
        raise ValueError(f"{op}: a failure has no {sorted(unknown)[0]!r}")
    for key, value in answer.items():
        if not isinstance(value, int if key == "times" else str | int):
            raise ValueError(f"{op}: {key} is not {value!r}")
    family.fail(op, **answer)


def _toml(path: Path) -> Map:
    begin = Place(str(path), 1, 1)
    try:
        text = file_bytes(path).decode()
        values = tomllib.loads(text)
    except UnicodeDecodeError as exc:
        raise DocumentError(begin, "not UTF-8") from exc
    except RecursionError as exc:
        raise DocumentError(begin, "nested too deep") from exc
    except tomllib.TOMLDecodeError as exc:
        found = _AT.search(str(exc))
        place = Place(str(path), int(found[1]), int(found[2])) if found else begin
        raise DocumentError(place, f"not TOML: {_AT.sub('', str(exc))}") from exc
    places = {keys: Place(str(path), *at) for keys, at in places_in(text).items()}
    placed: Map = _placed(values, (), places, begin)
    return placed


def _placed(
    value: Any, keys: tuple[str | int, ...], places: Mapping[Any, Place], place: Place
) -> Any:
    """A value with its places; values without one have the place of what they are in."""
    if isinstance(value, dict):
        made = Map(place)
        for name, part in value.items():
            made.places[name] = places.get((*keys, name), place)
            made[name] = _placed(part, (*keys, name), places, made.places[name])
        return made
    if isinstance(value, list):
        items = Seq(place)
        for index, part in enumerate(value):
            items.places.append(places.get((*keys, index), place))
            items.append(_placed(part, (*keys, index), places, items.places[-1]))
        return items
    return value
