"""What hostile clients send to families: policies, values by name, recordings."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EINVAL, ERANGE
from functools import cache
from typing import Any, Final

from fuzz.check import check
from netlink_emu.families.own.recording import read_recording
from netlink_emu.protocol.errors import NetlinkError, NetlinkExtAck
from netlink_emu.protocol.family import (
    Attribute,
    AttributeSet,
    Enumeration,
    Member,
    Struct,
    SubMessage,
    SubMessageFormat,
    decode,
    encode,
)
from netlink_emu.protocol.format import BIG, LITTLE
from netlink_emu.protocol.policy import (
    LIBERAL,
    STRICT,
    NlaPolicy,
    NlaType,
    NlaValidation,
    Parser,
    ParseRules,
    PolicyDump,
)
from netlink_emu.protocol.policy.declare import NESTS

_ORDERS: Final = (LITTLE, BIG)
_RULES: Final = (ParseRules(), ParseRules(attr_type_mask=0xFFFF), ParseRules(nul_string=False))


def policies(data: bytes) -> None:
    """Any attributes under a policy of any kinds, nested in itself too."""
    if len(data) < 2:
        return
    count, choice = data[0] % 9, data[1]
    policy = _policy(data[2 : 2 + 4 * count])
    body = data[2 + 4 * count :]
    order, validate = _ORDERS[choice & 1], STRICT if choice & 2 else LIBERAL
    rules = _RULES[choice >> 2 & 3] if choice >> 2 & 3 < len(_RULES) else _RULES[0]
    highest = choice >> 4
    parser = Parser(policy, maxtype=highest, validate=validate, order=order, rules=rules)
    careful = Parser(policy, maxtype=highest, validate=validate, order=order, rules=rules)
    careful._good = {}  # each attribute takes the way through validate_nla()
    outcomes = [_outcome(which, body) for which in (parser, careful)]
    check(outcomes[0] == outcomes[1])
    dump = PolicyDump()
    dump.add(policy, highest)
    # The same policy counts again for each highest attribute with which it is nested.
    check(sum(1 for _ in dump.described(order)) <= len(policy) * (len(policy) + 1))


def _policy(data: bytes) -> dict[int, NlaPolicy]:
    kinds, validations = list(NlaType), list(NlaValidation)
    policy: dict[int, NlaPolicy] = {}
    for number, at in enumerate(range(0, len(data) - 3, 4)):
        kind, how, low, high = data[at : at + 4]
        rule_type = kinds[kind % len(kinds)]
        try:
            policy[number] = NlaPolicy(
                rule_type,
                len=high & 15,
                validation=validations[how % len(validations)] if how & 0x40 else validations[0],
                min=low if how & 0x10 else None,
                max=high if how & 0x20 else None,
                mask=low,
                nested=policy if rule_type in NESTS and low & 1 else None,
                message="no" if low & 2 else None,
                function=_fussy,
                strict_start_type=high & 7 if number == 0 else 0,
            )
        except ValueError:  # what no kernel could declare
            policy[number] = NlaPolicy(rule_type)
    return policy


def _fussy(payload: bytes) -> None:
    if payload[:1] == b"\xff":
        raise NetlinkError(EINVAL, "fussy")


def _outcome(parser: Parser, body: bytes) -> tuple[object, ...]:
    extack = NetlinkExtAck()
    found: object
    try:
        found = parser.parse(body, 0, len(body), extack)
    except NetlinkError as error:
        check(error.errno in (EINVAL, ERANGE))
        found = error.errno
    check(extack.bad_attr is None or 0 <= extack.bad_attr <= len(body) - 4)
    return found, extack.msg, extack.bad_attr, extack.policy


# --- values by name


@cache
def _all() -> AttributeSet:
    colours = Enumeration("colour", {"red": 1, "green": 2, "blue": 5})
    time = Struct("time", (Member("sec", "u32"), Member("name", "string", 5), Member("x", "s8")))
    found = AttributeSet("all")
    kinds = SubMessage(
        "kinds",
        {
            "a": SubMessageFormat(attributes=found),
            "b": SubMessageFormat(fixed_header=time, attributes=found),
            7: SubMessageFormat(fixed_header=time),
        },
    )
    plain = (
        "flag", "binary", "string", "bitfield32", "u8", "u16", "u32", "u64", "s8", "s16", "s32",
        "s64", "uint", "sint", "pad", "unused",
    )  # fmt: skip
    for kind in plain:
        found.add(Attribute(kind, kind))
    for attribute in (
        Attribute("colour", "u8", enum=colours),
        Attribute("colours", "u32", enum=colours, enum_as_flags=True),
        Attribute("port", "u16", byte_order=BIG),
        Attribute("mac", "binary", display_hint="mac"),
        Attribute("address", "binary", display_hint="ipv4-or-v6"),
        Attribute("time", "binary", struct=time),
        Attribute("numbers", "binary", sub_type="u16"),
        Attribute("many", "u16", multi=True),
        Attribute("nest", nested=found),
        Attribute("nests", nested=found, multi=True),
        Attribute("array", "indexed-array", sub_type="nest", nested=found),
        Attribute("words", "indexed-array", sub_type="u32"),
        Attribute("tree", "nest-type-value", nested=found, type_value=("row", "column")),
        Attribute("sub", "sub-message", sub_message=kinds, selector="string"),
    ):
        found.add(attribute)
    return found


def values(data: bytes) -> None:
    """Any attributes of every type: they read, and what was read is written and reads the same."""
    if not data:
        return
    order = _ORDERS[data[0] & 1]
    found = decode(_all(), data[1:], order)
    try:
        written = encode(_all(), found, order)
    except ValueError as error:
        # A nest that lies deeper than anything is written.
        check(_depth(found) > 20, (found, error))
        return
    check(decode(_all(), written, order) == found, (found, written))


def _depth(value: Any) -> int:
    inner: Iterator[Any] = iter(())
    if isinstance(value, dict):
        inner = iter(value.values())
    elif isinstance(value, list):
        inner = iter(value)
    return 1 + max((_depth(part) for part in inner), default=0)


def recording(data: bytes) -> None:
    """Any bytes for a recorded GETFAMILY and GETPOLICY."""
    if len(data) < 3:
        return
    cut = int.from_bytes(data[:2], "little")
    try:
        family = read_recording([data[2 : 2 + cut]], [data[2 + cut :]], _ORDERS[data[2] & 1])
        for op in family.ops:
            family.policy(op.do)
            family.policy(op.dump)
    except ValueError:
        return
