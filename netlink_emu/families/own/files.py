"""Files of what a family has at first."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netlink_emu.documents import DocumentError, Place, file_bytes, read_document

if TYPE_CHECKING:
    from netlink_emu.families.own.answers import Answers

# What a state file has beside objects by kind.
_CANNED: Final = ("replies", "failures")


def read_seed(file: str | Path, family: Answers) -> None:
    """Give a family what a file says: objects by kind, ``replies`` and ``failures`` by operation.

    TOML where its name ends so, else YAML, of which JSON is a part. Raises DocumentError, with
    line and column where they are known, and OSError.
    """
    path = Path(file)
    values = _toml(path) if path.suffix == ".toml" else read_document(file_bytes(path), str(path))
    for name, value in values.items():
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
    """Check each by itself, for a mistake to be told where it is."""
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


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file_bytes(path).decode())
    except UnicodeDecodeError as exc:
        raise DocumentError(Place(str(path), 1, 1), "not UTF-8") from exc
    except tomllib.TOMLDecodeError as exc:
        raise DocumentError(Place(str(path), 1, 1), f"not TOML: {exc}") from exc
