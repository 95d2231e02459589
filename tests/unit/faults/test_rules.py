"""Rules: which messages they are for, how often they apply, and how they are written."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.kernel import Bench

from netlink_emu.faults import (
    FAULTS,
    Corrupt,
    Delay,
    Drop,
    Fault,
    FaultError,
    Faults,
    ShortStruct,
    Unaligned,
)
from netlink_emu.faults.parse import parse_fault
from netlink_emu.journal import Journal, UnknownName
from netlink_emu.journal.entries import Faulted
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.protocol.format import LITTLE
from netlink_emu.protocol.netlink import NLMSGHDR


class TestRules:
    def test_skip_and_count(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        rule = faults.drop(skip=1, count=2)
        answered = [len(bench.ask(sock, bench.get(1, 4242))) for _ in range(5)]
        assert answered == [1, 0, 0, 1, 1]
        assert (rule.applied, rule.exhausted) == (2, True)
        assert bench.kernel.injector is None

    def test_probability_is_seeded(self, bench: Bench, journal: Journal) -> None:
        runs = []
        for _ in range(2):
            faults = Faults(bench.kernel, journal, seed=5)
            faults.drop(count=None, probability=0.5)
            sock = bench.sock(9)
            runs.append([len(bench.ask(sock, bench.get(1, 4242))) for _ in range(40)])
            sock.release()
            faults.clear()
        assert runs[0] == runs[1]
        assert 8 < sum(runs[0]) < 32

    def test_several_rules_apply_one_after_the_other(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        faults.duplicate()
        faults.wrong_seq(by=10)
        answered = bench.ask(sock, bench.get(1, 4242))
        assert [NLMSGHDR[LITTLE].decode(data).nlmsg_seq for data in answered] == [11, 11]

    @pytest.mark.parametrize("first", ["enobufs", "drop"])
    def test_what_one_has_taken_is_not_anothers(
        self, bench: Bench, journal: Journal, faults: Faults, sock: NetlinkSock, first: str
    ) -> None:
        rules = [faults.parse(f"{name} kind=reply count=2") for name in (first, "enobufs")]
        sock.sendmsg(bench.current, bench.get(1, 4242))
        assert [rule.applied for rule in rules] == [1, 0]
        assert len(journal.faults()) == 1
        assert sock.drops == len(journal.drops()) + (first == "enobufs")

    def test_without_rules_the_kernel_does_not_ask(self, bench: Bench, faults: Faults) -> None:
        assert bench.kernel.injector is None
        rule = faults.drop()
        assert bench.kernel.injector is faults
        faults.remove(rule)
        assert bench.kernel.injector is None

    def test_the_client_that_it_is_for(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        faults.drop(portid=8, count=None)
        assert len(bench.ask(sock, bench.get(1, 4242))) == 1
        assert bench.ask(bench.sock(8), bench.get(1, 4242)) == []

    def test_the_journal_names_it(
        self, bench: Bench, faults: Faults, journal: Journal, sock: NetlinkSock
    ) -> None:
        faults.wrong_seq(by=3)
        faults.errno("EIO", skip=1)
        bench.ask(sock, bench.get(1, 4242))
        bench.ask(sock, bench.get(1, 4242))
        entries = journal.of(Faulted)
        assert [(e.fault, e.rule, e.is_request) for e in entries] == [
            ("wrong-seq by=3", 1, False),
            ("errno", 2, True),
        ]
        assert (
            entries[0].title() == "FAULT wrong-seq by=3: kernel → client[4242] portid 7, 596 bytes"
        )

    def test_wrong_criteria_are_refused(self, faults: Faults) -> None:
        with pytest.raises(UnknownName):
            faults.drop(cmd="TASKSTATS_GET")
        with pytest.raises(FaultError, match="errno is for requests"):
            faults.errno("EIO", kind="event")
        with pytest.raises(FaultError, match="probability"):
            faults.drop(probability=0)


class TestText:
    @pytest.mark.parametrize(
        ("text", "fault", "rule"),
        [
            ("drop", Drop(), "drop"),
            (
                "delay seconds=0.5 cmd=TASKSTATS_CMD_GET count=always",
                Delay(0.5),
                "delay seconds=0.5 cmd=TASKSTATS_CMD_GET count=always",
            ),
            (
                "unaligned by=0x2 kind=event TASKSTATS_TYPE_PID=4242 skip=3",
                Unaligned(2),
                "unaligned by=2 kind=event TASKSTATS_TYPE_PID=4242 skip=3",
            ),
            ("corrupt probability=0.25 pid=4", Corrupt(), "corrupt pid=4 probability=0.25"),
        ],
    )
    def test_rules(self, faults: Faults, text: str, fault: Fault, rule: str) -> None:
        added = faults.parse(text)
        assert (added.fault, str(added)) == (fault, rule)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "there is no fault ''; there are drop, delay"),
            ("explode", "there is no fault 'explode'"),
            ("drop count", "'count' has no value: write count="),
            ("drop seconds=1", "drop has no parameter 'seconds': it has no parameters"),
            ("delay seconds=soon", "seconds is 'soon', which is not a number"),
            ("delay seconds=-1", "seconds is -1.0: it has to be from 0 to"),
            ("delay seconds=nan", "seconds is nan: it has to be from 0 to"),
            ("late-done seconds=inf", "seconds is inf: it has to be from 0 to"),
            ("corrupt amount=" + "8" * 40, "it has to be from 0 to 32768"),
            ("duplicate copies=1001", "copies is 1001: it has to be from 0 to 1000"),
            ("long-struct by=-1", "by is -1: it has to be from 0 to 32768"),
            ("short-struct by=32769", "by is 32769: it has to be from 0 to 32768"),
            ("unknown-attribute type=65536", "type is 65536: it has to be from 0 to 65535"),
            ("unknown-attribute length=32769", "length is 32769: it has to be from 0 to 32768"),
            ("errno error=4096", "there is no errno 4096"),
            ("drop count=many", "count is 'many', which is not a number"),
            ("unaligned by=4", "1 to 3"),
            ("errno error=ENOPE", "there is no errno 'ENOPE', did you mean"),
        ],
    )
    def test_mistakes(self, faults: Faults, text: str, said: str) -> None:
        with pytest.raises(FaultError, match=said):
            faults.parse(text)
        assert faults.rules == []

    @pytest.mark.parametrize(
        "text",
        [
            "delay seconds=1e9",
            "late-done seconds=1e9",
            "corrupt amount=32768",
            "duplicate copies=1000",
            "long-struct by=32768",
            "short-struct by=32768",
            "unknown-attribute type=65535 length=32768",
            "errno error=4095",
        ],
    )
    def test_the_most(self, faults: Faults, text: str) -> None:
        assert str(faults.parse(text).fault).split()[0] == text.split()[0]

    def test_every_fault_can_be_written(self) -> None:
        values: dict[str, dict[str, Any]] = {"short-struct": {"by": "4"}}
        for name in FAULTS:
            fault = parse_fault(name, values.get(name, {}))
            assert str(fault).split()[0] == name
        assert parse_fault("short-struct", {"by": "4"}) == ShortStruct(4)
