"""``netlink-emu family objects``, ``add``...: families of a kernel that runs with --control."""

from __future__ import annotations

from typing import Annotated, Any, Final

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.usage.declare import Argument, Option
from netlink_emu.cli.usage.remote import (
    Answer,
    Connection,
    Controls,
    Line,
    Lines,
    Table,
    as_line,
)

app = Controls(
    "family", "Show and check specs, call operations, and change families of a running kernel."
)
_COLUMNS: Final = ("name", "id", "kind", "key")

NameArgument = Annotated[
    str, Argument(metavar="NAME", help="The family; `family list` prints all.")
]
KindArgument = Annotated[
    str, Argument(metavar="KIND", help="A kind of objects that the family keeps.")
]
OperationArgument = Annotated[
    str, Argument(metavar="OPERATION", help="An operation, as the spec names it.")
]
ObjectArgument = Annotated[
    str, Argument(metavar="JSON", help='Attributes by name: {"id": 1, "level": 3}; bytes in hex.')
]
TimesOption = Annotated[
    int | None, Option("--times", min=1, metavar="N", help="How many times. [default: always]")
]


def _values(text: str) -> Any:
    from netlink_emu.families.own.plain import read_json

    try:
        return read_json(text, repr(text))
    except ValueError as exc:
        raise UserError(str(exc)) from None


@app.call("list")
def list_families(connection: Connection) -> Answer:
    """List the families that were added to the kernel, with the objects that they keep."""
    from netlink_emu.testing.remote.families import named

    return Table(_COLUMNS, [named(reply) for reply in connection.remote.dump("family-get")])


@app.call()
def objects(connection: Connection, name: NameArgument, kind: KindArgument) -> Answer:
    """Print the objects of a kind that a family has, one JSON object per line."""
    found = connection.remote.family(name).store.objects(kind)
    return Lines([Line(as_line(each), as_line(each)) for each in found])


@app.call()
def add(
    connection: Connection, name: NameArgument, kind: KindArgument, values: ObjectArgument
) -> None:
    """Add an object, and notify listeners, as if the machine had done it."""
    connection.remote.family(name).store.add(kind, _values(values))


@app.call()
def change(
    connection: Connection, name: NameArgument, kind: KindArgument, values: ObjectArgument
) -> None:
    """Change the object that has the key in JSON, and notify listeners."""
    connection.remote.family(name).store.change(kind, _values(values))


@app.call()
def remove(
    connection: Connection, name: NameArgument, kind: KindArgument, values: ObjectArgument
) -> None:
    """Remove the object that has the key in JSON, and notify listeners."""
    connection.remote.family(name).store.remove(kind, _values(values))


@app.call()
def notify(
    connection: Connection,
    name: NameArgument,
    operation: OperationArgument,
    values: ObjectArgument = "{}",
    group: Annotated[
        str, Option("--group", metavar="GROUP", help="The group. [default: the operation's]")
    ] = "",
) -> None:
    """Send a notification to the members of a multicast group."""
    connection.remote.family(name).notify(operation, _values(values), group=group)


@app.call()
def reply(
    connection: Connection,
    name: NameArgument,
    operation: OperationArgument,
    values: Annotated[
        str,
        Argument(metavar="JSON", help="An object, a list of several, or null for an ack only."),
    ],
    times: TimesOption = None,
) -> None:
    """Answer an operation with these values from now on, whatever the request."""
    connection.remote.family(name).reply(operation, _values(values), times=times)


@app.call()
def fail(
    connection: Connection,
    name: NameArgument,
    operation: OperationArgument,
    errno: Annotated[str, Argument(metavar="ERRNO", help="An errno's name: EBUSY.")],
    message: Annotated[
        str, Option("--message", metavar="TEXT", help="The extended ack's text.")
    ] = "",
    attr: Annotated[
        str | None,
        Option("--attr", metavar="NAME", help="The attribute to blame: level, colour.red."),
    ] = None,
    missing: Annotated[
        str | None, Option("--missing", metavar="NAME", help="The attribute that is missing.")
    ] = None,
    times: TimesOption = None,
) -> None:
    """Let an operation fail from now on, with an extended ack."""
    try:
        connection.remote.family(name).fail(
            operation, errno, message, attr=attr, missing=missing, times=times
        )
    except ValueError as exc:
        raise UserError(str(exc)) from None


@app.call()
def forget(connection: Connection, name: NameArgument, operation: OperationArgument) -> None:
    """Answer an operation as before `family reply` and `family fail`."""
    connection.remote.family(name).forget(operation)
