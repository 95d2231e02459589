"""Values by name as in JSON, TOML and YAML, where bytes are in hex."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from netlink_emu.protocol.family import Attribute, AttributeSet, AttrType
from netlink_emu.protocol.family.common import MAX_DEPTH, element_of, format_of


def from_plain(
    attributes: AttributeSet, values: Any, around: tuple[Mapping[Any, Any], ...] = ()
) -> dict[Any, Any]:
    """Values for :func:`~netlink_emu.protocol.family.encode`: hex of a binary becomes bytes.

    Numbers of attributes without names may be texts ("17"). ``around`` are the values of the
    enclosing messages, the nearest first. Raises ValueError for anything but a mapping, and for
    wrong hex.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"attributes are given by name, not as {values!r}")
    if len(around) > MAX_DEPTH:
        raise ValueError(f"nests are {MAX_DEPTH} deep at most")
    made: dict[Any, Any] = {}
    inside = (values, *around)
    for name, value in values.items():
        if isinstance(name, str) and name.isdecimal() and name not in attributes:
            made[int(name)] = _bytes(name, value)
        elif not isinstance(name, str) or name not in attributes:
            made[name] = value
        else:
            attribute = attributes[name]
            if attribute.multi and isinstance(value, list):
                made[name] = [_value(attribute, one, inside) for one in value]
            else:
                made[name] = _value(attribute, value, inside)
    return made


def read_json(text: str, what: str) -> Any:
    """Read values from a JSON text; raises ValueError, which names ``what``, for a mistake."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"{what} is too deep JSON") from None
    except ValueError as exc:
        raise ValueError(f"{what} is no JSON: {exc}") from None
    if _too_deep(value):
        raise ValueError(f"{what} is too deep JSON")
    return value


def _too_deep(value: Any) -> bool:
    """Whether something stands deeper than nests, each in an array, can be."""
    level = [value]
    for _ in range(3 * MAX_DEPTH):
        level = [part for each in level for part in _parts(each)]
        if not level:
            return False
    return True


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _bytes(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_bytes(name, one) for one in value]
    if not isinstance(value, str):
        return value
    try:
        return bytes.fromhex(value.replace(":", " "))
    except ValueError:
        raise ValueError(f"{name}: {value!r} is not hex") from None


def _value(attribute: Attribute, value: Any, around: tuple[Mapping[Any, Any], ...]) -> Any:
    kind = attribute.type
    if isinstance(value, Mapping):
        nested = attribute.nested
        if attribute.sub_message is not None:
            chosen = format_of(attribute, around)
            nested = None if chosen is None else chosen.attributes
        return value if nested is None else from_plain(nested, value, around)
    if kind is AttrType.INDEXED_ARRAY and isinstance(value, list):
        element = element_of(attribute)
        return [_value(element, one, around) for one in value]
    if kind is AttrType.BINARY and isinstance(value, str) and not attribute.display_hint:
        return _bytes(attribute.name, value)
    return value


def to_plain(value: Any) -> Any:
    """Decoded values as in JSON: bytes in hex, and names as keys."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, Mapping):
        return {str(name): to_plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(part) for part in value]
    return value
