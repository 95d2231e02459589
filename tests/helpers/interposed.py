"""Clients under the interposer: in this process's loop, or by the command line."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import trio
from helpers.nets import SECONDS
from helpers.nobody import skip_where_closed

from netlink_emu.families import BootedKernel, boot
from netlink_emu.interpose.abi import native
from netlink_emu.interpose.client import fds
from netlink_emu.interpose.client.clients import CredentialPolicy
from netlink_emu.interpose.doctor import examine
from netlink_emu.interpose.filter.bpf_filter import build_filter
from netlink_emu.interpose.launch import launch
from netlink_emu.interpose.summary import Summary
from netlink_emu.interpose.supervisor import Supervisor
from netlink_emu.machine.machine import Machine

Compile = Callable[..., Path]
NETLINK_EMU: Final = (sys.executable, "-m", "netlink_emu.cli.main")


@functools.cache
def what_is_missing() -> str:
    """Why nothing can be interposed here; empty if it can."""
    missing = [f.name for f in examine() if f.required and not f.works]
    return ", ".join(missing)


needs_interposer = pytest.mark.skipif(
    bool(what_is_missing()), reason=f"no interposer here: {what_is_missing()}"
)


def compile_c(source: Path, into: Path, *options: str) -> Path:
    """Build a C program, or skip the test where that cannot be."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    program = into / source.stem
    # Without warnings: the programs hand nonsense to the kernel on purpose.
    command = [compiler, "-O1", "-w", "-o", str(program), str(source), "-lpthread", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stderr)
    return program


@dataclass(frozen=True)
class Result:
    """How a client ended."""

    stdout: str
    stderr: str
    returncode: int
    summary: Summary


def run_supervised(
    command: Sequence[str | os.PathLike[str]],
    kernel: BootedKernel | None = None,
    *,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    credentials: CredentialPolicy | None = None,
    allow_io_uring: bool = False,
    meanwhile: Callable[[Supervisor, subprocess.Popen[str]], None] | None = None,
    native_waits: bool = False,
) -> Result:
    """Run a client under a supervisor in this thread, to the end of all that it starts."""
    if kernel is None:
        kernel = boot(Machine(cpus=2))
    high = fds.choose_high(fds.open_files_limit())
    program = build_filter(native(), high=high, allow_io_uring=allow_io_uring)

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    launched = launch(program, start)
    client = launched.value
    supervisor = Supervisor(
        kernel,
        launched.listener,
        high=high,
        credentials=credentials,
        pending=launched.pending,
        native_waits=native_waits,
    )
    output: list[str] = []

    async def communicate() -> None:
        output.extend(await trio.to_thread.run_sync(client.communicate, stdin))

    async def main() -> None:
        with trio.fail_after(SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(communicate)
                if meanwhile is not None:
                    nursery.start_soon(trio.to_thread.run_sync, meanwhile, supervisor, client)
                await supervisor.run()

    try:
        trio.run(main)
    finally:
        client.kill()
    return Result(output[0], output[1], client.returncode, supervisor.summary)


def netlink_emu(
    *arguments: str | os.PathLike[str],
    prefix: Sequence[str] = (),
    ours: Sequence[str] = NETLINK_EMU,
    **options: object,
) -> subprocess.CompletedProcess[str]:
    """Run ``netlink-emu`` with these arguments; ``prefix`` is a command before it."""
    skip_where_closed(prefix)
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [*prefix, *ours, *arguments],
        **{"capture_output": True, "text": True, "timeout": SECONDS, "check": False} | options,
    )


def emulated(
    *command: str | os.PathLike[str],
    options: Sequence[str] = (),
    prefix: Sequence[str] = (),
    ours: Sequence[str] = NETLINK_EMU,
) -> subprocess.CompletedProcess[str]:
    """``netlink-emu run`` with this command."""
    return netlink_emu("run", *options, "--", *command, prefix=prefix, ours=ours)
