"""``netlink-emu cassette``: recordings of clients, looked at without being played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from netlink_emu.cli.output.errors import EXIT_USER, UserError
from netlink_emu.cli.output.lines import tell, tell_json
from netlink_emu.cli.output.loudness import remark
from netlink_emu.cli.recordings.playing import load_cassette, read_file
from netlink_emu.cli.usage.declare import Argument, Group, Option
from netlink_emu.cli.usage.described import described_by

if TYPE_CHECKING:
    from netlink_emu.cassettes import Cassette, Event, Head

app = Group("cassette", "Show, check, finish, compare and convert recordings of clients.")

FileArgument = Annotated[Path, Argument(metavar="FILE", help="A cassette.")]
_MOST_CAPTURE: Final = 1 << 28
_MOST_MAGIC: Final = 100  # bytes that tell a file's kind
# pcapng, and pcap in both byte orders and units.
_MAGICS: Final = (
    b"\x0a\x0d\x0d\x0a", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
)  # fmt: skip


@app.command()
def show(
    file: FileArgument,
    socket: Annotated[
        int | None, Option("--socket", min=1, metavar="N", help="Show only the N-th socket.")
    ] = None,
    raw: Annotated[bool, Option("--bytes", help="Show the bytes, too.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print one JSON object per event.")] = False,
    family: Annotated[
        list[Path] | None,
        Option(
            "--family",
            metavar="SPEC",
            help="Use the names of this YAML spec. May be repeated.",
        ),
    ] = None,
) -> None:
    """Print requests (>) and answers (<), decoded from the bytes."""
    from netlink_emu.cassettes.text import texted

    cassette = texted(load_cassette(file), map(described_by, family or ()))
    if socket is not None and socket > len(cassette.streams):
        raise UserError(f"{file} has {len(cassette.streams)} sockets, not {socket}")
    if as_json:
        for told in _json(cassette, socket):
            tell_json(told)
        return
    tell(_head(file, cassette.head))
    if cassette.head.redacted:
        tell(f"blanked: {', '.join(cassette.head.redacted)}")
    for number, stream in enumerate(cassette.streams, 1):
        if socket in (None, number):
            kind = {2: "dgram", 3: "raw"}.get(stream.type, str(stream.type))
            who = f", {stream.comm}" if stream.comm else ""
            tell(f"socket {number}: {stream.protocol_name} {kind}{who}")
            for event in stream.events:
                for line in _lines(event, raw=raw):
                    tell(f"  {line}")


def _head(file: Path, head: Head) -> str:
    where = " ".join(filter(None, ("Linux", head.release or "of unknown release", head.arch)))
    by = f", recorded by netlink-emu {head.recorder}" if head.recorder else ""
    command = f": {' '.join(head.command)}" if head.command else ""
    return f"{file}: {where}{by}{command}"


def _lines(event: Event, *, raw: bool) -> Iterator[str]:
    from netlink_emu.cassettes import Answer, Request
    from netlink_emu.cassettes.compare import event_words

    if not isinstance(event, Request | Answer):
        yield event_words(event)
        return
    first, *rest = event.text.splitlines() or ["nothing"]
    arrow = ">" if isinstance(event, Request) else "<"
    notes = [f"group {event.group}"] if event.group else []
    notes += [f"portid {event.portid}"] if event.portid else []
    if isinstance(event, Answer) and event.after:
        notes.append(f"after {event.after} ms")
    noted = f"  ({', '.join(notes)})" if notes else ""
    yield f"{arrow} {first}{noted}"
    yield from (f"  {line}" for line in rest)
    if raw:
        yield f"    {event.data.hex(' ', -4)}"


def _json(cassette: Cassette, socket: int | None) -> Iterator[dict[str, Any]]:
    from netlink_emu.cassettes import Answer, Request
    from netlink_emu.cassettes.compare import event_words

    for number, stream in enumerate(cassette.streams, 1):
        if socket not in (None, number):
            continue
        for event in stream.events:
            told: dict[str, Any] = {"socket": number, "protocol": stream.protocol_name}
            if isinstance(event, Request | Answer):
                told["event"] = type(event).__name__.lower()
                told |= {"text": event.text, "bytes": event.data.hex()}
                told |= {"portid": event.portid, "group": event.group}
                if isinstance(event, Answer):
                    told["after"] = event.after
            else:
                told["event"] = event_words(event)
            yield told


@app.command()
def check(
    files: Annotated[list[str], Argument(metavar="FILE...", help="Cassettes.")],
    fix: Annotated[bool, Option("--fix", help="Rewrite the text to match the bytes.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print one JSON object per mistake.")] = False,
) -> None:
    """Check for text that does not match its bytes, and for answers that were cut off.

    The exit status is 1 if a client would not see what was recorded. Differences that may be
    intended are only remarks.
    """
    graves = [_check_any(Path(file), fix=fix, as_json=as_json) for file in files]
    if any(graves):
        raise SystemExit(EXIT_USER)


def _check_any(file: Path, *, fix: bool, as_json: bool) -> bool:
    """See :func:`_check`; a recording that is not finished is grave."""
    from netlink_emu.cassettes.recording.unfinished import is_unfinished

    if not is_unfinished(read_file(file, most=_MOST_MAGIC)):
        return _check(file, fix=fix, as_json=as_json)
    from netlink_emu.cli.recordings.finishing import load_unfinished

    left = load_unfinished(file)
    count = sum(len(stream.events) for stream in left.streams)
    torn = ", and its last line is cut" if left.torn else ""
    said = (
        f"unfinished, its recorder was killed: {count} events are kept, keys are not "
        f"blanked{torn}; netlink-emu cassette finish {file}"
    )
    _tell_mistake(file, str(file), said, grave=True, as_json=as_json)
    return True


def _tell_mistake(file: Path, place: str, said: str, *, grave: bool, as_json: bool) -> None:
    if as_json:
        told = {"file": str(file), "place": place, "grave": grave, "text": said}
        tell_json(told)
    else:
        tell(f"{place}: {'' if grave else 'remark: '}{said}")


def _check(file: Path, *, fix: bool, as_json: bool) -> bool:
    """Print what is wrong with a file; whether anything of it is grave."""
    from netlink_emu.cassettes import write_cassette
    from netlink_emu.cassettes.check import check, place
    from netlink_emu.cassettes.read import MOST_BYTES
    from netlink_emu.cassettes.text import texted
    from netlink_emu.documents import read_document

    cassette = load_cassette(file)
    if fix:
        cassette = texted(cassette)
        _write(file, write_cassette(cassette).encode())
    found = check(cassette)
    if found:
        data = read_file(file, most=MOST_BYTES)
        document = read_document(data, str(file), most_bytes=MOST_BYTES)
        for one in found:
            where = str(place(document, one))
            _tell_mistake(file, where, one.said, grave=one.grave, as_json=as_json)
    return any(one.grave for one in found)


@app.command()
def finish(
    file: Annotated[
        Path,
        Argument(metavar="FILE.unfinished", help="The file that a killed recorder left behind."),
    ],
    output: Annotated[
        Path | None,
        Option("--output", "-o", metavar="FILE", help="Write to this file. [default: FILE]"),
    ] = None,
) -> None:
    """Make a cassette from the file that a killed recorder left behind.

    This blanks keys, as the recorder would have done, and removes the unfinished file.
    """
    from netlink_emu.cli.recordings.finishing import finish_file

    remark(f"recorded to {finish_file(file, output)}")


@app.command()
def diff(
    a: Annotated[Path, Argument(metavar="A", help="A cassette.")],
    b: Annotated[Path, Argument(metavar="B", help="Another cassette.")],
    ignore: Annotated[
        list[str] | None,
        Option(
            "--ignore", metavar="ATTRIBUTE",
            help="Ignore the value of this attribute. May be repeated.",
        ),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print one JSON object per line.")] = False,
) -> None:  # fmt: skip
    """Show what a client asked or got differently; the exit status is then 1.

    Sequence numbers, portids and times are ignored.
    """
    from netlink_emu.cassettes.compare import compare

    lines = [*compare(load_cassette(a), load_cassette(b), ignore or ())]
    for line in lines:
        if as_json:
            tell_json({"text": line})
        else:
            tell(line)
    if lines:
        raise SystemExit(EXIT_USER)


@app.command()
def convert(
    source: Annotated[
        Path, Argument(metavar="FILE", help="A cassette, or a capture: pcapng or pcap.")
    ],
    target: Annotated[
        Path, Argument(metavar="TO", help="The file to write, in the other format.")
    ],
    release: Annotated[
        str, Option("--release", metavar="RELEASE", help="The kernel release of a capture.")
    ] = "",
    arch: Annotated[
        str, Option("--arch", metavar="ARCH", help="The architecture of a capture.")
    ] = "",
) -> None:
    """Convert a cassette to a capture or back, and report what is lost."""
    from netlink_emu.cassettes import write_cassette
    from netlink_emu.cassettes.capture import CaptureError, from_capture, to_capture
    from netlink_emu.kernel.releases import UnknownArchError, arch_named

    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{target} is the file to convert: name another file to write")
    data = read_file(source, most=_MOST_CAPTURE)
    if len(data) > _MOST_CAPTURE:
        raise UserError(f"{source} is longer than {_MOST_CAPTURE >> 20} MiB: take a part of it")
    if data[:4] not in _MAGICS:
        made, lost = to_capture(load_cassette(source))
        _write(target, made)
        kind = "a capture"
    else:
        from netlink_emu.protocol.format import DecodeError
        from netlink_emu.protocol.reading.pcapng import read_capture

        try:
            if arch:
                arch_named(arch)
            cassette, lost = from_capture(read_capture(data), release=release, arch=arch)
        except (CaptureError, DecodeError, UnknownArchError) as exc:
            raise UserError(f"{source}: {exc}") from exc
        _write(target, write_cassette(cassette).encode())
        kind = "a cassette"
    for each in lost:
        remark(f"lost in {kind} of {source}: {each}")


def _write(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all; raises UserError."""
    from netlink_emu.host.files import write_whole

    try:
        write_whole(path, data)
    except OSError as exc:
        raise UserError(f"{path} cannot be written: {exc.strerror}") from exc
