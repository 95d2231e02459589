"""What a conformance case is: steps, what was recorded of them, and which bytes may vary.

Plain records without knowledge of files, targets or reports. Bytes are in the order of the
recorded machine; offsets and lengths are in bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from netlink_emu.kernel.releases import byte_order
from netlink_emu.protocol.format import ByteOrder

from .machine import RecordedMachine
from .masked import MaskedBytes, Symbol
from .op import Op
from .ops import Recv

MAIN: Final = "main"  # the name of the task that carries out steps without one


class CaseError(ValueError):
    """A transcript does not say what a transcript must say."""


@dataclass(frozen=True, slots=True)
class Cmsg:
    """A control message."""

    level: int
    type: int
    payload: MaskedBytes


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram that a recv returned.

    ``sender`` is (portid, groups), None where the call does not tell. ``msg_flags`` is
    "0" or names joined by ``|``. ``returned_length`` is recorded where the call returned
    another length than that of the data (MSG_TRUNC).
    """

    payload: MaskedBytes
    sender: tuple[int, int] | None = (0, 0)
    sender_symbol: Symbol | None = None
    msg_flags: str | None = "0"
    cmsgs: tuple[Cmsg, ...] | None = ()
    returned_length: int | None = None


def told_by(op: Recv, whole: Datagram, result: int) -> Datagram:
    """What the call of ``op``, which returned ``result``, tells of a datagram."""
    told = None if result == len(whole.payload.data) else result
    if op.via is None:
        return replace(whole, returned_length=told)
    sender = whole.sender if op.via == "recvfrom" else None
    return Datagram(whole.payload, sender, None, None, None, told)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step brought: in a transcript what was recorded, from a target what it did.

    ``symbols`` names the parts of ``result`` that may vary, by their key or index.
    """

    result: Any = None
    error: str | None = None
    datagrams: tuple[Datagram, ...] | None = None
    optlen_out: int | None = None
    value: bytes | None = None
    symbols: Mapping[str | int, Symbol] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """An operation, the task that carries it out, and its recorded outcome."""

    op: Op
    expect: Outcome = field(default_factory=Outcome)
    task: str | None = None
    label: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)  # keys that we do not know

    @property
    def actor(self) -> str:
        return self.task or MAIN


@dataclass(frozen=True, slots=True)
class Relation:
    """A fact across datagrams, of one of the kinds in :mod:`.relations`.

    One that did not hold where it was recorded says nothing of other runs.
    """

    kind: str
    text: str
    args: Mapping[str, Any]
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """A transcript: what one kernel did, step by step.

    ``title`` says what it establishes. ``unordered`` means that the order of the datagrams of
    one recv is up to the scheduler. ``guard`` maps the label of a recv to the number of its
    datagrams in a run that nothing disturbed. ``machine`` is the one that
    recorded it, as far as that was told; ``corpus`` the shipped recording that has it.
    """

    name: str
    title: str
    group: str
    steps: tuple[Step, ...]
    kernel: str = ""
    arch: str = ""
    cpus_possible: str = ""
    privileged: bool = True
    needs_quiet: bool = False
    unordered: bool = False
    guard: Mapping[str, int] = field(default_factory=dict)
    notes: str = ""
    relations: tuple[Relation, ...] = ()
    machine: RecordedMachine | None = None
    corpus: str = ""

    @property
    def place(self) -> str:
        """Where the case is from, for people: its group, and the recording if that was told."""
        return f"{self.group}, {self.corpus}" if self.corpus else self.group

    @property
    def key(self) -> str:
        """A name that no other case has, whatever recordings are run together."""
        return f"{self.corpus}/{self.name}" if self.corpus else self.name

    @property
    def order(self) -> ByteOrder:
        """The byte order of all that was recorded: that of the case's architecture."""
        return byte_order(self.arch)

    def labelled(self) -> Iterator[tuple[str, int]]:
        """The (label, index) of every labelled step."""
        for index, step in enumerate(self.steps):
            if step.label is not None:
                yield step.label, index
