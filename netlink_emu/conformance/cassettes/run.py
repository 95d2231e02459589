"""Runs cassettes on this machine's kernel: each recorded socket is a case."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from netlink_emu.cassettes import (
    Answer,
    Cassette,
    Event,
    Option,
    RecordedFamily,
    Request,
    Stream,
)
from netlink_emu.cassettes.fields import Fields
from netlink_emu.cassettes.match import messages
from netlink_emu.cassettes.playing.following import following
from netlink_emu.cassettes.secrets import Redactor, find_in
from netlink_emu.cassettes.text import Texts, order_of
from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Case, Step
from netlink_emu.conformance.cases.harmless_requests import FamilyHere, harm_of_requests
from netlink_emu.conformance.cases.masked import MaskedBytes
from netlink_emu.conformance.judge.compare import Mismatch
from netlink_emu.conformance.runner import Report, Result, Verdict
from netlink_emu.host.families import commands_here, families_here
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import NETLINK_GENERIC

from .answers import Answers
from .asking import Asking
from .numbers import NUMBERS, FamilyNumbers

_TYPES: Final = (socket.SOCK_RAW, socket.SOCK_DGRAM)


@dataclass(frozen=True)
class TapedCase:
    """One socket of a cassette, as a case; ``index`` is its number in the file."""

    cassette: Cassette
    index: int
    case: Case

    @property
    def stream(self) -> Stream:
        return self.cassette.streams[self.index]


def cases_of(path: Path, cassette: Cassette) -> list[TapedCase]:
    """A case for each socket; its steps are the requests."""
    order = order_of(cassette)
    texts = Texts(order, cassette.head.families)
    found = []
    for index, stream in enumerate(cassette.streams):
        requests = [event for event in stream.events if isinstance(event, Request)]
        steps = tuple(
            Step(
                ops.Send(sock=stream.protocol_name, payload=MaskedBytes(event.data)),
                label=texts.title(stream.protocol, event.data),
            )
            for event in requests
        )
        who = stream.comm or "a client"
        count = f"{len(requests)} request{'' if len(requests) == 1 else 's'}"
        title = f"what {who} asked by a {stream.protocol_name} socket: {count}"
        case = Case(f"{path.stem}-{index + 1}", title, path.stem, steps, arch=cassette.head.arch)
        found.append(TapedCase(cassette, index, case))
    return found


class Machine:
    """The kernel of this machine; ``streams`` are what passed, as a recorder would note it.

    Attributes of ``ignore`` may have other values than recorded ones.
    """

    def __init__(self, ignore: Iterable[str] = ()) -> None:
        self._ignore: Final = (*ignore, *NUMBERS)
        self.streams: Final[list[Stream]] = []

    @cached_property
    def _numbers(self) -> dict[str, RecordedFamily]:
        return families_here()

    @cached_property
    def _families(self) -> dict[int, FamilyHere]:
        commands = commands_here()
        return {
            family.id: FamilyHere(name, commands.get(name, {}))
            for name, family in self._numbers.items()
        }

    def run(
        self,
        cases: Sequence[TapedCase],
        description: dict[str, str],
        on_result: Callable[[Result], None],
    ) -> Report:
        """Carry them out, one after the other."""
        report = Report("kernel", description)
        began = time.monotonic()
        for taped in cases:
            start = time.monotonic()
            result = self._run(taped)
            result.seconds = time.monotonic() - start
            report.results.append(result)
            report.seconds = time.monotonic() - began
            on_result(result)
        return report

    def _run(self, taped: TapedCase) -> Result:
        cassette, stream = taped.cassette, taped.stream
        if order_of(cassette) is not HOST_ORDER:
            return _skipped(taped, f"its bytes are {order_of(cassette).name}-endian")
        if not taped.case.steps:
            return _skipped(taped, "it asks nothing")
        if stream.type not in _TYPES:
            return _skipped(taped, f"a netlink socket is raw or dgram, not of type {stream.type}")
        fields = Fields(cassette, HOST_ORDER)
        here = self._numbers
        there = cassette.head.families
        if missing := sorted(_asked(taped) - {*here}):
            return _skipped(taped, f"this kernel has no family {', '.join(missing)}")
        asked = _translated(stream, FamilyNumbers(there, here, fields))
        if harm := harm_of_requests(asked, self._families):
            return _skipped(taped, f"{harm}, which no cassette may on a real machine")
        answers = Answers(cassette, self._ignore)
        back = FamilyNumbers(here, there, fields)
        # Keys that the cassette has not are none of ours to compare.
        redactor = Redactor(find_in(cassette, HOST_ORDER, cassette.head.redacted), HOST_ORDER)

        def as_recorded(came: Stream) -> Stream:
            return redactor.stream(_translated(came, back))

        try:
            mismatches = self._ask(stream, asked, answers, as_recorded)
        except OSError as exc:
            return _skipped(taped, f"no {stream.protocol_name} socket can be made: {exc.strerror}")
        return Result(
            taped.case, Verdict.FAILED if mismatches else Verdict.PASSED, mismatches=mismatches
        )

    def _ask(
        self,
        stream: Stream,
        asked: Stream,
        answers: Answers,
        as_recorded: Callable[[Stream], Stream],
    ) -> list[Mismatch]:
        """Ask; what came is compared when it has the numbers and blanks of the recording."""
        mismatches: list[Mismatch] = []
        recorded = following(stream, HOST_ORDER)
        number = 0
        with Asking(asked) as asking:
            for index, event in enumerate(asked.events):
                if isinstance(event, Option):
                    asking.option(event)
                elif isinstance(event, Request):
                    came = asking.ask(event.data, answered=bool(recorded[index]))
                    found = as_recorded(replace(stream, events=tuple(came))).events
                    mismatches += [
                        Mismatch(number, "answer", said)
                        for said in answers.differences(stream.protocol, recorded[index], found)
                    ]
                    number += 1
            self.streams.append(replace(stream, events=tuple(asking.events)))
        return mismatches


def _translated(stream: Stream, numbers: FamilyNumbers) -> Stream:
    events = (_with_numbers(event, stream.protocol, numbers) for event in stream.events)
    return replace(stream, events=tuple(events))


def _with_numbers(event: Event, protocol: int, numbers: FamilyNumbers) -> Event:
    if isinstance(event, Request):
        return replace(event, data=numbers.translate(protocol, event.data))
    if isinstance(event, Answer):
        return replace(event, data=numbers.translate(protocol, event.data))
    return event


def _asked(taped: TapedCase) -> set[str]:
    """The families that it asks, by the head's names."""
    if taped.stream.protocol != NETLINK_GENERIC:
        return set()
    kinds = {
        header.nlmsg_type
        for event in taped.stream.events
        if isinstance(event, Request)
        for _, header in messages(event.data, HOST_ORDER)
    }
    return {name for name, family in taped.cassette.head.families.items() if family.id in kinds}


def _skipped(taped: TapedCase, reason: str) -> Result:
    return Result(taped.case, Verdict.SKIPPED, reason=reason)
