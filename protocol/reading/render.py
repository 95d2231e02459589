"""Decoded messages as text for people, and as plain values for JSON."""

from __future__ import annotations

import enum
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ..attributes import NLA_TYPE_MASK
from .decode import Attribute, Message
from .printable import printable

_WIDTH: Final = 80  # of a struct's members, which go on in further lines


def enum_text(value: int, values: type[enum.IntEnum] | type[enum.IntFlag]) -> str:
    """``NL_ATTR_TYPE_U32 (4)``, ``GENL_ADMIN_PERM|GENL_CMD_CAP_DO (3)``, or the number alone."""
    if issubclass(values, enum.IntFlag):
        names = [name for name, bit in values.__members__.items() if bit and value & bit == bit]
        return f"{'|'.join(names)} ({value:#x})" if names else hex(value)
    try:
        return f"{values(value).name} ({value})"
    except ValueError:
        return str(value)


def value_text(attr: Attribute) -> str:
    """An attribute's value on one line; empty for a nest and a flag."""
    value = attr.value
    if isinstance(value, bytes):
        return value.hex(" ", -4) if value else '""'
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return " ".join(
            f"{name}={_member_text(part)}"
            for name, part in value.items()
            if part or name == "version"
        )
    if isinstance(value, list):
        return ", ".join(map(_member_text, value)) or "none"
    if isinstance(value, int) and value is not True:
        if attr.desc is not None and attr.desc.values is not None:
            return enum_text(value, attr.desc.values)
        return str(value)
    return ""


def _member_text(part: Any) -> str:
    if isinstance(part, bytes):
        return part.hex()  # in one piece: blanks stand between members
    if isinstance(part, list):
        return "[" + ",".join(map(_member_text, part)) + "]"
    if isinstance(part, dict):
        return "{" + " ".join(f"{name}={_member_text(p)}" for name, p in part.items()) + "}"
    return _quoted(part) if isinstance(part, str) else str(part)


def _quoted(text: str) -> str:
    return f'"{printable(text)}"'


def message_lines(message: Message, indent: str = "") -> Iterator[str]:
    """A message as lines: what it is, then an attribute a line, nests further in."""
    return map(printable, _message_lines(message, indent))


def _message_lines(message: Message, indent: str) -> Iterator[str]:
    header = message.header
    if not header.nlmsg_len:
        yield f"{indent}no message: {message.rest.hex(' ', -4) or 'nothing'}"
        return
    parts = [message.title]
    if message.flags:
        parts.append("|".join(message.flags))
    parts.append(f"seq {header.nlmsg_seq} pid {header.nlmsg_pid}")
    yield indent + " ".join(parts)
    if message.about is not None:
        about = message.about
        name = " ".join(filter(None, (about.type_name, about.cmd)))
        yield f"{indent}  about {name} seq {about.header.nlmsg_seq}"
    yield from _attribute_lines(message.attrs, indent + "  ")
    if message.rest:
        yield f"{indent}  {len(message.rest)} more bytes: {message.rest.hex(' ', -4)}"


def _attribute_lines(attrs: Sequence[Attribute], indent: str) -> Iterator[str]:
    for attr in attrs:
        label = attr.label
        while isinstance(attr.value, tuple) and len(attr.value) == 1:
            attr = attr.value[0]  # a nest with one attribute does not get lines of its own
            label += f"/{attr.label}"
        text = value_text(attr)
        if isinstance(attr.value, dict) and len(text) > _WIDTH:
            yield f"{indent}{label}"
            yield from (f"{indent}  {line}" for line in textwrap.wrap(text, _WIDTH))
            continue
        yield f"{indent}{label}{' ' if text else ''}{text}"
        if isinstance(attr.value, tuple):
            yield from _attribute_lines(attr.value, indent + "  ")


def message_json(message: Message) -> dict[str, Any]:
    """A message as plain dicts, lists, numbers and strings; bytes are hex."""
    header = message.header
    result: dict[str, Any] = {
        "type": message.type_name,
        "nlmsg_type": header.nlmsg_type,
        "flags": list(message.flags),
        "seq": header.nlmsg_seq,
        "pid": header.nlmsg_pid,
    }
    if message.cmd_number is not None:
        result["cmd"] = message.cmd or message.cmd_number
    if message.error is not None:
        result["error"] = message.error
        result["errno"] = message.errno_name
    if message.about is not None:
        result["about"] = message_json(message.about)
    if message.attrs:
        result["attrs"] = [_attribute_json(attr) for attr in message.attrs]
    if message.rest:
        result["rest"] = message.rest.hex()
    return result


def _attribute_json(attr: Attribute) -> dict[str, Any]:
    value = attr.value
    if isinstance(value, tuple):
        value = [_attribute_json(inner) for inner in value]
    return {"attr": attr.name or attr.type & NLA_TYPE_MASK, "value": _plain(value)}


def _plain(value: Any) -> Any:
    """Bytes as hex, at any depth."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value
