"""Combine a recording with a spec: behaviour from the recording, names from the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from netlink_emu.families.own.recording import RecordedFamily, RecordedOp, read_recording
from netlink_emu.protocol.family import (
    AttributeSet,
    Exchange,
    FamilyDeclaration,
    McastGroup,
    Operation,
)
from netlink_emu.protocol.genetlink import GenlOpFlags
from netlink_emu.protocol.policy import REJECT_ALL, NlaPolicy, NlaType, Policy

# What __netlink_policy_dump_write_attr() passes over, and a spec can say.
_UNTOLD: Final = frozenset({NlaType.NLA_BE16, NlaType.NLA_BE32})
_CAPS: Final = (
    GenlOpFlags.GENL_CMD_CAP_DO | GenlOpFlags.GENL_CMD_CAP_DUMP | GenlOpFlags.GENL_CMD_CAP_HASPOL
)


def recorded_family(values: Any, name: str) -> RecordedFamily:
    """Read the output of ``netlink-emu family record``; raises ValueError for other values."""
    families = values.get("families") if isinstance(values, Mapping) else None
    for family in families if isinstance(families, list) else ():
        if isinstance(family, Mapping) and family.get("name") == name:
            return read_recording(_bytes(family, "getfamily"), _bytes(family, "getpolicy_dump"))
    raise ValueError(f"the recording has no family {name}")


def _bytes(family: Mapping[str, Any], key: str) -> list[bytes]:
    texts = family.get(key)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{key} of a recording are datagrams in hex")
    return [bytes.fromhex(text) for text in texts]


def lay_over(declaration: FamilyDeclaration, recorded: RecordedFamily) -> FamilyDeclaration:
    """Return the declaration with what the recorded kernel has.

    Operations, their order, flags and policies, groups and version are the kernel's. Other
    operations of the spec are left out. A command without a name in the spec is called
    "command-17", and nothing answers it.
    """
    events = [op for op in declaration.operations if op.do is None and op.dump is None]
    kept = {group.name: group for group in declaration.groups}
    groups = tuple(kept.get(name, McastGroup(name)) for name, _ in recorded.groups)
    names = {group.name for group in groups}
    return replace(
        declaration,
        version=recorded.version,
        maxattr=recorded.maxattr,
        split=recorded.split,
        operations=(
            *_operations(declaration, recorded),
            *(op for op in events if not op.mcgrp or op.mcgrp in names),
        ),
        groups=groups,
    )


def _operations(declaration: FamilyDeclaration, recorded: RecordedFamily) -> Iterator[Operation]:
    old = any(op.unvalidated for op in recorded.ops)
    for told in recorded.ops:
        op = _named(declaration, told.cmd)
        validate = set(op.validate)
        if told.unvalidated:
            validate.add("dump")
        if old:
            validate.add("strict")
        yield replace(
            op,
            do=_exchange(op, op.do or op.dump, told, told.do, recorded)
            if GenlOpFlags.GENL_CMD_CAP_DO in told.flags
            else None,
            dump=_exchange(op, op.dump or op.do, told, told.dump, recorded)
            if GenlOpFlags.GENL_CMD_CAP_DUMP in told.flags
            else None,
            flags=told.flags & ~_CAPS,
            validate=frozenset(validate),
        )


def _named(declaration: FamilyDeclaration, cmd: int) -> Operation:
    for op in declaration.operations:
        if any(exchange is not None and exchange.cmd == cmd for exchange in (op.do, op.dump)):
            return op
    return Operation(f"command-{cmd}", AttributeSet(f"command-{cmd}"))


def _exchange(
    op: Operation,
    known: Exchange | None,
    told: RecordedOp,
    number: int | None,
    recorded: RecordedFamily,
) -> Exchange:
    policy: Policy | None
    policy, highest = recorded.policy(number)
    if policy is None or policy is REJECT_ALL:
        policy, highest = {}, 0  # what that means is the release's to say
    elif isinstance(policy, dict):
        _add_untold(op.attributes, policy, highest, set())
    return replace(
        known or Exchange(cmd=told.cmd, reply_cmd=told.cmd), policy=policy, maxattr=highest
    )


def _add_untold(
    attributes: AttributeSet, policy: dict[int, NlaPolicy], highest: int, seen: set[int]
) -> None:
    """Add what the kernel has, and does not describe, as the spec has it."""
    if id(policy) in seen:
        return
    seen.add(id(policy))
    for attribute in attributes:
        number = attribute.number
        known = policy.get(number)
        if known is None:
            rule = attributes.policy([attribute.name]).get(number)
            if rule is not None and rule.type in _UNTOLD and number <= highest:
                policy[number] = rule
        elif attribute.nested is not None and isinstance(known.nested, dict):
            _add_untold(attribute.nested, known.nested, known.len, seen)
