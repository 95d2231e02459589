"""``netlink-emu tasks``: the tasks of a kernel that is served, from the command line."""

from __future__ import annotations

import json
import signal as _signal
from typing import Annotated, Any, Final

import typer

from netlink_emu.cli.errors import UserError
from netlink_emu.cli.examples import epilog
from netlink_emu.cli.remote import SocketOption, attrs_of, connected, print_table
from netlink_emu.machine.acts import AMOUNTS, POLICIES, SECONDS
from netlink_emu.protocol.ours.control import NlemuAmount, NlemuCmd, NlemuMachine, NlemuTask

app = typer.Typer(
    no_args_is_help=True,
    help="Spawn, charge and end the tasks of a kernel that runs with --control.",
)
_PREFIX: Final = "NLEMU_A_TASK_"
_COLUMNS: Final = ("pid", "tgid", "ppid", "cpu", "uid", "nice", "state", "comm")
_STATES: Final = ("running", "sleeping", "uninterruptible", "stopped", "other")
_T, _M = NlemuTask, NlemuMachine
_MOST_SECONDS: Final = 10**10  # 64 bits of nanoseconds are not twice as long

PidArgument = Annotated[int, typer.Argument(metavar="PID", min=1, help="Its number.")]
AmountsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[AMOUNT=NUMBER]...", help=f"Of {', '.join(AMOUNTS)}; times in seconds."
    ),
]
CpuOption = Annotated[
    int | None, typer.Option("--cpu", min=0, metavar="N", help="The CPU that it is on.")
]
NiceOption = Annotated[
    int | None, typer.Option("--nice", min=-20, max=19, metavar="N", help="Its nice value.")
]
CodeOption = Annotated[
    int, typer.Option("--code", min=0, max=255, metavar="N", help="What it exits with.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="As one JSON object a line.")]


def amounts_of(words: list[str] | None) -> dict[Any, int] | None:
    """``utime=1.5 min_flt=3`` as attributes."""
    found: dict[Any, int] = {}
    for word in words or ():
        name, equals, text = word.partition("=")
        if not equals or name not in AMOUNTS:
            raise UserError(f"{word!r} is no amount: write one of {', '.join(AMOUNTS)} =NUMBER")
        try:
            number = float(text)
        except ValueError:
            raise UserError(f"{name} is {text!r}, which is no number") from None
        number *= 1e9 if name in SECONDS else 1
        if not 0 <= number < 1 << 64:  # nor is nan
            raise UserError(f"{name} cannot be {text}: it is counted from 0 on, in 64 bits")
        found[NlemuAmount[f"NLEMU_A_AMOUNT_{name.upper()}"]] = round(number)
    return found or None


@app.command("list")
def list_tasks(socket: SocketOption = None, as_json: JsonOption = False) -> None:
    """List all tasks."""
    with connected(socket) as remote:
        replies = remote.dump(NlemuCmd.NLEMU_CMD_TASK_GET)
    rows = []
    for reply in replies:
        row = attrs_of(reply, _PREFIX)
        row["nice"] -= row["nice"] >> 31 << 32
        row["state"] = _STATES[row["state"]]
        if "exit_status" in row:
            row["state"] = "zombie"
        rows.append(row)
    if as_json:
        for row in rows:
            print(json.dumps(row))
    else:
        print_table(_COLUMNS, rows)


@app.command(epilog=epilog("tasks spawn"))
def spawn(
    comm: Annotated[str, typer.Argument(metavar="COMM", help="Its name.")],
    amounts: AmountsArgument = None,
    pid: Annotated[
        int | None, typer.Option("--pid", metavar="N", help="Its number; else the next one.")
    ] = None,
    cpu: CpuOption = None,
    uid: Annotated[
        int | None, typer.Option("--uid", metavar="N", help="Whose it is; else its parent's.")
    ] = None,
    gid: Annotated[
        int | None, typer.Option("--gid", metavar="N", help="Its group; else its parent's.")
    ] = None,
    nice: NiceOption = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy", metavar="NAME", help=f"How it is scheduled: {', '.join(POLICIES)}."
        ),
    ] = None,
    parent: Annotated[
        int | None, typer.Option("--parent", metavar="PID", help="Its parent; else init.")
    ] = None,
    thread_of: Annotated[
        int | None, typer.Option("--thread-of", metavar="PID", help="A thread of this process.")
    ] = None,
    socket: SocketOption = None,
) -> None:
    """Spawn a process, or a thread; prints its pid."""
    if policy is not None and policy not in POLICIES:
        raise UserError(f"there is no policy {policy!r}; there are {', '.join(POLICIES)}")
    with connected(socket) as remote:
        reply = remote.do(
            NlemuCmd.NLEMU_CMD_TASK_NEW,
            {
                _T.NLEMU_A_TASK_COMM: comm,
                _T.NLEMU_A_TASK_PID: pid,
                _T.NLEMU_A_TASK_CPU: cpu,
                _T.NLEMU_A_TASK_UID: uid,
                _T.NLEMU_A_TASK_GID: gid,
                _T.NLEMU_A_TASK_NICE: nice,
                _T.NLEMU_A_TASK_POLICY: None if policy is None else POLICIES[policy],
                _T.NLEMU_A_TASK_PPID: parent,
                _T.NLEMU_A_TASK_TGID: thread_of,
                _T.NLEMU_A_TASK_AMOUNTS: amounts_of(amounts),
            },
        )
    assert reply is not None
    print(attrs_of(reply, _PREFIX)["pid"])


@app.command(epilog=epilog("tasks charge"))
def charge(pid: PidArgument, amounts: AmountsArgument, socket: SocketOption = None) -> None:
    """Account CPU time, delays, faults, I/O to a task; the amounts add up."""
    with connected(socket) as remote:
        remote.do(
            NlemuCmd.NLEMU_CMD_TASK_SET,
            {_T.NLEMU_A_TASK_PID: pid, _T.NLEMU_A_TASK_AMOUNTS: amounts_of(amounts)},
        )


@app.command("set", epilog=epilog("tasks set"))
def set_task(
    pid: PidArgument,
    cpu: CpuOption = None,
    comm: Annotated[
        str | None, typer.Option("--exec", metavar="COMM", help="Run another program.")
    ] = None,
    nice: NiceOption = None,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="STATE", help=f"What it does: {', '.join(_STATES)}."),
    ] = None,
    socket: SocketOption = None,
) -> None:
    """Move a task to another CPU, renice it, let it exec, set its state."""
    if state is not None and state not in _STATES:
        raise UserError(f"there is no state {state!r}; there are {', '.join(_STATES)}")
    with connected(socket) as remote:
        remote.do(
            NlemuCmd.NLEMU_CMD_TASK_SET,
            {
                _T.NLEMU_A_TASK_PID: pid,
                _T.NLEMU_A_TASK_CPU: cpu,
                _T.NLEMU_A_TASK_COMM: comm,
                _T.NLEMU_A_TASK_NICE: nice,
                _T.NLEMU_A_TASK_STATE: None if state is None else _STATES.index(state),
            },
        )


@app.command("exit")
def exit_task(
    pid: PidArgument,
    code: CodeOption = 0,
    one_thread: Annotated[
        bool, typer.Option("--one-thread", help="Only this thread, not its process.")
    ] = False,
    zombie: Annotated[
        bool, typer.Option("--zombie", help="The parent does not wait for it.")
    ] = False,
    socket: SocketOption = None,
) -> None:
    """End a process by an exit code."""
    with connected(socket) as remote:
        remote.do(
            NlemuCmd.NLEMU_CMD_TASK_END,
            {
                _T.NLEMU_A_TASK_PID: pid,
                _T.NLEMU_A_TASK_CODE: code,
                _T.NLEMU_A_TASK_ONE_THREAD: b"" if one_thread else None,
                _T.NLEMU_A_TASK_ZOMBIE: b"" if zombie else None,
            },
        )


@app.command(epilog=epilog("tasks kill"))
def kill(
    pid: PidArgument,
    signal: Annotated[
        str, typer.Option("--signal", "-s", metavar="SIGNAL", help="By number, or as SIGSEGV.")
    ] = "SIGKILL",
    core: Annotated[bool, typer.Option("--core", help="A core is dumped.")] = False,
    socket: SocketOption = None,
) -> None:
    """End a process by a signal."""
    number = int(signal) if signal.isdecimal() else _signal_number(signal)
    with connected(socket) as remote:
        remote.do(
            NlemuCmd.NLEMU_CMD_TASK_END,
            {
                _T.NLEMU_A_TASK_PID: pid,
                _T.NLEMU_A_TASK_SIGNAL: number,
                _T.NLEMU_A_TASK_CORE: b"" if core else None,
            },
        )


def _signal_number(name: str) -> int:
    try:
        return int(_signal.Signals[name if name.startswith("SIG") else f"SIG{name}"])
    except KeyError:
        raise UserError(f"there is no signal {name}") from None


@app.command()
def reap(pid: PidArgument, socket: SocketOption = None) -> None:
    """Have the parent wait for a zombie; prints its wait status."""
    with connected(socket) as remote:
        reply = remote.do(NlemuCmd.NLEMU_CMD_TASK_REAP, {_T.NLEMU_A_TASK_PID: pid})
    assert reply is not None
    print(attrs_of(reply, _PREFIX)["exit_status"])


@app.command(epilog=epilog("tasks storm"))
def storm(
    count: Annotated[int, typer.Argument(metavar="COUNT", min=1, help="How many.")],
    amounts: AmountsArgument = None,
    comm: Annotated[str, typer.Option("--comm", metavar="COMM", help="Their name.")] = "worker",
    cpu: CpuOption = None,
    code: CodeOption = 0,
    socket: SocketOption = None,
) -> None:
    """Let many processes start and end at once, on all CPUs in turn or on one."""
    with connected(socket) as remote:
        remote.do(
            NlemuCmd.NLEMU_CMD_TASK_STORM,
            {
                _T.NLEMU_A_TASK_COUNT: count,
                _T.NLEMU_A_TASK_COMM: comm,
                _T.NLEMU_A_TASK_CPU: cpu,
                _T.NLEMU_A_TASK_CODE: code,
                _T.NLEMU_A_TASK_AMOUNTS: amounts_of(amounts),
            },
        )


@app.command()
def cpus(
    down: Annotated[int | None, typer.Option("--down", metavar="N", help="Take it down.")] = None,
    up: Annotated[int | None, typer.Option("--up", metavar="N", help="Bring it up.")] = None,
    socket: SocketOption = None,
) -> None:
    """Take a CPU down, bring one up; then list them."""
    with connected(socket) as remote:
        for cpu, online in ((down, 0), (up, 1)):
            if cpu is not None:
                remote.do(
                    NlemuCmd.NLEMU_CMD_CPU_SET,
                    {_M.NLEMU_A_MACHINE_CPU: cpu, _M.NLEMU_A_MACHINE_ONLINE: online},
                )
        replies = remote.dump(NlemuCmd.NLEMU_CMD_CPU_GET)
    print_table(("cpu", "online"), [attrs_of(reply, "NLEMU_A_MACHINE_") for reply in replies])


@app.command()
def advance(
    seconds: Annotated[float, typer.Argument(metavar="SECONDS", min=0, help="How much time.")],
    socket: SocketOption = None,
) -> None:
    """Let time pass, where it stands still: under --virtual-time."""
    if not seconds < _MOST_SECONDS:
        raise UserError(f"time passes by less than {_MOST_SECONDS:,} seconds at once")
    with connected(socket) as remote:
        remote.do(
            NlemuCmd.NLEMU_CMD_MACHINE_SET,
            {_M.NLEMU_A_MACHINE_ADVANCE: round(seconds * 1e9)},
        )


@app.command()
def reset(socket: SocketOption = None) -> None:
    """Forget tasks, listeners, faults and journal; bring all CPUs up."""
    with connected(socket) as remote:
        remote.do(NlemuCmd.NLEMU_CMD_RESET)
