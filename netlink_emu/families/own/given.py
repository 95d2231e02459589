"""The values of a request for the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.family import Attribute, AttributeSet, AttrType

if TYPE_CHECKING:
    from netlink_emu.families.own.request import Request

_BYTES: Final = (AttrType.BINARY, AttrType.UNUSED, AttrType.SUB_MESSAGE, AttrType.STRING)


def given(request: Request) -> dict[Any, Any]:
    """The values of a request, by name.

    A liberal kernel (before 5.2, or by GENL_DONT_VALIDATE_STRICT) lets pass what is longer than
    its type, or a nest that is none; the values of these mean nothing here, and are EINVAL.
    """
    named = {name: request[name] for name in request if isinstance(name, str)}
    wrong = _unsound(request.op.attributes, named)
    if wrong:
        raise NetlinkError("EINVAL", attr=wrong.partition(".")[0])
    return {**request.header, **named}


def _unsound(attributes: AttributeSet, values: Mapping[Any, Any]) -> str:
    """The path of a value of the wrong type; empty if there is none."""
    for name, value in values.items():
        if isinstance(name, int):
            continue
        attribute = attributes[name]
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, bytes) and not _may_be_bytes(attribute):
                return str(name)
            if isinstance(one, Mapping) and attribute.nested is not None:
                rest = {key: part for key, part in one.items() if key in attribute.nested}
                wrong = _unsound(attribute.nested, rest)
                if wrong:
                    return f"{name}.{wrong}"
    return ""


def _may_be_bytes(attribute: Attribute) -> bool:
    if attribute.type is AttrType.INDEXED_ARRAY:
        return attribute.sub_type in _BYTES
    return attribute.type in _BYTES
