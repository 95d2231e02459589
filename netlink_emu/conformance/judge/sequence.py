"""The per-CPU counters in nlmsg_seq of exit events: one more for each event of that CPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from netlink_emu.conformance.cases.case import Outcome, Step
from netlink_emu.conformance.cases.structure import event_of

from .bindings import Bindings
from .compare import Mismatch

_SEQ = slice(8, 12)


@dataclass(slots=True)
class Sequence:
    """Holds the events of one run together.

    ``exact``: nothing but the case's own tasks ends, so the counters advance as recorded.
    Otherwise others' exits may have advanced them further.
    """

    exact: bool
    _seen: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # cpu: recorded, got

    def check(
        self, index: int, step: Step, outcome: Outcome, bindings: Bindings
    ) -> Iterator[Mismatch]:
        """What is wrong with the counters of the events that a recv brought."""
        for number, (expected, got) in enumerate(
            zip(step.expect.datagrams or (), outcome.datagrams or (), strict=False)
        ):
            masks = [m for m in expected.payload.masks if m.symbol.kind == "SEQ_EVENT"]
            event = event_of(got.payload.data, None, bindings.order)
            names = {m.offset: m.symbol.name for m in expected.payload.masks}
            if not masks or event is None or event.id_offset not in names:
                continue
            cpu = bindings.cpus.get(names[event.id_offset])
            if cpu is None:
                continue
            pair = (
                expected.payload.value(masks[0], bindings.order),
                int.from_bytes(got.payload.data[_SEQ], bindings.order.name),
            )
            if (fault := self._fault(cpu, pair)) is not None:
                yield Mismatch(
                    index,
                    f"datagram {number}",
                    f"nlmsg_seq {fault}",
                    expected.payload.data,
                    got.payload.data,
                    ((_SEQ.start, _SEQ.stop),),
                )
            self._seen.setdefault(cpu, []).append(pair)

    def _fault(self, cpu: int, pair: tuple[int, int]) -> str | None:
        recorded, got = pair
        for earlier, was in self._seen.get(cpu, ()):
            apart, was_apart = _signed(recorded - earlier), _signed(got - was)
            if (self.exact or not apart) and apart != was_apart:
                return f"of CPU {cpu} is {was_apart:+d} from an earlier event, recorded {apart:+d}"
            if apart * was_apart < 0 or abs(was_apart) < abs(apart):
                return f"of CPU {cpu} is {was_apart:+d} from an earlier event, recorded {apart:+d}"
        return None


def _signed(difference: int) -> int:
    """A difference of u32 counters that may have wrapped."""
    return ((difference + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
