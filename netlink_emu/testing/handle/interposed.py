"""Starting a test's client under the interposer."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, AnyStr, TypeVar

from netlink_emu.families import BootedKernel
from netlink_emu.interpose.abi import native
from netlink_emu.interpose.client import fds
from netlink_emu.interpose.client.access import need_access
from netlink_emu.interpose.filter.bpf_filter import build_filter
from netlink_emu.interpose.launch import Launched, launch
from netlink_emu.interpose.loop import CallLoop
from netlink_emu.interpose.supervisor import Supervisor
from netlink_emu.machine.credentials import Cred
from netlink_emu.testing.process import ClientProcess

if TYPE_CHECKING:
    from netlink_emu.cassettes.recording.recording import Recording
    from netlink_emu.interpose.recording.recorder import Recorder

Loop = TypeVar("Loop", bound=CallLoop)


# Makes who answers the calls of a listener, whose filter was built with this threshold.
Answering = Callable[[Launched[Any], int], Loop]


def emulated(kernel: BootedKernel, cred: Cred) -> Answering[Supervisor]:
    """Who answers is the kernel, to clients of these credentials."""

    def answering(launched: Launched[Any], high: int) -> Supervisor:
        return Supervisor(
            kernel,
            launched.listener,
            high=high,
            credentials=lambda _tid: cred,
            pending=launched.pending,
        )

    return answering


def recorded(recording: Recording) -> Answering[Recorder]:
    """Who answers is the host's kernel, and ``recording`` learns of it."""
    from netlink_emu.interpose.recording.recorder import Recorder

    def answering(launched: Launched[Any], high: int) -> Recorder:
        return Recorder(recording, launched.listener, high=high, pending=launched.pending)

    return answering


def start_interposed(
    argv: Sequence[str],
    answering: Answering[Loop],
    *,
    ended: Callable[[], None],
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
    stdin: int | None,
    allow_io_uring: bool,
    kind: type[AnyStr],
) -> tuple[ClientProcess[AnyStr], Loop]:
    """Start a program under the filter; its calls stop until the loop runs that answers."""
    need_access()
    high = fds.choose_high(fds.open_files_limit())
    program = build_filter(native(), high=high, allow_io_uring=allow_io_uring)
    # What it starts ends with it: see ClientProcess.end(). Who shares our terminal stays in our
    # group, for others may not read from it.
    leads_group = stdin is not None

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv,
            env=env,
            cwd=cwd,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0 if leads_group else None,
        )

    launched = launch(program, start)
    loop = answering(launched, high)
    client = ClientProcess(
        launched.value, argv, loop.summary, ended, leads_group=leads_group, kind=kind
    )
    return client, loop
