"""Values by name as JSON, TOML and YAML have them, which know no bytes: those are in hex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netlink_emu.protocol.family import Attribute, AttributeSet, AttrType, SubMessageFormat


def from_plain(attributes: AttributeSet, values: Any) -> dict[Any, Any]:
    """Values for :func:`~netlink_emu.protocol.family.encode`: hex of a binary becomes bytes.

    Numbers of attributes without names may be texts ("17"). Raises ValueError for what is no
    mapping, and for hex that is none.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"attributes are given by name, not as {values!r}")
    made: dict[Any, Any] = {}
    for name, value in values.items():
        if isinstance(name, str) and name.isdecimal() and name not in attributes:
            made[int(name)] = _bytes(name, value)
        elif not isinstance(name, str) or name not in attributes:
            made[name] = value
        else:
            attribute = attributes[name]
            if attribute.multi and isinstance(value, list):
                made[name] = [_value(attribute, one, values) for one in value]
            else:
                made[name] = _value(attribute, value, values)
    return made


def _bytes(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_bytes(name, one) for one in value]
    if not isinstance(value, str):
        return value
    try:
        return bytes.fromhex(value.replace(":", " "))
    except ValueError:
        raise ValueError(f"{name}: {value!r} is not hex") from None


def _value(attribute: Attribute, value: Any, around: Mapping[Any, Any]) -> Any:
    kind = attribute.type
    if isinstance(value, Mapping):
        chosen = _format(attribute, around)
        if kind is AttrType.SUB_MESSAGE and chosen is not None and chosen.attributes is not None:
            return from_plain(chosen.attributes, value)
        return value if attribute.nested is None else from_plain(attribute.nested, value)
    if kind is AttrType.INDEXED_ARRAY and isinstance(value, list):
        return [_element(attribute, one) for one in value]
    if kind is AttrType.BINARY and isinstance(value, str) and not attribute.display_hint:
        return _bytes(attribute.name, value)
    return value


def _element(attribute: Attribute, value: Any) -> Any:
    if isinstance(value, Mapping) and attribute.nested is not None:
        return from_plain(attribute.nested, value)
    binary = attribute.sub_type == AttrType.BINARY and not attribute.display_hint
    return _bytes(attribute.name, value) if binary and isinstance(value, str) else value


def _format(attribute: Attribute, around: Mapping[Any, Any]) -> SubMessageFormat | None:
    if attribute.sub_message is None:
        return None
    return attribute.sub_message.formats.get(around.get(attribute.selector, ""))


def to_plain(value: Any) -> Any:
    """Decoded values as JSON has them: bytes in hex, names alone for keys."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, Mapping):
        return {str(name): to_plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(part) for part in value]
    return value
