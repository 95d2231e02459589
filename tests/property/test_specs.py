"""Every attribute of the kernel's specs encodes and decodes back; every kind that can, lives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from helpers.kernel import Bench, make_bench
from helpers.specs import SPECS, WAYS, specs, sub_messages, value_of, values_of

from netlink_emu.families.own import Family
from netlink_emu.families.own.kinds import Kind, Verb, kind_for, meaning
from netlink_emu.kernel.releases import profile_for
from netlink_emu.protocol.family import Attribute, AttrType, SubMessageFormat, decode, encode, talk
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder
from netlink_emu.protocol.netlink import nlmsg_walk
from netlink_emu.specs import read_spec_file

ALL = [
    pytest.param(path, id=f"{release}-{path.stem}")
    for release in ("7.3", "6.12")
    for path in sorted((SPECS / release).glob("*.yaml"))
]
Values = dict[Any, Any]
_RICH = (AttrType.SUB_MESSAGE, AttrType.BINARY)


@pytest.mark.parametrize("order", [LITTLE, BIG], ids=["little", "big"])
@pytest.mark.parametrize("path", ALL)
def test_every_attribute_comes_back(path: Path, order: ByteOrder) -> None:
    declaration = read_spec_file(path).declaration
    tried = 0
    for attributes in declaration.attribute_sets.values():
        for attribute in attributes:
            for way in WAYS:
                for values in _with_selectors(attribute, attributes, way):
                    data = encode(attributes, values, order)
                    assert decode(attributes, data, order) == values, attribute
                    assert encode(attributes, decode(attributes, data, order), order) == data
                    tried += 1
    assert tried or not any(declaration.attribute_sets.values())


@pytest.mark.parametrize("order", [LITTLE, BIG], ids=["little", "big"])
@pytest.mark.parametrize("name", ["7.3/tc", "7.3/rt-link", "7.3/nftables", "6.12/tc"])
def test_sub_messages_that_something_around_them_chooses(name: str, order: ByteOrder) -> None:
    declaration = read_spec_file(SPECS / f"{name}.yaml").declaration
    tried = 0
    for attributes, values in sub_messages(declaration):
        for each in values if attributes.name == "around" else ():
            assert decode(attributes, encode(attributes, each, order), order) == each
            tried += 1
    assert tried or not name.endswith("tc")


def _with_selectors(attribute: Attribute, attributes: Any, way: int) -> Iterator[Values]:
    """Values of an attribute; of a sub-message one for each of its formats."""
    if attribute.type is not AttrType.SUB_MESSAGE:
        value = value_of(attribute, way)
        if value is not None:
            yield {attribute.name: value}
        return
    assert attribute.sub_message is not None
    if attribute.selector not in attributes:
        return  # that one is in a set around it
    for name, chosen in attribute.sub_message.formats.items():
        value = _message(chosen, way)
        if value is not None:
            yield {attribute.selector: name, attribute.name: value}


def _message(chosen: SubMessageFormat, way: int) -> Values | None:
    if chosen.fixed_header is not None:
        return None  # a struct, which has its own tests
    if chosen.attributes is None:
        return None
    return values_of(chosen.attributes, way)


GENETLINK = [
    pytest.param(path, id=path.stem)
    for path, spec in specs()
    if spec.declaration.protocol != "netlink-raw" and spec.declaration.name != "nlctrl"
]


@pytest.mark.parametrize("path", GENETLINK)
def test_what_is_given_is_got(path: Path) -> None:
    bench = make_bench()
    family = Family.from_spec(path)
    objects: dict[str, Values] = {}
    for kind in family.store.kinds.values():
        objects[kind.name] = _object(kind)
        family.store.seed({kind.name: [objects[kind.name]]})
    family.attach(bench.kernel)
    for op in family.declaration.operations:
        verb, _ = meaning(family.declaration, op.name)
        kind_ = kind_for(family.declaration, family.store.kinds, op)
        if verb is not Verb.GET or kind_ is None or kind_.name not in objects:
            continue
        given = objects[kind_.name]
        if op.dump is not None and not op.dump.request:
            assert ask(bench, family, op.name, {}, dump=True) == [given], op.name
        key = {name: given[name] for name in (op.do.request if op.do else ()) if name in given}
        key |= {name: given[name] for name in kind_.members if name in given}
        if op.do is not None and kind_.key_of(key):
            assert ask(bench, family, op.name, key) == [given], op.name


def _object(kind: Kind) -> Values:
    """An object with its key, and with what is plain in it."""
    plain = [
        attribute for attribute in kind.attributes
        if attribute.nested is None and attribute.type not in _RICH
        and attribute.name in (kind.told or kind.kept)
    ]  # fmt: skip
    values: Values = {}
    for member in kind.members:
        values[member] = 3
    for attribute in plain:
        value = value_of(attribute, 2)
        if value is not None and attribute.name not in values:
            values[attribute.name] = value
    for path in kind.keys:
        if len(path) > 1:
            nested = kind.attributes[path[0]].nested
            assert nested is not None
            values.setdefault(path[0], {})[path[1]] = value_of(nested[path[1]], 2)
    if kind.header is not None:
        values = {**kind.header.decode(bytes(kind.header.size), LITTLE), **values}
    return values


def ask(
    bench: Bench, family: Family, name: str, values: Values, *, dump: bool = False
) -> list[Values]:
    op = family.declaration.operation(name)
    message = talk.request(family.declaration, op, values, family=family.genl.id, dump=dump)
    sock = bench.sock(0)
    return [
        talk.answer(op, datagram[start : start + header.nlmsg_len])
        for datagram in bench.ask(sock, message)
        for start, header in nlmsg_walk(datagram)
        if header.nlmsg_type == family.genl.id
    ]


@pytest.mark.parametrize("release", ["4.19", "6.18"])
@pytest.mark.parametrize("path", GENETLINK)
def test_whatever_is_asked_nothing_slips(path: Path, release: str) -> None:
    """Before 5.2 a kernel is liberal: what is not what its type says reaches the store."""
    random = Random(f"{path.stem} {release}")
    bench = make_bench(profile_for(release))
    family = Family.from_spec(path)
    for kind in family.store.kinds.values():
        family.store.seed({kind.name: [_object(kind)]})
    family.attach(bench.kernel)  # what is no NetlinkError is raised
    declaration = family.declaration
    asked = [op for op in declaration.operations if op.do is not None or op.dump is not None]
    for op in asked:
        for number in range(16):
            dump = op.do is None or (op.dump is not None and number % 2 == 1)
            some = [each for each in op.attributes if random.random() < 0.3]
            values = {each.name: value_of(each, random.choice(WAYS)) for each in some}
            message = bytearray(
                talk.request(declaration, op, values, family=family.genl.id, dump=dump)
            )
            for _ in range(random.choice((0, 0, 1, 2, 8))):
                if len(message) > 20:
                    message[random.randrange(20, len(message))] = random.randrange(256)
            sock = bench.sock(0)
            bench.ask(sock, bytes(message))
            sock.release()
