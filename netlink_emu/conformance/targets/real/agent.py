"""The loop of a task that carries out steps: a forked process, or a second thread in one."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any

from netlink_emu.conformance.cases import ops

from . import libc
from .calls import Calls, Request
from .channel import Channel, channel_pair


@dataclass(slots=True)
class Ready:
    """What a new task reports first."""

    tid: int


@dataclass(slots=True)
class NeedMaps:
    """A new task is in its user namespace, and waits for its ids to be mapped.

    By its parent: a task that maps its own has used a capability, which shows (ASU).
    """


@dataclass(slots=True)
class StartThread:
    """Start a second thread, reachable over pipes of its own."""

    comm: bytes
    cpu: int


@dataclass(slots=True)
class Pipes:
    """The descriptors by which the driver reaches a thread; it opens them in /proc/PID/fd."""

    read_fd: int
    write_fd: int


def serve(channel: Channel, calls: Calls) -> None:
    """Carry out what comes until the channel is closed or a step ends the task."""
    while True:
        try:
            message = channel.receive()
        except (EOFError, OSError):
            return
        if isinstance(message, StartThread):
            _start_thread(channel, message, calls)
            continue
        assert isinstance(message, Request)
        if isinstance(message.op, ops.Exit):
            end(message.op)
            return
        before = calls.foreign
        reply: Any
        try:
            reply = calls.execute(message), calls.foreign - before
        except Exception as exc:  # to be raised where the step was ordered
            reply = exc
        channel.send(reply)


def _start_thread(channel: Channel, start: StartThread, calls: Calls) -> None:
    ours, theirs = channel_pair()
    channel.send(Pipes(theirs.read_fd, theirs.write_fd))
    channel.receive()  # the driver has opened them
    theirs.close()
    threading.Thread(target=_thread, args=(ours, start, calls), daemon=True).start()


def _thread(channel: Channel, start: StartThread, calls: Calls) -> None:
    os.sched_setaffinity(0, {start.cpu})
    libc.set_comm(start.comm)
    channel.send(Ready(libc.gettid()))
    serve(channel, calls)
    os._exit(0)


def end(op: ops.Exit) -> None:
    """End the calling task in the way that the step says."""
    code = op.code or 0
    match op.how:
        case "exit_group":
            os._exit(code)
        case "exit_thread":
            libc.exit_thread(code)
        case "raise":
            number = op.signal or signal.SIGTERM
            with contextlib.suppress(OSError, ValueError):  # KILL; a thread other than the first
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            signal.pause()
        case "segv":
            libc.segfault()
        case "exec":
            argv = op.argv or ["/bin/true"]
            os.execv(argv[0], argv)
        case _:
            raise ValueError(f"no way to end: {op.how}")
