"""Cassettes on the command line: ``run --cassette``, ``serve --cassette`` and ``replay``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from netlink_emu.cli.output.errors import UserError, say
from netlink_emu.cli.output.loudness import remark
from netlink_emu.cli.usage.declare import Option
from netlink_emu.cli.usage.options import DEFAULT_RELEASE

if TYPE_CHECKING:
    from netlink_emu.cassettes import Cassette
    from netlink_emu.cassettes.playing.silence import Silence
    from netlink_emu.cassettes.playing.tape import Tape
    from netlink_emu.kernel.kernel import Kernel

CassetteOption = Annotated[
    Path | None,
    Option(
        "--cassette", metavar="FILE",
        help="Answer sockets of every protocol from this recording: see netlink-emu record.",
    ),
]  # fmt: skip
IgnoreOption = Annotated[
    list[str] | None,
    Option(
        "--ignore", metavar="ATTRIBUTE",
        help="Ignore this attribute when requests are compared. May be repeated.",
    ),
]  # fmt: skip
RepeatOption = Annotated[
    bool,
    Option("--repeat", help="Allow a request more often than it was recorded."),
]
StrictOption = Annotated[
    bool, Option("--strict", help="Fail if the command did not make every recorded request.")
]
PatienceOption = Annotated[
    float,
    Option(
        "--patience", min=0, metavar="SECONDS",
        help="End a wait for something that is not recorded after this time; 0: never.",
    ),
]  # fmt: skip

DEFAULT_PATIENCE: Final = 5.0
_MOST_TOLD: Final = 5
_NOT_RECORDED: Final = "what a client learns from ioctl, /sys or /proc is not recorded"
_LOOK: Final = 0.1  # seconds between two looks at the sockets


def load_cassette(path: Path) -> Cassette:
    """Read a cassette; raises UserError, as file:line:column where that is known."""
    from netlink_emu.cassettes.read import MOST_BYTES, read_cassette
    from netlink_emu.cassettes.recording.unfinished import is_unfinished
    from netlink_emu.documents import DocumentError

    data = read_file(path, most=MOST_BYTES)
    if is_unfinished(data):
        raise UserError(
            f"{path} is unfinished, because its recorder was killed: "
            f"run netlink-emu cassette finish {path}"
        )
    try:
        return read_cassette(data, str(path))
    except DocumentError as exc:
        raise UserError(str(exc)) from exc


def known_release(cassette: Cassette) -> str:
    """The recorded release, or the default where it is not known."""
    from netlink_emu.kernel.releases import UnknownReleaseError, profile_for

    release = cassette.head.release or DEFAULT_RELEASE
    try:
        profile_for(release)
    except UnknownReleaseError as exc:
        remark(f"the cassette was recorded on Linux {release}: {exc}")
        return DEFAULT_RELEASE
    return release


def read_file(path: Path, *, most: int) -> bytes:
    """A cassette's bytes; of one that is longer than ``most`` one more. Raises UserError."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except FileNotFoundError as exc:
        left = path.with_name(f"{path.name}.unfinished")
        hint = f"; {left} is left of a killed recording: run netlink-emu cassette finish {left}"
        raise UserError(
            f"the cassette {path} cannot be read: {exc.strerror}{hint if left.exists() else ''}"
        ) from exc
    except OSError as exc:
        raise UserError(f"the cassette {path} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:  # a NUL in its name
        raise UserError(f"{str(path)!r} is not the name of a file") from exc


@dataclass(slots=True)
class Playing:
    """A cassette that is played to clients; :meth:`look_after` has to run beside them."""

    path: Path
    tape: Tape
    silence: Silence
    patience: float
    strict: bool

    @property
    def protocol(self) -> int:
        """That of clients which cannot say: generic netlink, unless one other is recorded."""
        from netlink_emu.protocol.netlink import NETLINK_GENERIC

        others = self.tape.protocols
        return next(iter(others)) if len(others) == 1 else NETLINK_GENERIC

    async def look_after(self) -> None:
        """End waits for what never comes."""
        import trio

        looks = 0
        while self.patience:
            await trio.sleep(_LOOK)
            looks = 0 if self.silence.broken() else looks + 1
            if looks * _LOOK >= self.patience:
                looks = 0
                for said in self.silence.end():
                    say(f"{self.path}: {said}")

    def tell(self, exit_code: int | None = None) -> bool:
        """Say what was asked and is not on the cassette; whether that is a failure.

        ``exit_code`` is the command's: where it ended otherwise when it was recorded, why.
        """
        lines = [
            f"{each.who} asked what is not recorded: {each.said}" for each in self.tape.unmatched
        ]
        if self.strict:
            lines += [
                f"request {left.index} of socket {left.stream} was not made{left.title}"
                for left in self.tape.unused
            ]
        for line in lines:
            say(f"{self.path}: {line}")
        recorded = self.tape.cassette.head.status
        if self.tape.unmatched:
            remark(f"{_NOT_RECORDED}; record again, or let attributes differ with --ignore")
        elif exit_code is not None and recorded not in (None, exit_code):
            remark(
                f"{self.path}: the command ended with status {exit_code}, and with {recorded} "
                f"when it was recorded; {_NOT_RECORDED}"
            )
        return bool(lines)


def _tell_torn(path: Path, cassette: Cassette) -> None:
    """Say which datagrams are not whole: the client will get them as they are."""
    from netlink_emu.cassettes.check import place, torn
    from netlink_emu.cassettes.read import MOST_BYTES
    from netlink_emu.documents import read_document

    found = torn(cassette)
    if not found:
        return
    data = read_file(path, most=MOST_BYTES)
    document = read_document(data, str(path), most_bytes=MOST_BYTES)
    for one in found[:_MOST_TOLD]:
        remark(f"{place(document, one)}: {one.said}")
    if found[_MOST_TOLD:]:
        remark(f"{path}: {len(found) - _MOST_TOLD} more: see netlink-emu cassette check")


def playing_on(
    kernel: Kernel,
    path: Path | None,
    *,
    ignore: Sequence[str] | None = None,
    repeat: bool = False,
    strict: bool = False,
    patience: float = DEFAULT_PATIENCE,
) -> Playing | None:
    """Have the kernel answer from a cassette, if there is one.

    Raises UserError for a file that is not a cassette, and for an unknown attribute.
    """
    if path is None:
        return None
    from netlink_emu.cassettes.fields import UnknownAttribute, ignored
    from netlink_emu.cassettes.playing.silence import Silence
    from netlink_emu.cassettes.playing.tape import Tape

    cassette = load_cassette(path)
    _tell_torn(path, cassette)
    try:
        passed_over = ignored(cassette, ignore or (), kernel.profile.arch.order)
    except UnknownAttribute as exc:
        raise UserError(f"--ignore: {exc}") from exc
    tape = Tape(kernel, cassette, ignore=passed_over, repeat=repeat)
    silence = Silence(tape)
    kernel.observe(silence)
    return Playing(path, tape, silence, patience, strict)
