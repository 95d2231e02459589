"""The fuzzer's parts that need no kernel: what it sends, what it calls equal, what makes sense."""

from __future__ import annotations

import random
import struct
from collections import Counter
from dataclasses import replace

import pytest
from differential.equal import Equality
from differential.fuzz import (
    Difference,
    Figures,
    families_dumped,
    makes_sense,
)
from differential.report import figures_text
from differential.requests import Requests
from differential.sequences import Sequences

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Case, Cmsg, Datagram, Outcome, Step
from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.cases.masked import MaskedBytes
from netlink_emu.conformance.targets.emulated.foreign import foreign_families
from netlink_emu.conformance.targets.emulated.session import EmulatedSession
from netlink_emu.families import boot
from netlink_emu.kernel.genetlink import GenlFamily, GenlOp
from netlink_emu.kernel.profile import Profile
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.attributes import NLA_TYPE_MASK, nla_walk
from netlink_emu.protocol.genetlink import GENL_ID_CTRL
from netlink_emu.protocol.netlink import nlmsg_walk

FAMILY_ID = 31
CASES = {case.name: case for case in load_corpus()}


def test_requests_go_to_nlctrl_taskstats_or_nobody() -> None:
    requests = Requests(random.Random(7))
    kinds: Counter[int] = Counter()
    for _ in range(3000):
        masked = requests.datagram(["c1"], ["g"])
        families = {mask.offset for mask in masked.masks if mask.symbol.kind == "FAMILY_ID"}
        assert all(mask.end <= len(masked) for mask in masked.masks)
        for offset, header in nlmsg_walk(masked.data):
            if offset + 4 not in families:
                assert header.nlmsg_type not in range(0x11, 0x12)
                assert header.nlmsg_type not in range(0x13, 0x3FF)
            kinds[header.nlmsg_type] += 1
    assert kinds[16] > 300
    assert kinds[0] > 500  # TASKSTATS: the id is put there when it is sent


def test_a_seed_is_a_sequence() -> None:
    assert Sequences(5).make(40) == Sequences(5).make(40)
    assert Sequences(5).make(40) != Sequences(6).make(40)


def test_sequences_make_sense() -> None:
    for seed in range(300):
        steps = tuple(Sequences(seed).make(60))
        assert makes_sense(steps), seed
        assert isinstance(steps[-1].op, ops.Recv), seed


def test_a_sequence_without_its_socket_makes_none() -> None:
    steps = (Step(ops.Socket(sock="a")), Step(ops.Recv(sock="a")))
    assert makes_sense(steps)
    assert not makes_sense(steps[1:])
    assert not makes_sense((steps[0], steps[0]))
    assert not makes_sense((*steps, Step(ops.Reap(), task="c1")))


def recv(*payloads: bytes, **changes: object) -> Outcome:
    datagrams = tuple(Datagram(MaskedBytes(data), **changes) for data in payloads)  # type: ignore[arg-type]
    return Outcome(datagrams=datagrams, error="EAGAIN")


def difference(real: Outcome, ours: Outcome, op: ops.Op | None = None) -> str | None:
    step = Step(op or ops.Recv(sock="a"))
    return Equality(FAMILY_ID).difference(step, real, ours)


EVENT = (CASES["event_exit_0"].steps[-1].expect.datagrams or ())[0].payload.data
ERROR = (CASES["error_esrch_ext"].steps[-1].expect.datagrams or ())[0].payload.data


def changed(data: bytes, offset: int, value: int, size: int = 4) -> bytes:
    return data[:offset] + value.to_bytes(size, "little") + data[offset + size :]


@pytest.mark.parametrize(
    "other",
    [
        EVENT,
        changed(EVENT, 8, 99),  # the counter of the CPU
        changed(EVENT, 36 + 272, 99),  # nvcsw
        changed(EVENT, 36 + 392, 99),  # ac_exe_inode, of whatever file
    ],
)
def test_what_may_vary_is_equal(other: bytes) -> None:
    assert difference(recv(EVENT), recv(other)) is None
    cut = 36 + 400
    assert difference(recv(EVENT[:cut]), recv(other[:cut])) is None


@pytest.mark.parametrize(
    ("real", "ours"),
    [
        (recv(EVENT), recv(changed(EVENT, 44, 0x01, 1))),  # ac_flag
        (recv(EVENT), recv(changed(EVENT, 36 + 392, 0, 8))),  # no binary at all
        (recv(EVENT), recv(changed(EVENT, 38, 1, 1))),  # a hole
        (recv(EVENT), recv(EVENT[:-1])),
        (recv(EVENT), recv()),
        (recv(EVENT), recv(EVENT, EVENT)),
        (recv(ERROR), recv(changed(ERROR, 8, 99))),  # nlmsg_seq of an answer
        (recv(ERROR), recv(changed(ERROR, 12, 99))),  # a portid that the case gave
        (recv(ERROR), recv(ERROR, msg_flags="TRUNC")),
        (recv(ERROR), recv(ERROR, sender=(5, 0))),
        (recv(ERROR), recv(ERROR, cmsgs=(Cmsg(1, 2, MaskedBytes(bytes(12))),))),
        (Outcome(error="EPERM"), Outcome(result=0)),
        (Outcome(result=0), Outcome(result=1)),
        (Outcome(value=b"\0", optlen_out=1), Outcome(value=b"\0", optlen_out=4)),
    ],
)  # fmt: skip
def test_what_may_not_is_a_difference(real: Outcome, ours: Outcome) -> None:
    assert difference(real, ours) is not None


def test_random_portids_are_held_together() -> None:
    equality = Equality(FAMILY_ID)
    name = Step(ops.GetSockName(sock="a"))
    first, second = 0x90000000, 0xA0000000
    assert equality.difference(name, Outcome([first, 0]), Outcome([second, 0])) is None
    assert equality.difference(name, Outcome([first, 0]), Outcome([second + 1, 0])) is not None
    real, ours = changed(ERROR, 12, first), changed(ERROR, 12, second)
    assert equality.difference(Step(ops.Recv(sock="a")), recv(real), recv(ours)) is None
    assert equality.difference(name, Outcome([77, 0]), Outcome([78, 0])) is not None


def test_the_report_shows_both_sides_and_the_case() -> None:
    steps = (Step(ops.Socket(sock="a")), Step(ops.Recv(sock="a")))
    broken = changed(EVENT, 44, 0x01, 1)
    figures = Figures(sequences=3, requests=100, seconds=1.0)
    figures.differences.append(
        Difference(9, steps, 1, "datagram 0: it differs", recv(EVENT), recv(broken))
    )
    text = "\n".join(figures_text(figures, FAMILY_ID))
    assert "100 requests in 3 sequences" in text
    assert "differences: 1" in text
    assert "!  44      ac_flag" in text
    assert '"name": "diff_seed_9"' in text
    assert struct.unpack_from("<I", EVENT)[0] == 596


def test_the_machines_families_are_where_they_are_on_it() -> None:
    """By its dumps in two network namespaces: one family has no netnsok."""
    everywhere = GenlFamily("everywhere", 1, (GenlOp(1),), id=0x20)
    initial = GenlFamily("initial", 2, (GenlOp(1),), id=0x21, netnsok=False)
    booted = boot(Machine(cpus=1), Profile())
    for family in (everywhere, initial):
        booted.genl.register_family(family)
    session = EmulatedSession(booted)
    dumped = [replace(step, expect=session.execute(step)) for step in families_dumped()]
    found = foreign_families(Case("dump", "", "differential", tuple(dumped)))
    assert {family.name: family.netnsok for family in found} == {
        "everywhere": True,
        "initial": False,
    }
    alone = foreign_families(Case("dump", "", "differential", tuple(dumped[:4])))
    assert all(family.netnsok for family in alone)


def test_nobody_else_s_task_is_asked_for() -> None:
    """Its numbers change while the two sides are compared. Damage turns bits round."""
    requests = Requests(random.Random(3))
    for _ in range(20000):
        masked = requests.datagram()
        for offset, header in nlmsg_walk(masked.data):
            attributes = masked.data[offset + 20 : offset + header.nlmsg_len]
            if header.nlmsg_type == GENL_ID_CTRL or len(attributes) < 8:
                continue
            for kind, start, length in nla_walk(attributes, 0, len(attributes)):
                if kind & NLA_TYPE_MASK in (1, 2) and length >= 4:
                    pid = int.from_bytes(attributes[start : start + 4], "little")
                    assert not 0 < pid < 1 << 16, masked.data.hex()


def test_a_descriptor_s_real_number_displaces_one_that_was_guessed() -> None:
    """Of sockets nobody knows the real number; that of a file is told, and may be the same."""
    session = EmulatedSession(boot(Machine(cpus=1), Profile()))
    session.execute(Step(ops.Socket(sock="a")))  # guessed to be 3
    session.tasks.like = {"fd": 3}
    opened = session.execute(Step(ops.Open(fd="f", path="/etc/passwd")))
    session.tasks.like = {}
    session.execute(Step(ops.Close(sock="a")))
    assert opened.result == {"fd": 3}
    assert list(session.tasks.tasks["main"].files) == [3]
