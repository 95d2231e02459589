"""The table of the kernel's specs: what of each loads, encodes, decodes and lives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from helpers.specs import WAYS, answered, specs, sub_messages, value_of

from netlink_emu.protocol.family import AttrType, decode, encode
from netlink_emu.specs import Spec

PAGE: Final = Path(__file__).parents[2] / "docs" / "specs.md"
HEAD: Final = (
    "# The kernel's specs\n\n"
    "<!-- Written by scripts/write-docs: do not edit. -->\n\n"
    "What netlink-emu makes of the specs of Linux 7.3 and 6.12. *Attributes*: how many of all "
    "that have a value are encoded, and *decode*: come back, with the least, the greatest and a "
    "middle value of each. *Formats*: how many formats of sub-messages come back; of tc's netem, "
    "a struct's member and an attribute have one name. *Lives*: how many of the operations the "
    "[store](howto-spec.md) answers by their names; the others need a function, or a canned "
    "answer. Raw protocols are read, encoded and decoded, and are no generic netlink families. "
    "nlctrl is built in.\n"
)


def page() -> str:
    """The page."""
    return "\n".join([HEAD, *_table("7.3"), "", *_table("6.12"), ""])


def _table(release: str) -> Iterator[str]:
    yield f"## Linux {release}"
    yield ""
    yield "| spec | schema | loads | attributes | decode | formats | lives |"
    yield "|---|---|---|---|---|---|---|"
    for path, spec in specs(release):
        declaration = spec.declaration
        there, encoded, decoded = _attributes(spec)
        living, asked = answered(declaration)
        lives = f"{living} of {asked}"
        if declaration.name == "nlctrl":
            lives = "built in"
        if declaration.protocol == "netlink-raw":
            lives = "-"
        yield (
            f"| {path.stem} | {declaration.protocol} | yes | {encoded} of {there} "
            f"| {decoded} of {there} | {_formats(spec)} | {lives} |"
        )


def _formats(spec: Spec) -> str:
    there = back = 0
    for attributes, values in sub_messages(spec.declaration):
        there += 1
        with suppress(ValueError):
            back += all(decode(attributes, encode(attributes, each)) == each for each in values)
    return f"{back} of {there}" if there else "-"


def _attributes(spec: Spec) -> tuple[int, int, int]:
    there = encoded = decoded = 0
    for attributes in spec.declaration.attribute_sets.values():
        for attribute in attributes:
            if attribute.type is AttrType.SUB_MESSAGE:
                continue
            values = [{attribute.name: value_of(attribute, way)} for way in WAYS]
            if None in values[0].values():
                continue
            there += 1
            try:
                made = [encode(attributes, each) for each in values]
            except ValueError:
                continue
            encoded += 1
            read = [decode(attributes, data) for data in made]
            decoded += read == [*values]
    return there, encoded, decoded
