"""What any bytes may do: each target takes bytes, and raises where something is wrong.

Allowed are the kernel's errnos, silence, and the documented error of each reader. Whatever else
comes out of a target is a bug. ``python -m fuzz`` runs them under atheris, guided by coverage;
test_targets.py runs them over the corpus, over mutations of it, and over hypothesis' bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from errno import EINVAL, EOVERFLOW, ERANGE
from typing import Any, Final

from fuzz.check import check
from fuzz.clients import ancillary, control, datagram, hello, memory
from fuzz.edges import relay_calls, relay_reports, system_calls
from fuzz.families import policies, recording, values
from fuzz.files import capture, cassette, hextext, rules, scenario, spec, transcript, unfinished
from netlink_emu.protocol.attributes import nla_walk
from netlink_emu.protocol.bpf import Filter
from netlink_emu.protocol.cpulist import CpulistDialect, format_cpulist, parse_cpulist
from netlink_emu.protocol.errors import NetlinkError, NetlinkExtAck
from netlink_emu.protocol.format import BIG, LITTLE
from netlink_emu.protocol.policy import (
    LIBERAL,
    STRICT,
    NlaPolicy,
    NlaType,
    Parser,
    ParseRules,
    nla_parse,
)

Target = Callable[[bytes], None]

_TYPES: Final = tuple(NlaType)


def attributes(data: bytes) -> None:
    """Any attributes under any policy: the fast way of a parser and the slow one agree."""
    if len(data) < 8:
        return
    choice, mask, order = (
        data[0],
        0x3FFF if data[1] & 1 else 0xFFFF,
        (LITTLE, BIG)[data[1] >> 1 & 1],
    )
    policy = {
        number: NlaPolicy(_TYPES[byte % len(_TYPES)], byte >> 4)
        for number, byte in enumerate(data[2:8], 1)
    }
    rules = ParseRules(attr_type_mask=mask, nul_string=bool(data[1] & 4))
    validate = STRICT if choice & 1 else LIBERAL
    body = data[8:]
    extack = NetlinkExtAck()
    outcomes: list[Any] = []
    slow = Parser(policy, maxtype=6, validate=validate, order=order, rules=rules)
    slow._good = {}  # each attribute takes the way through validate_nla()
    ways: list[Callable[[], dict[int, bytes]]] = [
        lambda: nla_parse(
            body, 0, len(body), policy, maxtype=6, extack=extack, validate=validate, order=order,
            rules=rules,
        ),
        lambda: slow.parse(body, 0, len(body), NetlinkExtAck()),
    ]  # fmt: skip
    for parse in ways:
        try:
            outcomes.append(parse())
        except NetlinkError as error:
            check(error.errno in (EINVAL, ERANGE))
            outcomes.append(error.errno)
    check(outcomes[0] == outcomes[1])
    if isinstance(outcomes[0], dict):
        check(all(0 < kind <= 6 for kind in outcomes[0]))
    end = 0
    for _, offset, length in nla_walk(body, 0, len(body), order):
        check(end <= offset - 4 and offset + length <= len(body))
        end = offset + length
    if extack.bad_attr is not None:
        check(extack.bad_attr < len(body))


_WIDTHS: Final = (1, 2, 8, 64, 256, 8192)


def cpulist(data: bytes) -> None:
    """Any text as a cpulist of all eras."""
    if not data:
        return
    nbits = _WIDTHS[data[0] % len(_WIDTHS)]
    for dialect in CpulistDialect:
        try:
            mask = parse_cpulist(data[1:], nbits, dialect)
        except NetlinkError as error:
            check(error.errno in (EINVAL, ERANGE, EOVERFLOW))
            continue
        check(0 <= mask < 1 << nbits)
        if mask:
            again = format_cpulist(mask).encode()
            check(parse_cpulist(again, nbits, CpulistDialect.E1) == mask)
            check(parse_cpulist(again, nbits, CpulistDialect.E5) == mask)


def bpf(data: bytes) -> None:
    """Any bytes as a socket filter, and as what it is run over."""
    count = data[0] % 32 if data else 0
    code, packet = data[1 : 1 + 8 * count], data[1 + 8 * count :]
    program = [struct.unpack_from("<HBBI", code, at) for at in range(0, len(code) - 7, 8)]
    try:
        kept = Filter(program).run(packet)
    except NetlinkError as error:
        check(error.errno == EINVAL)
    else:
        check(0 <= kept < 1 << 32)


TARGETS: Final[dict[str, Target]] = {
    target.__name__: target
    for target in (
        datagram, control, attributes, cpulist, scenario, capture, hextext, transcript, rules,
        ancillary, hello, memory, bpf,
        system_calls, relay_calls, relay_reports,
        policies, values, recording, spec, cassette, unfinished,
    )
}  # fmt: skip
