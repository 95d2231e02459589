"""What a handle consists of from one boot of its kernel to the next."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from netlink_emu.testing.directory import Directory
from netlink_emu.testing.errors import NoSuchName, hide
from netlink_emu.testing.handle.booted import Booted, BootOptions
from netlink_emu.testing.handle.clients import Clients
from netlink_emu.testing.handle.passing import Passing
from netlink_emu.testing.handle.waits import Waits
from netlink_emu.testing.thread.calls import Calls
from netlink_emu.testing.usage import CASSETTE, FAULT, SCENARIO, UNRECORDED, Usage, unused_faults
from netlink_emu.testing.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from netlink_emu.cassettes import Cassette
    from netlink_emu.journal.journal import Journal
    from netlink_emu.testing.handle.cassette import CassetteHandle, CassetteOptions

__tracebackhide__ = hide


class Parts:
    """The booted kernel, who may call it, its time, its clients, and waiting for them."""

    def __init__(
        self,
        options: BootOptions,
        tape: CassetteOptions | None,
        usage: Usage,
        waiting: Waiting | None = None,
        directory: Directory | None = None,
    ) -> None:
        self._options: Final = options
        self._tape: Final = tape
        self._usage: Final = usage
        self._waiting: Final = waiting or Waiting()
        self._directory: Final = directory or Directory("netlink-emu-")
        self.closed = False
        self.calls: Final = Calls(self._waiting.notify)
        self.booted: Final = Booted(options, self.calls)
        self.cassette: CassetteHandle | None = None
        if tape is not None:
            from netlink_emu.testing.handle.cassette import CassetteHandle

            self.cassette = CassetteHandle(tape, self.booted)
        self.passing: Final = Passing(self.booted, self.cassette)
        self.clients: Final = Clients(
            self.booted, self._waiting, self._directory, options.uid, self.cassette
        )
        self.waits: Final = Waits(self.booted, self.clients, self._waiting)
        self.booted.own_journal.sinks.append(usage.entry)

    def played(self) -> CassetteHandle:
        """The cassette; raises NoSuchName without one."""
        if self.cassette is None:
            raise NoSuchName("this kernel plays no cassette: make it with cassette=FILE")
        return self.cassette

    def again(self) -> Parts:
        """End everything, and boot anew; see EmulatedKernel.reset()."""
        self.calls.check()
        self.calls.end("this was handed out before reset(): ask the kernel for it again")
        served = self.clients.served
        self._end()
        tape = self._tape and self._tape.again()
        new = Parts(self._options, tape, self._usage, self._waiting, self._directory)
        if served:
            new.clients.serve()
        self.calls.raise_failures()
        return new

    def close(self) -> None:
        """End everything; see EmulatedKernel.close()."""
        if self.closed:
            return
        self.closed = True
        if self.calls.is_forked:  # all of it is the parent's
            return
        self.calls.end(
            f"the emulated kernel (Linux {self._options.profile.release}) is closed, as its test "
            "or its with block has ended: make another"
        )
        self._waiting.notify()
        self._end()
        self._directory.remove()
        self.calls.raise_failures()

    def _end(self) -> None:
        self.clients.end()
        if self.cassette is not None:
            self.cassette.close()
        self.booted.cgroups.close()

    def report(self, since: int, limit: int, without: Sequence[object]) -> str:
        """See EmulatedKernel.report()."""
        journal = self.booted.own_journal
        lines = [] if self.cassette is None else self.cassette.report()
        if self.clients.patched_because:
            lines.append(f"here=True with patched sockets: {self.clients.patched_because}")
        lines += [client.describe() for client in self.clients.all if client not in without]
        entries = [entry for entry in journal.entries if entry.number > since]
        if len(entries) > limit:
            lines.append(f"(the last {limit} of {len(entries)} entries)")
        lines += journal.lines(entries[-limit:])
        return "\n".join(lines)

    @contextmanager
    def journal_to(self, path: str | os.PathLike[str]) -> Iterator[Journal]:
        """See EmulatedKernel.journal_to()."""
        from netlink_emu.testing.files import open_journal

        kernel, journal = self.booted.kernel, self.booted.own_journal
        with ExitStack() as stack:
            writing = open_journal(os.fspath(path), kernel, journal)
            self.calls.call(lambda: stack.enter_context(writing))
            try:
                yield journal
            finally:
                self.calls.look(stack.close)


def expect_use(usage: Usage, parts: Callable[[], Parts]) -> None:
    """Have ``usage`` look at what the parts of the present boot were given in vain."""
    usage.expect(FAULT, lambda: unused_faults(parts().booted.own_faults.rules))
    usage.expect(SCENARIO, lambda: parts().passing.never_due())
    if parts().cassette is not None:
        usage.expect(UNRECORDED, lambda: _cassette(parts).unrecorded())
        usage.expect(CASSETTE, lambda: _cassette(parts).left_over())


def _cassette(parts: Callable[[], Parts]) -> CassetteHandle:
    cassette = parts().cassette
    assert cassette is not None
    return cassette


def tape_of(
    cassette: Cassette | str | os.PathLike[str] | None, **options: Any
) -> CassetteOptions | None:
    """What is to be played, if anything is; without that it costs no import."""
    if cassette is None:
        return None
    from netlink_emu.testing.handle.cassette import cassette_options

    return cassette_options(cassette, **options)
