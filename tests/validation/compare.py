"""Asks both sides, and says where they differ."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from netlink_emu.protocol.genetlink import GENL_HDRLEN
from netlink_emu.protocol.netlink import NLMSG_HDRLEN
from netlink_emu.protocol.reading.decode import Decoder, Message

from .facts import LOOKS, NAMES
from .make import Maker, Request
from .sides import Emulated, Live, record_all

# What only validation of a request's own attributes says.
_TEXTS = frozenset(
    {
        "Attribute failed policy validation", "invalid attribute length", "integer out of range",
        "NLA_F_NESTED is missing", "NLA_F_NESTED not expected", "Unsupported attribute",
        "Unknown attribute type", "reserved bit set", "binary attribute size out of range",
    }
)  # fmt: skip


@dataclass(slots=True)
class Figures:
    """What was asked, and what came of it."""

    equal: int = 0
    at_the_handler: int = 0  # validation passed on both sides
    not_sent: int = 0  # it could have changed something
    by_family: Counter[str] = field(default_factory=Counter)
    by_answer: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return self.equal + self.at_the_handler + len(self.differences)

    def text(self) -> str:
        """For people."""
        lines = [
            f"{self.requests} requests: {self.equal} answered by validation, equal; "
            f"{self.at_the_handler} compared up to the handler; "
            f"{len(self.differences)} differences",
            f"{self.not_sent} more were not sent to the real kernel: they would have got to an "
            "operation that changes something",
            "by family: " + ", ".join(f"{n} {c}" for n, c in self.by_family.most_common()),
            *(f"  {count:6} {answer}" for answer, count in self.by_answer.most_common()),
            *self.differences,
        ]
        return "\n".join(lines)


def run(
    requests: int,
    seed: int,
    *,
    stop_after: int = 20,
    names: Collection[str] = NAMES,
    side: type[Emulated] = Emulated,
    told: Callable[[Figures], None] = lambda _figures: None,
) -> Figures:
    """Ask both sides; raises PermissionError where there may be no network namespace.

    ``names`` are families that are asked, ``side`` is what is compared with the kernel. ``told``
    is called after each request.
    """
    live = Live()
    try:
        families = {name: each for name, each in record_all(live).items() if name in names}
        emulated = side(families, os.uname().release.split("-")[0])
        maker = Maker(families, seed)
        figures = Figures()
        while figures.requests < requests and len(figures.differences) < stop_after:
            one(maker.make(), live, emulated, figures)
            told(figures)
        return figures
    finally:
        live.close()


def one(request: Request, live: Live, emulated: Emulated, figures: Figures) -> None:
    """Ask one thing."""
    ours = emulated.ask(request)
    if emulated.reached and request.cmd not in LOOKS.get(request.family, {request.cmd}):
        figures.not_sent += 1
        return
    theirs = live.ask(request)
    figures.by_family[request.family] += 1
    if emulated.reached:
        if _validated(request, theirs):
            figures.differences.append(_difference(request, ours, theirs))
        else:
            figures.at_the_handler += 1
    elif ours == theirs:
        figures.equal += 1
        figures.by_answer[_answer(ours)] += 1
    else:
        figures.differences.append(_difference(request, ours, theirs))


def _messages(datagrams: list[bytes]) -> list[Message]:
    return [message for data in datagrams for message in Decoder().datagram(data)]


def _validated(request: Request, answers: list[bytes]) -> bool:
    """Whether it was validation that refused, of one of the request's outermost attributes.

    A handler may validate for itself what is in a nest that the policy does not look into.
    """
    (last,) = _messages(answers)[-1:]
    text, offset = last.find("NLMSGERR_ATTR_MSG"), last.find("NLMSGERR_ATTR_OFFS")
    if text is None or offset is None or text.value not in _TEXTS:
        return False
    at = NLMSG_HDRLEN + GENL_HDRLEN
    while at < len(request.data):
        if at == offset.value:
            return True
        at += max(4, int.from_bytes(request.data[at : at + 2], "little") + 3 & ~3)
    return False


def _answer(datagrams: list[bytes]) -> str:
    """An answer in a few words, to count."""
    (last,) = _messages(datagrams)[-1:]
    text = last.find("NLMSGERR_ATTR_MSG")
    said = f": {text.value}" if text is not None else ""
    with_policy = ", with a policy" if last.find("NLMSGERR_ATTR_POLICY") else ""
    return f"{last.errno_name or 'ack'}{said}{with_policy}"


def _difference(request: Request, ours: list[bytes], theirs: list[bytes]) -> str:
    how = "dump" if request.dump else "do"
    lines = [
        f"{request.family} command {request.cmd} ({how}), wrong: {request.wrong or 'nothing'}",
        f"  request  {request.data.hex(' ', -4)}",
    ]
    for name, datagrams in (("kernel", theirs), ("emulated", ours)):
        lines.append(f"  {name:8} {_answer(datagrams)}")
        lines += [f"           {data.hex(' ', -4)}" for data in datagrams[:2]]
    return "\n".join(lines)
