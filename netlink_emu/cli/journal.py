"""``netlink-emu journal``: what clients and a kernel that is served say to each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.output.progress import waiting
from netlink_emu.cli.usage.declare import Argument, Option
from netlink_emu.cli.usage.remote import (
    Answer,
    Connection,
    Controls,
    Line,
    Lines,
    Single,
    Table,
    TimedOut,
    as_line,
    attrs_of,
)
from netlink_emu.machine.clock import NSEC_PER_SEC

if TYPE_CHECKING:
    from netlink_emu.protocol.reading.decode import Message

app = Controls(
    "journal", "Read the journal of a kernel that runs with --control; wait for its clients."
)
_PREFIX: Final = "NLEMU_A_WATCH_"
_LONGEST_WAIT: Final = 4_000_000  # 32 bits of milliseconds

CriteriaArgument = Annotated[
    list[str] | None,
    Argument(
        metavar="[CRITERION]...",
        help="What messages must match: cmd=TASKSTATS_CMD_GET pid=42 errno=ESRCH...",
    ),
]
SinceOption = Annotated[
    int, Option("--since", min=0, metavar="N", help="Only use entries after the N-th.")
]


@app.call()
def show(
    connection: Connection,
    criteria: CriteriaArgument = None,
    since: SinceOption = 0,
) -> Answer:
    """Print the journal, or the messages that match."""
    entries = connection.remote.dump(
        "journal-get",
        {
            "since": since,
            "request": " ".join(criteria) if criteria else None,
        },
    )
    return Lines(_lines(entries))


@app.call()
def follow(connection: Connection) -> Answer:
    """Print new entries until interrupted."""
    return Lines(_lines(connection.remote.events()), endless=True)


def _lines(entries: Iterable[Message]) -> Iterator[Line]:
    for entry in entries:
        attrs = attrs_of(entry, _PREFIX)
        yield Line(attrs["text"], attrs.get("json") or as_line(_plain(attrs)))


def _plain(attrs: dict[str, Any]) -> dict[str, Any]:
    """Where an entry is too long for its JSON, the keys of that which are told of it, and text."""
    told = {**attrs, "time": attrs["time"] / NSEC_PER_SEC}
    if "data" in told:
        told["bytes"] = told.pop("data").hex()
    return told


@app.call()
def note(
    connection: Connection,
    text: Annotated[str, Argument(metavar="TEXT", help="One line.")],
) -> None:
    """Add a note of your own."""
    connection.remote.do("journal-note", {"text": text})


@app.call()
def clear(connection: Connection) -> None:
    """Remove all entries."""
    connection.remote.do("journal-clear")


@app.call()
def listeners(connection: Connection) -> Answer:
    """List the clients that are registered for exits, by CPU."""
    replies = connection.remote.dump("listener-get")
    return Table(("cpu", "portid"), [attrs_of(reply, _PREFIX) for reply in replies])


@app.call()
def wait(
    connection: Connection,
    criteria: CriteriaArgument = None,
    cpu: Annotated[
        int | None, Option("--cpu", min=0, metavar="N", help="Wait for a listener on this CPU.")
    ] = None,
    count: Annotated[int, Option("--count", min=1, metavar="N", help="Wait for this many.")] = 1,
    since: SinceOption = 0,
    timeout: Annotated[
        float, Option("--timeout", min=0, metavar="SECONDS", help="Wait at most this long.")
    ] = 30.0,
) -> Answer:
    """Wait for a listener, or with criteria for a request. Print the client's portid.

    When time is up, the exit status is 124, and the error says what happened instead.
    """
    if criteria and cpu is not None:
        raise UserError("wait for a listener (--cpu) or for a request (criteria), not both")
    if timeout > _LONGEST_WAIT:
        raise UserError(f"--timeout takes at most {_LONGEST_WAIT} seconds")
    request = " ".join(criteria) if criteria else None
    what = "a listener" if request is None else "a request"
    with waiting(f"waiting for {what}", timeout):
        reply = connection.remote.wait(
            {
                "cpu": cpu,
                "request": request,
                "count": count,
                "since": since,
                "timeout": round(timeout * 1000),
            }
        )
    attrs = attrs_of(reply, _PREFIX)
    if "timed_out" in attrs:
        return TimedOut(attrs["text"])
    return Single("portid", attrs["portid"])
