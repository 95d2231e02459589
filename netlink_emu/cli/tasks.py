"""``netlink-emu tasks``: the tasks of a kernel that is served, from the command line."""

from __future__ import annotations

import math
import signal as _signal
from typing import Annotated, Final

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.usage.declare import Argument, Option
from netlink_emu.cli.usage.remote import Answer, Connection, Controls, Single, Table, attrs_of
from netlink_emu.machine.acts import AMOUNTS, POLICIES, SECONDS
from netlink_emu.protocol.ours.control import STATE

app = Controls("tasks", "Spawn, charge and end the tasks of a kernel that runs with --control.")
_PREFIX: Final = "NLEMU_A_TASK_"
_COLUMNS: Final = ("pid", "tgid", "ppid", "cpu", "uid", "nice", "state", "comm")
_STATES: Final = tuple(STATE.values)
_MOST_SECONDS: Final = 10**10  # 64 bits of nanoseconds are not twice as long

PidArgument = Annotated[int, Argument(metavar="PID", min=1, help="The task's pid.")]
AmountsArgument = Annotated[
    list[str] | None,
    Argument(metavar="[AMOUNT=NUMBER]...", help=f"{', '.join(AMOUNTS)}; times in seconds."),
]
CpuOption = Annotated[int | None, Option("--cpu", min=0, metavar="N", help="The CPU it runs on.")]
NiceOption = Annotated[
    int | None, Option("--nice", min=-20, max=19, metavar="N", help="Its nice value.")
]
CodeOption = Annotated[int, Option("--code", min=0, max=255, metavar="N", help="The exit code.")]


def amounts_of(words: list[str] | None) -> dict[str, int] | None:
    """``utime=1.5 min_flt=3`` as attributes."""
    found: dict[str, int] = {}
    for word in words or ():
        name, equals, text = word.partition("=")
        if not equals or name not in AMOUNTS:
            known = ", ".join(AMOUNTS)
            raise UserError(f"{word!r} is not an amount: write NAME=NUMBER, with one of {known}")
        try:
            number = float(text)
        except ValueError:
            raise UserError(f"{name} is {text!r}, which is not a number") from None
        number *= 1e9 if name in SECONDS else 1
        if not 0 <= number < 1 << 64:  # nor is nan
            raise UserError(f"{name} cannot be {text}: it is counted from 0 on, in 64 bits")
        found[name.replace("_", "-")] = round(number)
    return found or None


@app.call("list")
def list_tasks(connection: Connection) -> Answer:
    """List all tasks."""
    replies = connection.remote.dump("task-get")
    rows = []
    for reply in replies:
        row = attrs_of(reply, _PREFIX)
        row["nice"] -= row["nice"] >> 31 << 32
        row["state"] = _STATES[row["state"]]
        if "exit_status" in row:
            row["state"] = "zombie"
        rows.append(row)
    return Table(_COLUMNS, rows)


@app.call()
def spawn(
    connection: Connection,
    comm: Annotated[str, Argument(metavar="COMM", help="The task's name.")],
    amounts: AmountsArgument = None,
    pid: Annotated[
        int | None, Option("--pid", metavar="N", help="Its pid. [default: the next one]")
    ] = None,
    cpu: CpuOption = None,
    uid: Annotated[
        int | None, Option("--uid", metavar="N", help="Its user. [default: its parent's]")
    ] = None,
    gid: Annotated[
        int | None, Option("--gid", metavar="N", help="Its group. [default: its parent's]")
    ] = None,
    nice: NiceOption = None,
    policy: Annotated[
        str | None,
        Option("--policy", metavar="NAME", help=f"Its policy: {', '.join(POLICIES)}."),
    ] = None,
    parent: Annotated[
        int | None, Option("--parent", metavar="PID", help="Its parent. [default: init]")
    ] = None,
    thread_of: Annotated[
        int | None, Option("--thread-of", metavar="PID", help="Make a thread of this process.")
    ] = None,
) -> Answer:
    """Spawn a process or a thread, and print its pid."""
    if policy is not None and policy not in POLICIES:
        raise UserError(f"there is no policy {policy!r}; there are {', '.join(POLICIES)}")
    reply = connection.remote.do(
        "task-new",
        {
            "comm": comm,
            "pid": pid,
            "cpu": cpu,
            "uid": uid,
            "gid": gid,
            "nice": nice,
            "policy": None if policy is None else POLICIES[policy],
            "ppid": parent,
            "tgid": thread_of,
            "amounts": amounts_of(amounts),
        },
    )
    assert reply is not None
    return Single("pid", attrs_of(reply, _PREFIX)["pid"])


@app.call()
def charge(connection: Connection, pid: PidArgument, amounts: AmountsArgument) -> None:
    """Add CPU time, delays, faults and I/O to what a task has used."""
    connection.remote.do(
        "task-set",
        {"pid": pid, "amounts": amounts_of(amounts)},
    )


@app.call("set")
def set_task(
    connection: Connection,
    pid: PidArgument,
    cpu: CpuOption = None,
    comm: Annotated[
        str | None, Option("--exec", metavar="COMM", help="Run another program.")
    ] = None,
    nice: NiceOption = None,
    state: Annotated[
        str | None,
        Option("--state", metavar="STATE", help=f"Its state: {', '.join(_STATES)}."),
    ] = None,
) -> None:
    """Move a task to another CPU, renice it, let it exec, set its state."""
    if state is not None and state not in _STATES:
        raise UserError(f"there is no state {state!r}; there are {', '.join(_STATES)}")
    connection.remote.do(
        "task-set",
        {
            "pid": pid,
            "cpu": cpu,
            "comm": comm,
            "nice": nice,
            "state": state,
        },
    )


@app.call("exit")
def exit_task(
    connection: Connection,
    pid: PidArgument,
    code: CodeOption = 0,
    one_thread: Annotated[
        bool, Option("--one-thread", help="End only this thread, not its process.")
    ] = False,
    zombie: Annotated[
        bool, Option("--zombie", help="Leave a zombie: the parent does not wait for it.")
    ] = False,
) -> None:
    """End a process with an exit code."""
    connection.remote.do(
        "task-end",
        {
            "pid": pid,
            "code": code,
            "one-thread": one_thread,
            "zombie": zombie,
        },
    )


@app.call()
def kill(
    connection: Connection,
    pid: PidArgument,
    signal: Annotated[
        str, Option("--signal", "-s", metavar="SIGNAL", help="A number or a name, like SIGSEGV.")
    ] = "SIGKILL",
    core: Annotated[bool, Option("--core", help="Report that it dumped core.")] = False,
) -> None:
    """End a process with a signal."""
    number = int(signal) if signal.isdecimal() else _signal_number(signal)
    connection.remote.do(
        "task-end",
        {
            "pid": pid,
            "signal": number,
            "core": core,
        },
    )


def _signal_number(name: str) -> int:
    try:
        return int(_signal.Signals[name if name.startswith("SIG") else f"SIG{name}"])
    except KeyError:
        raise UserError(f"there is no signal {name}") from None


@app.call()
def reap(connection: Connection, pid: PidArgument) -> Answer:
    """Let the parent wait for a zombie, and print its wait status."""
    reply = connection.remote.do("task-reap", {"pid": pid})
    assert reply is not None
    return Single("exit_status", attrs_of(reply, _PREFIX)["exit_status"])


@app.call()
def storm(
    connection: Connection,
    count: Annotated[int, Argument(metavar="COUNT", min=1, help="The number of processes.")],
    amounts: AmountsArgument = None,
    comm: Annotated[str, Option("--comm", metavar="COMM", help="Their name.")] = "worker",
    cpu: CpuOption = None,
    code: CodeOption = 0,
) -> None:
    """Start and end many processes at once, on all CPUs in turn or on one."""
    connection.remote.do(
        "task-storm",
        {
            "count": count,
            "comm": comm,
            "cpu": cpu,
            "code": code,
            "amounts": amounts_of(amounts),
        },
    )


@app.call()
def cpus(
    connection: Connection,
    down: Annotated[
        int | None, Option("--down", metavar="N", help="Take this CPU offline.")
    ] = None,
    up: Annotated[int | None, Option("--up", metavar="N", help="Bring this CPU online.")] = None,
) -> Answer:
    """Take a CPU offline or bring one online, and list all CPUs."""
    for cpu, online in ((down, 0), (up, 1)):
        if cpu is not None:
            connection.remote.do(
                "cpu-set",
                {"cpu": cpu, "online": online},
            )
    replies = connection.remote.dump("cpu-get")
    return Table(("cpu", "online"), [attrs_of(reply, "NLEMU_A_MACHINE_") for reply in replies])


@app.call()
def advance(
    connection: Connection,
    seconds: Annotated[float, Argument(metavar="SECONDS", min=0, help="The time to advance by.")],
) -> None:
    """Advance the clock of a server that runs with --virtual-time."""
    if math.isnan(seconds):  # typer before 0.29 lets it pass
        import typer

        raise typer.BadParameter("nan is not a number.", param_hint="'SECONDS'")
    if not seconds < _MOST_SECONDS:
        raise UserError(f"time cannot advance by {_MOST_SECONDS:,} seconds or more at once")
    connection.remote.do(
        "machine-set",
        {"advance": round(seconds * 1e9)},
    )


@app.call()
def reset(connection: Connection) -> None:
    """Remove all tasks, listeners, faults and journal entries; bring all CPUs online."""
    connection.remote.do("reset")
