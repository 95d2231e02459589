"""Masks are found by what bytes mean: for every recorded datagram, those that it has."""

from __future__ import annotations

import pytest

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import MAIN, Case
from netlink_emu.conformance.cases.corpus import GROUPS, load_corpus
from netlink_emu.conformance.cases.masked import MaskedBytes
from netlink_emu.conformance.judge.masking import Known, mask_datagram
from netlink_emu.protocol.format import LITTLE

FAMILY_ID = 31


def known_from_record(case: Case) -> Known:
    """What the values of a recorded run stand for, from its own symbols."""
    known = Known(FAMILY_ID, LITTLE)
    for step in case.steps:
        for field, symbol in step.expect.symbols.items():
            if symbol.kind == "PID":
                known.pids[step.expect.result[field]] = symbol.name
            elif symbol.kind == "PORTID":
                known.portids[step.expect.result[field]] = symbol.name
        match step.op:
            case ops.Spawn():
                pid = step.expect.result["pid"]
                known.tgids[pid] = step.actor
                outer = f"{step.actor}.outer" if "pid" in (step.op.unshare or ()) else MAIN
                known.parents[step.actor] = "init" if step.op.orphan else outer
            case ops.Thread():
                known.parents[step.op.thread] = known.parents.get(step.actor, MAIN)
    # Of portids that a case never asks for, its masks tell.
    for step in case.steps:
        for datagram in step.expect.datagrams or ():
            for mask in datagram.payload.masks:
                if mask.symbol.kind == "PORTID":
                    known.portids[datagram.payload.value(mask, LITTLE)] = mask.symbol.name
    return known


@pytest.mark.parametrize("group", GROUPS)
def test_every_recorded_mask_is_found_again(group: str) -> None:
    checked = 0
    for case in load_corpus():
        if case.group != group or case.name == "sock_recv_socket_filter_trim":
            continue  # that one masks what a filter left of a message, although it is the same
        known = known_from_record(case)
        requests: dict[str, dict[int, MaskedBytes]] = {}
        for step in case.steps:
            if isinstance(step.op, ops.Send):
                seq = int.from_bytes(step.op.payload.data[8:12], "little")
                requests.setdefault(step.op.sock, {})[seq] = step.op.payload
            if not isinstance(step.op, ops.Recv):
                continue
            for datagram in step.expect.datagrams or ():
                own = requests.get(step.op.sock, {})
                found = mask_datagram(datagram.payload.data, known, step.op.stats, own)
                assert found == datagram.payload, case.name
                checked += 1
    assert checked > 10


def test_a_request_that_nobody_sent_has_no_masks() -> None:
    found = mask_datagram(b"\x10\0\0\0\x34\x12\0\0" + bytes(8), Known(FAMILY_ID, LITTLE), None, {})
    assert found.masks == ()
