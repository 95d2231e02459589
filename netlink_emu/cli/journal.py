"""``netlink-emu journal``: what clients and a kernel that is served say to each other."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from netlink_emu.cli.errors import UserError
from netlink_emu.cli.examples import epilog
from netlink_emu.cli.remote import SocketOption, attrs_of, connected, print_table
from netlink_emu.protocol.ours.control import NlemuCmd, NlemuWatch

if TYPE_CHECKING:
    from netlink_emu.protocol.reading.decode import Message

app = typer.Typer(
    no_args_is_help=True,
    help="Read the journal of a kernel that runs with --control; wait for its clients.",
)
_PREFIX: Final = "NLEMU_A_WATCH_"
_W = NlemuWatch
EXIT_TIMED_OUT: Final = 124  # as of timeout(1)
_LONGEST_WAIT: Final = 4_000_000  # 32 bits of milliseconds

CriteriaArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CRITERION]...",
        help="What messages are to be like: cmd=TASKSTATS_CMD_GET pid=42 errno=ESRCH...",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="As one JSON object a line.")]
SinceOption = Annotated[
    int, typer.Option("--since", min=0, metavar="N", help="Only entries after the N-th.")
]


@app.command(epilog=epilog("journal show"))
def show(
    criteria: CriteriaArgument = None,
    since: SinceOption = 0,
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Print the journal, or the messages that match."""
    with connected(socket) as remote:
        entries = remote.dump(
            NlemuCmd.NLEMU_CMD_JOURNAL_GET,
            {
                _W.NLEMU_A_WATCH_SINCE: since,
                _W.NLEMU_A_WATCH_REQUEST: " ".join(criteria) if criteria else None,
            },
        )
    _print(entries, as_json=as_json)


@app.command("follow")
def follow_command(as_json: JsonOption = False, socket: SocketOption = None) -> None:
    """Print entries as they are made, until interrupted."""
    follow(socket, as_json=as_json)


def follow(socket: Path | None, *, as_json: bool) -> None:
    """Print entries of the server's journal as they are made, for ever."""
    with connected(socket) as remote:
        _print(remote.events(), as_json=as_json)


def _print(entries: Iterable[Message], *, as_json: bool) -> None:
    for entry in entries:
        attrs = attrs_of(entry, _PREFIX)
        if as_json:
            print(attrs.get("json") or json.dumps(_plain(attrs)), flush=True)
        else:
            print(attrs["text"], flush=True)


def _plain(attrs: dict[str, Any]) -> dict[str, Any]:
    """Where an entry is too long for its JSON, what else is told of it."""
    return {
        name: value.hex() if isinstance(value, bytes) else value for name, value in attrs.items()
    }


@app.command()
def note(
    text: Annotated[str, typer.Argument(metavar="TEXT")], socket: SocketOption = None
) -> None:
    """Add a line of one's own."""
    with connected(socket) as remote:
        remote.do(NlemuCmd.NLEMU_CMD_JOURNAL_NOTE, {_W.NLEMU_A_WATCH_TEXT: text})


@app.command()
def clear(socket: SocketOption = None) -> None:
    """Forget all entries."""
    with connected(socket) as remote:
        remote.do(NlemuCmd.NLEMU_CMD_JOURNAL_CLEAR)


@app.command()
def listeners(socket: SocketOption = None) -> None:
    """List who is registered for exits, by CPU."""
    with connected(socket) as remote:
        replies = remote.dump(NlemuCmd.NLEMU_CMD_LISTENER_GET)
    print_table(("cpu", "portid"), [attrs_of(reply, _PREFIX) for reply in replies])


@app.command(epilog=epilog("journal wait"))
def wait(
    criteria: CriteriaArgument = None,
    cpu: Annotated[
        int | None, typer.Option("--cpu", min=0, metavar="N", help="For a listener on this CPU.")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, metavar="N", help="For so many.")] = 1,
    since: SinceOption = 0,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, metavar="SECONDS", help="At most so long.")
    ] = 5.0,
    socket: SocketOption = None,
) -> None:
    """Wait for a listener, or with criteria for a request; prints the client's portid.

    Ends with status 124 when time is up, and says what happened instead.
    """
    if criteria and cpu is not None:
        raise UserError("a listener is waited for with --cpu, a request with criteria, not both")
    if timeout > _LONGEST_WAIT:
        raise UserError(f"--timeout takes at most {_LONGEST_WAIT} seconds")
    with connected(socket) as remote:
        reply = remote.wait(
            {
                _W.NLEMU_A_WATCH_CPU: cpu,
                _W.NLEMU_A_WATCH_REQUEST: " ".join(criteria) if criteria else None,
                _W.NLEMU_A_WATCH_COUNT: count,
                _W.NLEMU_A_WATCH_SINCE: since,
                _W.NLEMU_A_WATCH_TIMEOUT: round(timeout * 1000),
            }
        )
    attrs = attrs_of(reply, _PREFIX)
    if "timed_out" in attrs:
        typer.echo(attrs["text"], err=True)
        raise typer.Exit(EXIT_TIMED_OUT)
    print(attrs["portid"])
