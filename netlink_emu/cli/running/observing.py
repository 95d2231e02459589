"""Options of ``run`` and ``serve`` that look on or interfere: journal, faults, control.

Imported by both; what they need is imported when one of the options is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from netlink_emu.cli.output.errors import UserError, say
from netlink_emu.cli.usage.declare import Option

if TYPE_CHECKING:
    from netlink_emu.cli.running.sandbox import Sandbox
    from netlink_emu.families.control import Control
    from netlink_emu.families.control.watch import PendingWait
    from netlink_emu.faults import Faults
    from netlink_emu.host.clock import RealClock

JournalOption = Annotated[
    Path | None,
    Option(
        "--journal", metavar="FILE",
        help="Write all messages to FILE, as text, or as its name says: .html, .jsonl, .pcapng. "
        "- writes text to stderr.",
    ),
]  # fmt: skip
FaultOption = Annotated[
    list[str] | None,
    Option(
        "--fault", metavar="RULE",
        help='Inject a fault: "delay seconds=0.5 cmd=TASKSTATS_CMD_GET". May be repeated.',
    ),
]  # fmt: skip
ControlOption = Annotated[
    bool,
    Option("--control", help="Let clients control the kernel through the family NETLINK_EMU."),
]
VirtualTimeOption = Annotated[
    bool,
    Option("--virtual-time", help="Stop the clock; only clients advance it."),
]


@dataclass(slots=True)
class Observation:
    """What looks on; :meth:`look_after` has to run beside the clients."""

    faults: Faults
    control: Control | None
    clock: RealClock | None  # None: time stands still

    async def look_after(self) -> None:
        """Let arrive what is late, and end waits whose time is up."""
        import trio

        async with trio.open_nursery() as nursery:
            if self.control is not None:
                for pending in self.control.watch.waits:
                    nursery.start_soon(_expire, pending)
                self.control.began_wait = lambda pending: nursery.start_soon(_expire, pending)
            if self.clock is not None:
                nursery.start_soon(self._carry_late, self.clock)
            await trio.sleep_forever()

    async def _carry_late(self, clock: RealClock) -> None:
        import trio

        rescheduled = trio.Event()

        def note() -> None:
            rescheduled.set()

        self.faults.rescheduled = note
        while True:
            due = self.faults.next_ns
            with trio.move_on_after(_until(clock, due)):
                await rescheduled.wait()
            rescheduled = trio.Event()
            self.faults.run_due()


def _until(clock: RealClock, due: int | None) -> float:
    return float("inf") if due is None else max(0.0, clock.seconds_until(due))


async def _expire(pending: PendingWait) -> None:
    import trio

    await trio.sleep(pending.timeout_ms / 1000)
    pending.expire()


@contextmanager
def observing(
    sandbox: Sandbox,
    *,
    journal: Path | None,
    faults: Sequence[str] | None,
    control: bool,
) -> Iterator[Observation | None]:
    """Observe the kernel while the context lasts; None where nobody wants to.

    Raises UserError for a file that cannot be opened, and a fault that makes no sense. A
    journal that could not be written completely is reported at the end.
    """
    if journal is None and not faults and not control:
        yield None
        return
    from netlink_emu.families.control import Control
    from netlink_emu.faults import Faults
    from netlink_emu.host.clock import RealClock
    from netlink_emu.journal import Journal
    from netlink_emu.protocol.ours.control import NETLINK_EMU
    from netlink_emu.testing.files import JournalTorn, open_journal

    own = []
    if sandbox.families:
        from netlink_emu.protocol.reading.declared import describe

        own = [describe(family.declaration) for family in sandbox.families]
    kept = Journal(sandbox.kernel, families=[NETLINK_EMU, *own])
    on_demand = Faults(sandbox.kernel, kept)
    try:
        for text in faults or ():
            on_demand.parse(text)
    except ValueError as exc:
        raise UserError(f"--fault: {exc}") from exc
    controlled = None
    if control:
        controlled = Control(sandbox.kernel, kept, on_demand, owner=os.geteuid())
        if sandbox.timeline is not None:
            controlled.agenda.append(sandbox.timeline)
    clock = sandbox.clock if isinstance(sandbox.clock, RealClock) else None
    try:
        with ExitStack() as stack:
            if journal is not None:
                try:
                    stack.enter_context(open_journal(journal, sandbox.kernel, kept))
                except OSError as exc:
                    raise UserError(
                        f"the journal {journal} cannot be written: {exc.strerror}"
                    ) from exc
            yield Observation(on_demand, controlled, clock)
    except JournalTorn as exc:
        # What the command found out is worth more than its journal: its status stays.
        say(str(exc))
