"""Programs under supervision: what a call costs that stops, and one that does not."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

from bench import real_kernel
from bench.figure import Effort, Relation, Result, compared
from bench.machines import Emulated
from bench.measure import by_turns, repeated
from bench.messages import FAMILY
from bench.processes import Asked, asked
from netlink_emu.host.clock import RealClock
from netlink_emu.interpose.filter.seccomp import (
    SECCOMP_IOCTL_NOTIF_RECV,
    SECCOMP_IOCTL_NOTIF_SEND,
    SECCOMP_USER_NOTIF_FLAG_CONTINUE,
)
from netlink_emu.interpose.foreground import Foreground
from netlink_emu.interpose.launch import launch, spawn_command

CLIENT = Path(__file__).with_name("pair_client.py")
UNRELATED = Path(__file__).with_name("unrelated.c")
# asm/unistd.h of x86-64, and of all that use the generic table (aarch64, riscv64).
GETPPID = {"x86_64": 110}.get(platform.machine(), 173)
RET_USER_NOTIF = 0x7FC00000
RET_ALLOW = 0x7FFF0000


def command(*args: object) -> list[str]:
    return [sys.executable, str(CLIENT), *map(str, args)]


def natively(program: Sequence[str]) -> None:
    """Run a client as it is."""
    os.execv(program[0], list(program))


def supervised(program: Sequence[str]) -> None:
    """Run a client as ``netlink-emu run`` does."""
    foreground = Foreground(Emulated(clock=RealClock()).kernel, program)
    foreground.run()


@contextmanager
def unrelated() -> Iterator[Sequence[str]]:
    """A client that makes pairs of calls on a socket pair: in C where that can be built."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        yield command("unix")
        return
    with tempfile.TemporaryDirectory(prefix="netlink-emu-bench-") as directory:
        program = str(Path(directory) / UNRELATED.stem)
        subprocess.run([compiler, "-O2", "-o", program, str(UNRELATED)], check=True)
        yield (program,)


def stopped_for_nothing() -> NoReturn:
    """Run the client with getppid(2) stopped, and let it go on: the least a trap can cost."""
    program = [
        (0x20, 0, 0, 0),
        (0x15, 0, 1, GETPPID),
        (6, 0, 0, RET_USER_NOTIF),
        (6, 0, 0, RET_ALLOW),
    ]
    launched = launch(program, lambda: spawn_command(command("getppid"), blocked=set()))
    fd = launched.listener.fileno()
    for notification in launched.pending:
        launched.listener.let_pass(notification.id)
    notif, zeros = bytearray(80), bytes(80)
    answer = struct.Struct("=QqiI")
    while True:
        notif[:] = zeros
        fcntl.ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, notif)
        response = answer.pack(
            int.from_bytes(notif[:8], sys.byteorder), 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE
        )
        fcntl.ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, response)


def figures(effort: Effort) -> list[Result]:
    def client(stack: ExitStack, main: Callable[[], object]) -> Asked:
        return stack.enter_context(asked(main))

    with ExitStack() as stack:
        count = effort.times(1000)
        ours = client(stack, partial(supervised, command("netlink", FAMILY, 3)))
        empty = client(stack, stopped_for_nothing)
        plain = client(stack, partial(supervised, command("plain", FAMILY, 3)))
        interposed = by_turns(lambda: ours(count), lambda: empty(count), effort.rounds)
        nameless = by_turns(lambda: plain(count), lambda: empty(count), effort.rounds)
        kernel = nameless_kernel = None
        if real_kernel.available():
            family = real_kernel.family_id()
            real = client(stack, partial(natively, command("netlink", family, os.getpid())))
            kernel = repeated(lambda: real(count), effort.rounds)
            real = client(stack, partial(natively, command("plain", family, os.getpid())))
            nameless_kernel = repeated(lambda: real(count), effort.rounds)
    with ExitStack() as stack:
        count = effort.times(20000)
        program = stack.enter_context(unrelated())
        inside = client(stack, partial(supervised, program))
        outside = client(stack, partial(natively, program))
        beside = by_turns(lambda: inside(count), lambda: outside(count), effort.rounds)
    return [
        compared(
            "interposed sendmsg + recvmsg with names",
            "two empty traps (RECV and CONTINUE) in a plain loop",
            "µs", Relation.AT_MOST_TIMES, 6, interposed, kernel,
        ),
        compared(
            "interposed sendto + recv", "the same",
            "µs", Relation.AT_MOST_TIMES, None, nameless, nameless_kernel,
        ),
        compared(
            "unrelated sendmsg + recvmsg under supervision", "without supervision",
            "µs", Relation.AT_MOST_TIMES, 1.10, beside,
        ),
    ]  # fmt: skip
