"""``python -m netlink_emu.conformance.targets.real FD FD``: forks a driver for every case.

A process of its own, without threads and with few modules, so that forking is quick and safe.
The runner speaks to the nursery and to the driver over the same pair of pipes, in turns.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import time
from collections.abc import Iterator
from typing import Any

from netlink_emu.conformance.cases.case import Step

from . import libc
from .channel import Channel
from .driver import Driver
from .messages import LOCK_PATIENCE, Begin, End, ValueOf


def main(channel: Channel) -> None:
    """Serve until the runner closes its end."""
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            message = channel.receive()
            assert isinstance(message, Begin)
            pid = os.fork()
            if not pid:
                registered = 0
                try:
                    registered = _drive(channel, message.family_id)
                finally:
                    os._exit(registered)
            _, status = os.waitpid(pid, 0)
            if status:
                _prune()
            channel.send(None)


@contextlib.contextmanager
def _machine_lock() -> Iterator[None]:
    """One case at a time on a machine, whoever runs it: portids and exits are everybody's.

    An abstract name is the lock, for a file of another user's in /tmp cannot be opened.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                lock.bind("\0netlink-emu conformance")
                break
            except OSError as exc:
                if exc.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
        yield


def _prune() -> None:
    """Let a task end on each CPU, so that the kernel forgets listeners whose sockets are gone.

    Otherwise whoever binds their portid before the next exit there would inherit them.
    """
    for cpu in os.sched_getaffinity(0):
        pid = os.fork()
        if not pid:
            try:
                os.sched_setaffinity(0, {cpu})
            finally:
                os._exit(0)
        os.waitpid(pid, 0)


def _drive(channel: Channel, family_id: int) -> int:
    """Serve the runner for one case; 1 if listeners may be left."""
    libc.set_comm(b"main")
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    driver = Driver(family_id)
    with _machine_lock():
        channel.send(None)
        try:
            while not isinstance(message := channel.receive(), End):
                channel.send(_answer(driver, message))
        except EOFError:
            pass
        finally:
            driver.close()
    return int(driver.registered)


def _answer(driver: Driver, message: Any) -> Any:
    try:
        if isinstance(message, Step):
            before = driver.foreign
            return driver.execute(message), driver.foreign - before
        assert isinstance(message, ValueOf)
        return driver.value_of(message.symbol, message.about)
    except Exception as exc:  # raised again by the runner
        return exc
