"""Commands that control a kernel which runs elsewhere: declared once, carried out two ways.

Each is a function of a connection and of what the command line says, and returns its
:class:`Answer`. ``netlink-emu tasks list`` connects, carries it out and prints the answer;
``netlink-emu ctl`` carries out many over one connection.
"""

from __future__ import annotations

import inspect
import json as _json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, NamedTuple, get_type_hints

from netlink_emu.cli.output.errors import UserError, to_stderr
from netlink_emu.cli.output.loudness import remark
from netlink_emu.cli.usage.declare import Command, Group, Option
from netlink_emu.protocol.reading.printable import printable, printable_json, printable_lines

if TYPE_CHECKING:
    from netlink_emu.protocol.reading.decode import Message
    from netlink_emu.testing.remote.kernel import Remote

SocketOption = Annotated[
    Path | None,
    Option(
        "--socket", metavar="PATH", envvar="NETLINK_EMU_SOCKET",
        help="The server's socket. [default: a netlink socket, for use under netlink-emu run]",
    ),
]  # fmt: skip
JsonOption = Annotated[bool, Option("--json", help="Print one JSON object per line.")]

EXIT_TIMED_OUT: Final = 124  # as of timeout(1)


@dataclass(frozen=True, slots=True)
class Single:
    """One value: printed as it is, in JSON an object with its name."""

    many: ClassVar = False
    name: str
    value: int | str

    def text(self) -> Iterator[str]:
        yield printable(str(self.value))

    def json(self) -> Iterator[str]:
        yield as_line({self.name: self.value})


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by column; in JSON an object a row, which may have more than is shown."""

    many: ClassVar = True
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]

    def text(self) -> Iterator[str]:
        cells = [
            [printable(str(row.get(column, ""))) for column in self.columns] for row in self.rows
        ]
        heads = [column.replace("_", " ") for column in self.columns]
        numeric = [
            bool(self.rows) and all(isinstance(row.get(column, 0), int) for row in self.rows)
            for column in self.columns
        ]
        widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
        for line in [heads, *cells]:
            padded = [
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(line, widths, numeric, strict=True)
            ]
            yield "  ".join(padded).rstrip()

    def json(self) -> Iterator[str]:
        yield from map(as_line, self.rows)


class Line(NamedTuple):
    """A line of a journal, and the same in JSON."""

    text: str
    json: str


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines, perhaps without an end."""

    many: ClassVar = True
    lines: Iterable[Line]
    endless: bool = False

    def text(self) -> Iterator[str]:
        return (printable_lines(line.text) for line in self.lines)

    def json(self) -> Iterator[str]:
        return (printable_json(line.json) for line in self.lines)


@dataclass(frozen=True, slots=True)
class TimedOut:
    """What was waited for did not come; ``said`` tells what came instead."""

    many: ClassVar = False
    said: str

    def text(self) -> Iterator[str]:
        to_stderr(f"{self.said}\n")
        return iter(())

    def json(self) -> Iterator[str]:
        yield as_line({"timed_out": True, "text": self.said})


Answer = Single | Table | Lines | TimedOut | None
# Takes a Connection, then what its annotations declare.
Call = Callable[..., Answer]


class Controls(Group):
    """Commands of one kind; ``calls`` has what each does over a connection.

    Each command has ``--socket`` and ``--json`` besides what its function declares.
    """

    def __init__(self, name: str, help: str) -> None:
        super().__init__(name, help)
        self.calls: Final[dict[str, Call]] = {}

    def call(self, name: str | None = None) -> Callable[[Call], Call]:
        """Declare a command by what it does over a connection."""

        def register(call: Call) -> Call:
            called = name or call.__name__
            self.calls[called] = call
            self.commands[called] = _alone(call)
            return call

        return register


def _alone(call: Call) -> Command:
    """A call as a command that connects by itself, and prints the answer."""

    def command(*, socket: Path | None = None, as_json: bool = False, **values: Any) -> None:
        with connected(socket) as connection:
            show(call(connection, **values), as_json=as_json)

    hints = get_type_hints(call, include_extras=True)
    theirs = [*inspect.signature(call).parameters.values()][1:]  # without the connection
    ours = [
        inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False),
        inspect.Parameter("socket", inspect.Parameter.KEYWORD_ONLY, default=None),
    ]
    named = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in theirs]
    command.__name__, command.__doc__ = call.__name__, call.__doc__
    command.__signature__ = inspect.Signature([*named, *ours])  # type: ignore[attr-defined] # PEP 362
    command.__annotations__ = {each.name: hints[each.name] for each in theirs} | {
        "as_json": JsonOption,
        "socket": SocketOption,
    }
    return command


class Connection:
    """A connection to the server, made when it is first used: mistakes are told before.

    With ``wait``, a server that does not answer is waited for, else it is given up in time.
    """

    def __init__(self, path: Path | None, *, wait: bool = False) -> None:
        self._path: Final = path
        self._wait: Final = wait
        self._made: Remote | None = None

    @property
    def remote(self) -> Remote:
        from netlink_emu.testing.remote.kernel import PATIENCE, Remote

        if self._made is None:
            self._made = Remote(self._path, patience=None if self._wait else PATIENCE)
        return self._made

    def close(self) -> None:
        if self._made is not None:
            self._made.close()


@contextmanager
def connected(path: Path | None) -> Iterator[Connection]:
    """A connection; what the server refuses ends the command in one sentence."""
    from netlink_emu.testing.errors import ControlError

    connection = Connection(path)
    try:
        yield connection
    except ControlError as exc:
        raise UserError(str(exc)) from exc
    finally:
        connection.close()


def show(answer: Answer, *, as_json: bool) -> None:
    """Print an answer, each line as soon as it is there."""
    if answer is None:
        return
    for line in answer.json() if as_json else answer.text():
        print(line, flush=True)
    if isinstance(answer, Lines) and answer.endless:
        remark("the kernel has ended, and its journal with it")
    if isinstance(answer, TimedOut):
        raise SystemExit(EXIT_TIMED_OUT)


def as_line(found: Mapping[str, Any]) -> str:
    """An object as one line of JSON."""
    return printable_json(_json.dumps(found, ensure_ascii=False))


def attrs_of(message: Message, prefix: str) -> dict[str, Any]:
    """A message's attributes, named without ``prefix``, in lower case."""
    return {attr.name.removeprefix(prefix).lower(): attr.meant for attr in message.attrs}
