"""What a test has prepared that had no effect: nobody asked the kernel, a fault never came in.

A green test of a client that never reached the emulated kernel is worse than none. Whatever can
be in vain registers itself by :meth:`Usage.expect`: faults and scenarios do, and recordings and
families can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from netlink_emu.faults.rules import Rule
from netlink_emu.journal.entries import Entry, SocketEvent
from netlink_emu.testing.errors import NotUsed

KERNEL: Final = "kernel"
FAULT: Final = "fault"
SCENARIO: Final = "scenario"
CASSETTE: Final = "cassette"
UNRECORDED: Final = "unrecorded"
_HINT: Final = (
    "Code in the test's own thread asks this machine's kernel. Start clients by kernel.run(), "
    "kernel.popen() or kernel.thread(function), or let the whole test run in the kernel: "
    "@pytest.mark.netlink_emu(here=True)."
)


@dataclass(frozen=True, slots=True)
class Unused:
    """One thing in vain: of which kind, which one (to tell it from others), and a sentence."""

    kind: str
    key: object
    text: str


# Says what of its kind has had no effect up to now: what tells each from others, and a sentence.
Look = Callable[[], Iterable[tuple[object, str]]]


@dataclass(frozen=True, slots=True)
class Mark:
    """What was so at a time: see :meth:`Usage.unused`."""

    uses: int
    unused: frozenset[object]


class Usage:
    """What one kernel's test set up without effect, from the first boot to the end.

    ``allowed`` are the kinds that may have no effect (True: all).
    """

    def __init__(self, release: str, *, allowed: bool | str | Iterable[str]) -> None:
        self._release: Final = release
        self._looks: list[tuple[str, Look]] = []
        self._uses = 0
        self._all_allowed: Final = allowed is True
        self._allowed: Final = (
            frozenset()
            if isinstance(allowed, bool)
            else frozenset([allowed] if isinstance(allowed, str) else allowed)
        )

    def entry(self, entry: Entry) -> None:
        """A sink of the journal."""
        if isinstance(entry, SocketEvent):
            self._uses += 1

    def expect(self, kind: str, look: Look) -> None:
        """Add your own check for things that had no effect; the test fails if it finds any.

        ``look`` returns a pair for each such thing: a key that identifies it, and a sentence.
        ``kind`` is the word for ``allow_unused``.
        """
        self._looks.append((kind, look))

    def mark(self) -> Mark:
        """Return a mark of the present state, for :meth:`unused`."""
        return Mark(self._uses, frozenset((u.kind, u.key) for u in self._parts()))

    def unused(self, since: Mark | None = None) -> list[Unused]:
        """Return what had no effect and is not allowed; with a mark, only what was added since."""
        before = since if since is not None else Mark(0, frozenset())
        found = [part for part in self._parts() if (part.kind, part.key) not in before.unused]
        if self._uses == before.uses:
            # Without clients no fault can come in, and nothing be asked.
            found = [part for part in found if part.kind not in (FAULT, CASSETTE)]
        return [*self.unasked(since), *(part for part in found if not self._may(part.kind))]

    def unasked(self, since: Mark | None = None) -> list[Unused]:
        """Return, of :meth:`unused`, that no client talked to the kernel."""
        used = self._uses != (0 if since is None else since.uses)
        return [] if used or self._may(KERNEL) else [Unused(KERNEL, None, self._nobody())]

    def _may(self, kind: str) -> bool:
        return self._all_allowed or kind in self._allowed

    def assert_used(self, since: Mark | None = None) -> None:
        """Raise NotUsed if anything had no effect; the pytest plugin calls it after each test."""
        text = explain(self.unused(since))
        if text:
            raise NotUsed(text)

    def _parts(self) -> list[Unused]:
        return [Unused(kind, key, text) for kind, look in self._looks for key, text in look()]

    def _nobody(self) -> str:
        return (
            f"no client talked to the emulated kernel (Linux {self._release}): "
            f"none has opened a generic netlink socket in it. {_HINT}"
        )


def explain(unused: Iterable[Unused]) -> str:
    """A sentence for each, and how to allow it; empty if there are none."""
    unused = list(unused)
    if not unused:
        return ""
    kinds = sorted({one.kind for one in unused})
    value = repr(kinds[0]) if len(kinds) == 1 else repr(kinds)
    lines = [one.text for one in unused]
    lines.append(
        f"To allow this, set allow_unused={value}, as the kernel's or the marker's option."
    )
    return "\n".join(lines)


def unused_faults(rules: Iterable[Rule]) -> Iterable[tuple[object, str]]:
    """The rules that never came in; what was left to chance is not expected to."""
    for rule in rules:
        if not rule.applied and not (rule.seen > rule.skip):
            yield rule.number, f"the fault {str(rule)!r} never came in: {_why(rule)}."


def _why(rule: Rule) -> str:
    if not rule.seen:
        return "no message was one that it is for"
    return f"skip={rule.skip} let pass all {rule.seen} that it is for"
