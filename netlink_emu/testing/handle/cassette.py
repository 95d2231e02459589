"""A cassette in a test's kernel: what is played, and what was asked in vain."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from netlink_emu.cassettes import Cassette, read_cassette
from netlink_emu.cassettes.check import torn
from netlink_emu.cassettes.fields import UnknownAttribute, ignored
from netlink_emu.cassettes.model import NAMES
from netlink_emu.cassettes.playing.silence import Silence
from netlink_emu.cassettes.playing.tape import Tape
from netlink_emu.cassettes.read import MOST_BYTES
from netlink_emu.cassettes.recording.recording import Recording
from netlink_emu.documents import DocumentError
from netlink_emu.host.netlink import HostNetlink
from netlink_emu.host.release import release_number
from netlink_emu.interpose.recording.missed import missed
from netlink_emu.kernel.releases import UnknownReleaseError, profile_for
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.testing import checks
from netlink_emu.testing.errors import WrongType, WrongValue, hide
from netlink_emu.testing.handle.recorded import save
from netlink_emu.testing.handle.shadows import Shadows

if TYPE_CHECKING:
    from netlink_emu.interpose.recording.recorder import Recorder
    from netlink_emu.testing.handle.booted import Booted
    from netlink_emu.testing.thread.loop import Running

__tracebackhide__ = hide

NEWS: Final = ("at-once", "emit", "clock")
MODES: Final = ("none", "once", "new_episodes", "all")  # vcrpy's
_ADD: Final = "pytest --netlink-record=new_episodes adds it, where the client finds its kernel."
_LOOK: Final = 0.1  # seconds between two looks at the sockets


@dataclass(frozen=True, slots=True)
class CassetteOptions:
    """A cassette, and how it is played: see EmulatedKernel."""

    cassette: Cassette
    path: Path | None
    ignore: tuple[str, ...]
    repeat: bool
    news: str
    patience: float
    records: bool = False

    @property
    def name(self) -> str:
        """The cassette, in a sentence."""
        return "the cassette" if self.path is None else f"the cassette {self.path}"

    @property
    def release(self) -> str | None:
        """The recorded release, where that is known; that of this machine where it is recorded."""
        release = self.cassette.head.release
        if self.records:
            release = release_number()
        try:
            profile_for(release)
        except UnknownReleaseError:
            return None
        return release

    @property
    def arch(self) -> str | None:
        """The recorded machine, where that is known."""
        return self.cassette.head.arch or None

    def again(self) -> CassetteOptions:
        """The same when a kernel is booted anew: what it has recorded is on the cassette then."""
        if self.path is None or not self.records or not self.path.exists():
            return self
        return replace(self, cassette=load(self.path))


def cassette_options(
    cassette: Cassette | str | os.PathLike[str] | None,
    *,
    record: str,
    ignore: str | Iterable[str],
    repeat: bool,
    news: str,
    patience: float,
) -> CassetteOptions | None:
    """What EmulatedKernel's arguments say of a cassette; raises WrongType and WrongValue."""
    checks.name("record", record, MODES)
    checks.name("news", news, NEWS)
    checks.number("patience", patience, least=0)
    if cassette is None:
        return None
    path, records = None, False
    if not isinstance(cassette, Cassette):
        path = _path(cassette)
        exists = path.exists()
        records = record in ("new_episodes", "all") or (record == "once" and not exists)
        cassette = Cassette() if records and (record == "all" or not exists) else load(path)
    names = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    return CassetteOptions(cassette, path, names, repeat, news, patience, records)


def _path(value: object) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise WrongType(f"cassette is a file, or a Cassette, not {value!r}")
    return Path(value)


def load(path: Path) -> Cassette:
    """Read a cassette; raises WrongValue with the place of what is wrong."""
    try:
        with path.open("rb") as file:
            return read_cassette(file.read(MOST_BYTES + 1), str(path))
    except DocumentError as exc:
        raise WrongValue(str(exc)) from None
    except FileNotFoundError:
        raise WrongValue(
            f"there is no cassette {path}: make it with netlink-emu record, or with "
            "--netlink-record=once where the client finds its kernel"
        ) from None
    except OSError as exc:
        raise WrongValue(f"the cassette {path} cannot be read: {exc.strerror}") from None


class CassetteHandle:
    """What a test sees of the cassette that its kernel plays: ``kernel.cassette``."""

    def __init__(self, options: CassetteOptions, booted: Booted) -> None:
        self._options: Final = options
        self._booted: Final = booted
        self._running: Running | None = None
        kernel = booted.kernel
        self._host: Final = HostNetlink() if options.records else None
        order = kernel.profile.arch.order
        try:
            names = () if options.records else options.ignore
            passed_over = ignored(options.cassette, names, order)
        except UnknownAttribute as exc:
            raise WrongValue(f"ignore: {exc}") from None
        self._tape: Final = Tape(
            kernel,
            options.cassette,
            ignore=passed_over,
            repeat=options.repeat,
            live=self._host,
            protocols=NAMES if options.records else (),
            hold=options.news != "at-once",
            note=lambda text: booted.own_journal.note(f"{options.name}: {text}"),
        )
        self._shadows: Final = Shadows(booted)
        self._recording: Final = Recording(self._shadows)
        self._recorders: Final[list[Recorder]] = []
        self._silence: Final = Silence(self._tape)
        self._ended: Final[list[str]] = []
        kernel.observe(self._silence)
        if self._host is not None:
            if order is not HOST_ORDER:
                raise WrongValue(f"{kernel.profile.arch.name} cannot be recorded here")
            kernel.observe(self._host)

    def __repr__(self) -> str:
        return f"<{self._options.name}: {self.position}>"

    # --- for tests

    @property
    def path(self) -> Path | None:
        """Its file; None if it was given as a Cassette."""
        return self._options.path

    @property
    def cassette(self) -> Cassette:
        """What is on it."""
        return self._options.cassette

    @property
    def protocols(self) -> frozenset[int]:
        """The netlink protocols that it answers."""
        return self._tape.protocols

    @property
    def played(self) -> int:
        """How many requests were answered from it."""
        return self._booted.calls.look(lambda: self._tape.played)

    @property
    def position(self) -> str:
        """How far it was played, in words."""
        return self._booted.calls.look(lambda: self._tape.position)

    @property
    def unmatched(self) -> list[str]:
        """A sentence for each request that is not on it, with the nearest that is."""
        return self._booted.calls.look(
            lambda: [
                f"{one.who} asked what is not recorded: {one.said}" for one in self._tape.unmatched
            ]
        )

    @property
    def unused(self) -> list[str]:
        """What is on it and nobody asked."""
        return self._booted.calls.look(
            lambda: [
                f"request {one.index} of socket {one.stream}{one.title}"
                for one in self._tape.unused
            ]
        )

    def emit(self, count: int | None = None) -> int:
        """Let arrive what was multicast, with ``news="emit"`` or ``"clock"``: the next, or all.

        How many there were that could.
        """
        if self._tape.held is None:
            raise WrongValue('emit() is for a kernel with news="emit" or "clock"')
        held = self._tape.held
        return self._booted.calls.call(lambda: held.emit(count))

    # --- for the kernel

    @property
    def next_ns(self) -> int | None:
        """When the next multicast message is due on the machine's clock."""
        held = self._tape.held
        return held.next_ns if held is not None and self._options.news == "clock" else None

    def run_due(self) -> None:
        """Let arrive what is due by now."""
        if self._tape.held is not None and self._options.news == "clock":
            self._tape.held.run_due(self._booted.clock.monotonic_ns())

    def report(self) -> list[str]:
        """How far it came, what was asked in vain, and who waited in vain."""
        cut = [
            f"{self._options.name}, socket {(one.stream or 0) + 1}: {one.said}"
            for one in torn(self.cassette)
        ]
        return [f"{self._options.name}: {self.position}", *cut, *self.unmatched, *self._ended]

    def unrecorded(self) -> Iterator[tuple[object, str]]:
        """See Usage.expect()."""
        for number, said in enumerate(self.unmatched):
            yield number, f"{self._options.name}: {said}. {_ADD}"
        for number, recorder in enumerate(self._recorders):
            for what in missed(Recording(), recorder.unseen, recorder.summary):
                yield (number, what), f"{self._options.name}: not recorded: {what}."

    def left_over(self) -> Iterator[tuple[object, str]]:
        """See Usage.expect()."""
        for said in () if self._options.records else self.unused:
            yield said, f"{self._options.name}: {said} was not made."

    @property
    def recording(self) -> Recording | None:
        """What learns of a program that talks to the host's kernel; None if it is to talk to us.

        That is so where something is played, and where faults are for us to apply.
        """
        fresh = self._host is not None and not self.cassette.streams
        return self._recording if fresh and not self._booted.own_faults.rules else None

    def is_recorded_by(self, recorder: Recorder) -> None:
        """It records one program: what it misses is not on the cassette."""
        self._recorders.append(recorder)

    def look_after(self) -> None:
        """From now on end waits for what never comes; there are clients."""
        if self._running is None and (self._options.patience or self._options.records):
            self._running = self._booted.calls.start(self._look_after)

    async def _look_after(self, task_status: Any) -> None:
        task_status.started()
        quiet = 0.0
        while True:
            await trio.sleep(_LOOK)
            self._carry_news()
            quiet = 0.0 if self._silence.broken() else quiet + _LOOK
            if quiet >= self._options.patience > 0:
                quiet = 0.0
                self._ended.extend(self._silence.end())
                self._booted.calls.flush()

    def _carry_news(self) -> None:
        """What the host's kernel has said by itself."""
        found = [] if self._host is None else [*self._host.news()]
        for sk, event in found:
            self._tape.deliver(sk, event)
        if found:
            self._booted.calls.flush()

    def close(self) -> None:
        """Look after nobody any more; what was recorded is written. Raises WrongValue."""
        if self._running is not None:
            self._running.cancel(self._booted.calls.loop)
            self._running = None
        if self._host is not None:
            self._host.close()
            self._shadows.close()
            streams = (*self._host.streams, *self._recording.streams)
            if streams:
                assert self.path is not None
                save(self.path, self._options.cassette, streams)
