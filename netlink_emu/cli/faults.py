"""``netlink-emu faults``: faults on demand in a kernel that is served."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Annotated, Final

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.usage.declare import Argument, Option
from netlink_emu.cli.usage.remote import (
    Answer,
    Connection,
    Controls,
    JsonOption,
    Single,
    Table,
    as_line,
    attrs_of,
)
from netlink_emu.protocol.ours.control_values import Row

app = Controls("faults", "Drop, delay, damage messages of a kernel that runs with --control.")
_PREFIX: Final = "NLEMU_A_FAULT_"


@app.call()
def add(
    connection: Connection,
    rule: Annotated[list[str], Argument(metavar="RULE...", help="The rule; see `faults kinds`.")],
) -> Answer:
    """Add a rule: a fault, its parameters and its criteria. Print the rule's number.

    The criteria are cmd, family, kind (request, reply, dump, done, ack, error, event), pid, comm,
    portid, errno, and attributes by name. count=always, skip=N and probability=P set how often
    the fault applies.
    """
    reply = connection.remote.do("fault-new", {"rule": " ".join(rule)})
    assert reply is not None
    return Single("id", attrs_of(reply, _PREFIX)["id"])


@app.call("list")
def list_rules(connection: Connection) -> Answer:
    """List the rules, with how many messages they matched and how often they applied."""
    replies = connection.remote.dump("fault-get")
    rows = [attrs_of(reply, _PREFIX) for reply in replies]
    return Table(("id", "seen", "applied", "rule"), rows)


@app.call()
def remove(
    connection: Connection,
    number: Annotated[int, Argument(metavar="ID", min=1, help="The rule's number.")],
) -> None:
    """Remove a rule."""
    connection.remote.do("fault-del", {"id": number})


@app.call()
def clear(connection: Connection) -> None:
    """Remove all rules; messages that they hold back arrive."""
    connection.remote.do("fault-del")


@app.call()
def release(connection: Connection) -> Answer:
    """Deliver all held-back datagrams at once, and print how many there were."""
    return _count(connection, "fault-release", {})


@app.call()
def enobufs(
    connection: Connection,
    portid: Annotated[
        int | None, Option("--portid", metavar="N", help="The socket with this portid.")
    ] = None,
    pid: Annotated[
        int | None, Option("--pid", metavar="N", help="The sockets of this process.")
    ] = None,
    comm: Annotated[
        str | None,
        Option("--comm", metavar="NAME", help="The sockets of processes with this name."),
    ] = None,
) -> Answer:
    """Overrun all sockets at once, or those of one client, and print how many."""
    who = {
        "portid": portid,
        "pid": pid,
        "comm": comm,
    }
    return _count(connection, "overrun", who)


def _count(connection: Connection, name: str, values: Row) -> Answer:
    reply = connection.remote.do(name, values)
    assert reply is not None
    return Single("count", attrs_of(reply, _PREFIX)["count"])


@app.command()
def kinds(
    name: Annotated[str | None, Argument(metavar="[FAULT]", help="Show only this fault.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List all kinds of faults with their parameters."""
    from netlink_emu.faults import FAULTS

    if name is not None and name not in FAULTS:
        raise UserError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
    for fault in FAULTS.values():
        if name not in (None, fault.name):
            continue
        parameters = {f.name: f.default for f in dataclasses.fields(fault)}
        text = inspect.cleandoc(fault.__doc__ or "").replace("``", "")
        if as_json:
            print(as_line({"fault": fault.name, "parameters": parameters, "text": text}))
            continue
        print(" ".join([fault.name, *(f"{name}={value}" for name, value in parameters.items())]))
        for line in text.splitlines():
            print(f"    {line}".rstrip())
