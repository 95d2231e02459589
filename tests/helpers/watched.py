"""A terminal in which ``netlink-emu watch`` runs, and what it leaves there."""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from helpers.interposed import NETLINK_EMU
from helpers.messages import get, receive, register
from helpers.nets import until
from helpers.tmux import Tmux

from netlink_emu.testing import EmulatedKernel

WATCH = " ".join([*NETLINK_EMU, "watch"])
NUMBERS = itertools.count()
Open = Callable[..., Tmux]


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", cpus=4, control=True) as kernel:
        kernel.tasks.spawn("nginx", pid=4201, cpu=3)
        sock = kernel.connect()
        sock.send(register("0-2"))
        receive(sock)
        sock.send(get(99))
        receive(sock)
        yield kernel


@pytest.fixture
def terminal() -> Iterator[Open]:
    with ExitStack() as stack:

        def open_one(width: int = 80, height: int = 24, **env: str) -> Tmux:
            variables = {"LANG": "C.UTF-8", "PYTHONPATH": os.pathsep.join(sys.path), **env}
            return stack.enter_context(Tmux(width, height, variables))

        yield open_one


@pytest.fixture
def watch(kernel: EmulatedKernel, terminal: Open) -> Open:
    """Watches the kernel; the shell then says how that ended."""

    def start(*args: int, **env: str) -> Tmux:
        shown = terminal(*args, **env)
        shown.run(f"{WATCH} {kernel.path}; echo status:$?:")
        shown.until("Messages")
        return shown

    return start


def ended(shown: Tmux) -> tuple[int, str]:
    """The status, when the view is left, and the screen then."""
    screen = shown.until(r"status:\d+:")
    found = re.search(r"status:(\d+):", screen)
    assert found is not None
    return int(found[1]), screen


def modes(shown: Tmux) -> str:
    """The modes of the terminal, as stty has them in one word."""
    tag = f"modes{next(NUMBERS)}"  # not those of an earlier call, which may be in sight
    shown.run(f"echo {tag}:$(stty -g):")
    found = re.search(rf"^{tag}:(\S+):", shown.until(rf"^{tag}:\S+:"), re.MULTILINE)
    assert found is not None
    return found[1]


def with_term() -> dict[str, str]:
    return {**os.environ, "TERM": "xterm", "LANG": "C.UTF-8"}


def until_gone(pid: int) -> None:
    until(lambda: not Path(f"/proc/{pid}").exists(), f"the end of {pid}")
