"""Starting a test's client under the interposer."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import AnyStr

from netlink_emu.families import BootedKernel
from netlink_emu.interpose.abi import native
from netlink_emu.interpose.client import fds
from netlink_emu.interpose.client.access import need_access
from netlink_emu.interpose.filter.bpf_filter import build_filter
from netlink_emu.interpose.launch import launch
from netlink_emu.interpose.supervisor import Supervisor
from netlink_emu.machine.credentials import Cred
from netlink_emu.testing.process import ClientProcess


def start_interposed(
    kernel: BootedKernel,
    argv: Sequence[str],
    *,
    cred: Cred,
    ended: Callable[[], None],
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
    stdin: int | None,
    allow_io_uring: bool,
    kind: type[AnyStr],
) -> tuple[ClientProcess[AnyStr], Supervisor]:
    """Start a program under the filter; its calls stop until the supervisor runs."""
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
    supervisor = Supervisor(
        kernel,
        launched.listener,
        high=high,
        credentials=lambda _tid: cred,
        pending=launched.pending,
    )
    client = ClientProcess(
        launched.value, argv, supervisor.summary, ended, leads_group=leads_group, kind=kind
    )
    return client, supervisor
