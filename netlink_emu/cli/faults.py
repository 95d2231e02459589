"""``netlink-emu faults``: faults on demand in a kernel that is served."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from pathlib import Path
from typing import Annotated, Final

import typer

from netlink_emu.cli.errors import UserError
from netlink_emu.cli.examples import epilog
from netlink_emu.cli.remote import SocketOption, attrs_of, connected, print_table
from netlink_emu.families.control.values import Value
from netlink_emu.protocol.ours.control import NlemuCmd, NlemuFault

app = typer.Typer(
    no_args_is_help=True,
    help="Drop, delay, damage messages of a kernel that runs with --control.",
)
_PREFIX: Final = "NLEMU_A_FAULT_"
_F = NlemuFault


@app.command(epilog=epilog("faults add"))
def add(
    rule: Annotated[list[str], typer.Argument(metavar="RULE...", help="See `faults kinds`.")],
    socket: SocketOption = None,
) -> None:
    """Add a rule: a fault, its parameters, and what it is for; prints the rule's number.

    The criteria are cmd, family, kind (request, reply, dump, done, ack, error, event), pid, comm,
    portid, errno, and attributes by name. count=always, skip=N and probability=P say how often.
    """
    with connected(socket) as remote:
        reply = remote.do(NlemuCmd.NLEMU_CMD_FAULT_NEW, {_F.NLEMU_A_FAULT_RULE: " ".join(rule)})
    assert reply is not None
    print(attrs_of(reply, _PREFIX)["id"])


@app.command("list")
def list_rules(socket: SocketOption = None) -> None:
    """List the rules: how many messages they matched, how often they came in."""
    with connected(socket) as remote:
        replies = remote.dump(NlemuCmd.NLEMU_CMD_FAULT_GET)
    print_table(("id", "seen", "applied", "rule"), [attrs_of(reply, _PREFIX) for reply in replies])


@app.command()
def remove(
    number: Annotated[
        int, typer.Argument(metavar="ID", min=1, help="The number that it was given.")
    ],
    socket: SocketOption = None,
) -> None:
    """Remove a rule."""
    with connected(socket) as remote:
        remote.do(NlemuCmd.NLEMU_CMD_FAULT_DEL, {_F.NLEMU_A_FAULT_ID: number})


@app.command()
def clear(socket: SocketOption = None) -> None:
    """Remove all rules; what they hold back arrives."""
    with connected(socket) as remote:
        remote.do(NlemuCmd.NLEMU_CMD_FAULT_DEL)


@app.command()
def release(socket: SocketOption = None) -> None:
    """Let arrive at once what is held back; prints how many datagrams that were."""
    _count(NlemuCmd.NLEMU_CMD_FAULT_RELEASE, {}, socket)


@app.command()
def enobufs(
    portid: Annotated[
        int | None, typer.Option("--portid", metavar="N", help="The socket with this portid.")
    ] = None,
    pid: Annotated[
        int | None, typer.Option("--pid", metavar="N", help="Those of this process.")
    ] = None,
    comm: Annotated[
        str | None, typer.Option("--comm", metavar="NAME", help="Those of processes called so.")
    ] = None,
    socket: SocketOption = None,
) -> None:
    """Overrun sockets at once, all or those of one client; prints how many."""
    attrs: dict[enum.IntEnum, Value] = {
        _F.NLEMU_A_FAULT_PORTID: portid,
        _F.NLEMU_A_FAULT_PID: pid,
        _F.NLEMU_A_FAULT_COMM: comm,
    }
    _count(NlemuCmd.NLEMU_CMD_OVERRUN, attrs, socket)


def _count(cmd: NlemuCmd, attrs: dict[enum.IntEnum, Value], socket: Path | None) -> None:
    with connected(socket) as remote:
        reply = remote.do(cmd, attrs)
    assert reply is not None
    print(attrs_of(reply, _PREFIX)["count"])


@app.command()
def kinds(
    name: Annotated[str | None, typer.Argument(metavar="[FAULT]", help="Only this one.")] = None,
) -> None:
    """List the faults that there are, with their parameters."""
    from netlink_emu.faults import FAULTS

    if name is not None and name not in FAULTS:
        raise UserError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
    for fault in FAULTS.values():
        if name not in (None, fault.name):
            continue
        parameters = [f"{f.name}={f.default}" for f in dataclasses.fields(fault)]
        print(" ".join([fault.name, *parameters]))
        for line in inspect.cleandoc(fault.__doc__ or "").replace("``", "").splitlines():
            print(f"    {line}".rstrip())
