"""Write a cassette as text: YAML for people to read, compare and edit."""

from __future__ import annotations

from collections.abc import Iterator

from netlink_emu.cassettes.model import (
    VERSION,
    Answer,
    Bound,
    Cassette,
    Connected,
    Event,
    Failed,
    Head,
    Option,
    Request,
    Stream,
)
from netlink_emu.protocol.errors import errno_name

_GROUP = 8  # hex digits: a word
_LINE = 8 * _GROUP  # 32 bytes
_TYPES = {2: "dgram", 3: "raw"}


def write_cassette(cassette: Cassette) -> str:
    """The text of a file; :func:`netlink_emu.cassettes.read_cassette` reads it back."""
    return "".join(f"{line}\n" for line in _lines(cassette))


def _lines(cassette: Cassette) -> Iterator[str]:
    yield f"netlink-emu-cassette: {VERSION}"
    yield from _head(cassette.head)
    yield "sockets:" if cassette.streams else "sockets: []"
    for stream in cassette.streams:
        yield ""
        yield from stream_lines(stream)


def _head(head: Head) -> Iterator[str]:
    if head.release:
        yield f"kernel: {_scalar(head.release)}"
    if head.arch:
        yield f"arch: {_scalar(head.arch)}"
    if head.recorder:
        yield f"recorded-by: {_scalar(f'netlink-emu {head.recorder}')}"
    if head.command:
        yield f"command: [{', '.join(map(_scalar, head.command))}]"
    if head.status is not None:
        yield f"status: {head.status}"
    if head.families:
        yield "families:"
        for name, family in head.families.items():
            groups = ", ".join(f"{_scalar(each)}: {id}" for each, id in family.groups.items())
            more = f", groups: {{{groups}}}" if groups else ""
            yield f"  {_scalar(name)}: {{id: {family.id}{more}}}"
    if head.redacted:
        yield f"redacted: [{', '.join(map(_scalar, head.redacted))}]"


def stream_lines(stream: Stream) -> Iterator[str]:
    """The lines of one socket."""
    yield f"- protocol: {stream.protocol_name}"
    yield f"  type: {_TYPES.get(stream.type, stream.type)}"
    if stream.comm:
        yield f"  comm: {_scalar(stream.comm)}"
    yield "  events:" if stream.events else "  events: []"
    for event in stream.events:
        yield from _event(event)


def _event(event: Event) -> Iterator[str]:
    match event:
        case Bound(portid, groups):
            shown = f", groups: {[*groups]}" if groups else ""
            yield f"  - bind: {{portid: {portid}{shown}}}"
        case Connected(portid, group):
            shown = f", group: {group}" if group else ""
            yield f"  - connect: {{portid: {portid}{shown}}}"
        case Option(level, name, value):
            yield f'  - option: {{level: {level}, name: {name}, value: "{value.hex()}"}}'
        case Failed(call, errno):
            yield f"  - failed: {{call: {call}, errno: {errno_name(errno)}}}"
        case Request():
            yield from _datagram("request", event)
            if event.portid or event.group:
                yield f"    to: {{portid: {event.portid}, group: {event.group}}}"
        case Answer():
            yield from _datagram("answer", event)
            if event.portid or event.group:
                yield f"    from: {{portid: {event.portid}, group: {event.group}}}"
            if event.after:
                yield f"    after: {event.after}"


def _datagram(name: str, event: Request | Answer) -> Iterator[str]:
    if event.text:
        yield f"  - {name}: |2"
        yield from (f"      {line}" for line in event.text.splitlines())
    else:
        yield f'  - {name}: ""'
    digits = event.data.hex()
    if not digits:
        yield '    bytes: ""'
        return
    yield "    bytes: >-"
    for start in range(0, len(digits), _LINE):
        row = digits[start : start + _LINE]
        words = [row[at : at + _GROUP] for at in range(0, len(row), _GROUP)]
        yield f"      {' '.join(words)}"


def _scalar(text: str) -> str:
    """A string in YAML: plain if it is certain to be read as a string, otherwise quoted."""
    plain = text and text.isascii() and text.replace("-", "a").replace("_", "a").isalnum()
    if plain and not text[0].isdigit() and text.lower() not in _WORDS and text[0] != "-":
        return text
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if " " <= char <= "~":
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\U{code:08x}"


# What YAML takes for something else than a string.
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
