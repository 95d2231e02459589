"""A client made from a YAML spec alone, as the kernel's tools/net/ynl makes them.

It knows the format (Documentation/netlink/genetlink.yaml), and nothing of the family.
"""

from __future__ import annotations

import itertools
import re
import socket
import struct
from pathlib import Path
from typing import Any

import yaml

SCALARS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "s32": "i", "s64": "q"}
NAME = re.compile(r"^[0-9a-z-]+$")
# The keys that the schema allows, by level; all else is an error there (additionalProperties).
KEYS = {
    "spec": {"name", "protocol", "doc", "uapi-header", "definitions", "attribute-sets",
             "operations", "mcast-groups"},
    "definition": {"name", "header", "type", "doc", "value", "value-start", "entries",
                   "render-max"},
    "set": {"name", "name-prefix", "enum-name", "doc", "subset-of", "attributes"},
    "attribute": {"name", "type", "doc", "value", "byte-order", "multi-attr",
                  "nested-attributes", "enum", "enum-as-flags", "checks", "sub-type",
                  "display-hint"},
    "operations": {"enum-model", "name-prefix", "enum-name", "async-prefix", "async-enum",
                   "list"},
    "operation": {"name", "doc", "value", "attribute-set", "flags", "dont-validate", "do", "dump",
                  "notify", "event", "mcgrp"},
}  # fmt: skip
TYPES = {*SCALARS, "unused", "pad", "flag", "binary", "uint", "sint", "string", "nest"}


def load(path: Path) -> dict[str, Any]:
    """Read a spec, and hold it to the schema."""
    spec: dict[str, Any] = yaml.safe_load(path.read_text())
    _keys("spec", spec, {"name", "doc", "attribute-sets", "operations"})
    assert spec["protocol"] == "genetlink"
    for definition in spec["definitions"]:
        _keys("definition", definition, {"type", "name"})
    names = [attributes["name"] for attributes in spec["attribute-sets"]]
    for attributes in spec["attribute-sets"]:
        _keys("set", attributes, {"name", "attributes"})
        for attribute in attributes["attributes"]:
            _keys("attribute", attribute, {"name", "type"})
            assert NAME.match(attribute["name"])
            assert attribute["type"] in TYPES
            assert (attribute["type"] == "nest") == ("nested-attributes" in attribute)
            assert attribute.get("nested-attributes", names[0]) in names
    _keys("operations", spec["operations"], {"list"})
    for op in spec["operations"]["list"]:
        _keys("operation", op, {"name", "doc"})
        assert NAME.match(op["name"])
        known = {a["name"] for a in _set(spec, op["attribute-set"])}
        for way in ("do", "dump"):
            for side in ("request", "reply"):
                used = op.get(way, {}).get(side, {}).get("attributes", [])
                assert set(used) <= known, (op["name"], used)
    return spec


def _keys(level: str, what: dict[str, Any], required: set[str]) -> None:
    assert required <= what.keys() <= KEYS[level], (level, what)


def _set(spec: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(
        s["attributes"] for s in spec["attribute-sets"] if s["name"] == name
    )
    return found


class YnlClient:
    """``client.do("task-new", {"comm": "x"})`` over a socket whose datagrams are netlink's."""

    def __init__(self, spec: dict[str, Any], sock: socket.socket) -> None:
        self.spec = spec
        self.sock = sock
        self.seqs = itertools.count(1)
        self.ops = {}
        number = 0
        for op in spec["operations"]["list"]:
            number = op.get("value", number + 1)
            self.ops[op["name"]] = (number, op)
        name = spec["name"].encode() + b"\0"
        (reply,) = self._ask(16, 3, struct.pack("=HH", 4 + len(name), 2) + _pad(name), 1)
        self.family = int.from_bytes(dict(_walk(reply[4:]))[1], "little")

    def do(self, name: str, attrs: dict[str, Any] | None = None) -> dict[str, Any] | None:
        replies = self._op(name, attrs, 5)
        return replies[0] if replies else None

    def dump(self, name: str, attrs: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        return self._op(name, attrs, 0x301)

    def _op(self, name: str, attrs: dict[str, Any] | None, flags: int) -> list[dict[str, Any]]:
        number, op = self.ops[name]
        body = self._encode(op["attribute-set"], attrs or {})
        replies = self._ask(self.family, number, body, flags)
        return [self._decode(op["attribute-set"], reply[4:]) for reply in replies]

    def _ask(self, family: int, cmd: int, body: bytes, flags: int) -> list[bytes]:
        seq = next(self.seqs)
        self.sock.send(
            struct.pack("=IHHIIBBH", 20 + len(body), family, flags, seq, 0, cmd, 1, 0) + body
        )
        replies: list[bytes] = []
        while True:
            data = self.sock.recv(1 << 16)
            offset = 0
            while offset < len(data):
                length, kind = struct.unpack_from("=IH", data, offset)
                payload = data[offset + 16 : offset + length]
                offset += (length + 3) & ~3
                if kind in (2, 3):
                    (error,) = struct.unpack_from("=i", payload)
                    if error:
                        raise OSError(-error, "NLMSG_ERROR")
                    return replies
                replies.append(payload)
                if flags == 1:
                    return replies

    def _encode(self, name: str, values: dict[str, Any]) -> bytes:
        data = b""
        for number, attribute in enumerate(_set(self.spec, name), 1):
            if attribute["name"] not in values:
                continue
            value, kind = values[attribute["name"]], attribute["type"]
            if kind == "nest":
                payload, number = (
                    self._encode(attribute["nested-attributes"], value),
                    number | 0x8000,
                )
            elif kind in SCALARS:
                payload = struct.pack("=" + SCALARS[kind], value)
            else:
                payload = value.encode() + b"\0" if kind == "string" else b""
            data += struct.pack("=HH", 4 + len(payload), number) + _pad(payload)
        return data

    def _decode(self, name: str, data: bytes) -> dict[str, Any]:
        attributes = _set(self.spec, name)
        values: dict[str, Any] = {}
        for number, payload in _walk(data):
            attribute = attributes[number - 1]
            kind = attribute["type"]
            if kind in SCALARS:
                (value,) = struct.unpack("=" + SCALARS[kind], payload)
                values[attribute["name"]] = self._named(attribute, value)
            else:
                values[attribute["name"]] = (
                    payload[:-1].decode() if kind == "string" else payload or True
                )
        return values

    def _named(self, attribute: dict[str, Any], value: int) -> Any:
        for definition in self.spec["definitions"]:
            if definition["name"] == attribute.get("enum"):
                return definition["entries"][value]
        return value


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _walk(data: bytes) -> Any:
    while len(data) >= 4:
        length, number = struct.unpack_from("=HH", data)
        yield number & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3 :]
