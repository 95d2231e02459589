"""A project's defaults: the table ``[tool.netlink-emu]`` of its pyproject.toml."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

FILE: Final = "pyproject.toml"
_MOST_BYTES: Final = 1 << 20
_TABLE: Final = b"netlink-emu"


class SettingsError(ValueError):
    """A project's defaults make no sense; the message names the file and the key."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The defaults. ``families`` are paths of YAML specs; ``cassettes`` names tests' folder."""

    release: str | None = None
    arch: str | None = None
    cpus: int | None = None
    families: tuple[Path, ...] = ()
    cassettes: str | None = None


def find_settings(start: Path) -> Settings:
    """The defaults of the project around ``start``: of the nearest pyproject.toml.

    A file that cannot be read is none. Raises SettingsError.
    """
    for folder in (start, *start.parents):
        path = folder / FILE
        if path.is_file():
            return read_settings(path)
    return Settings()


def read_settings(path: Path) -> Settings:
    """The defaults in a file; raises SettingsError."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError:
        return Settings()
    if _TABLE not in data:
        return Settings()
    import tomllib  # takes longer to import than the search: most projects have no such table

    try:
        table = tomllib.loads(data.decode()).get("tool", {}).get("netlink-emu", {})
    except (ValueError, AttributeError, RecursionError) as exc:
        raise SettingsError(f"{path}: {exc}") from exc
    return _checked(path, table)


def _checked(path: Path, table: Any) -> Settings:
    where = f"{path}: tool.netlink-emu"
    if not isinstance(table, dict):
        raise SettingsError(f"{where} is not a table")
    known = [field.name for field in fields(Settings)]
    for key, value in table.items():
        if key not in known:
            raise SettingsError(f"{where} has no {key!r}; it has {', '.join(known)}")
        if not _fits(key, value):
            wanted = {"cpus": "a number from 1 to 4096", "families": "a list of YAML specs"}
            raise SettingsError(f"{where}.{key} takes {wanted.get(key, 'a text')}, not {value!r}")
    families = tuple(path.parent / name for name in table.get("families", ()))
    return Settings(**{**table, "families": families})


def _is_spec(name: Any) -> bool:
    """YAML alone: a project's directory does not make us run its Python."""
    return isinstance(name, str) and name.endswith((".yaml", ".yml"))


def _fits(key: str, value: Any) -> bool:
    if key == "cpus":
        return type(value) is int and 1 <= value <= 4096
    if key == "families":
        return isinstance(value, list) and all(map(_is_spec, value))
    return isinstance(value, str) and value != ""
