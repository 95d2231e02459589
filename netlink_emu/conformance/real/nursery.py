"""``python -m netlink_emu.conformance.real FD FD``: forks a driver for every case.

A process of its own, without threads and with few modules, so that forking is quick and safe.
The runner speaks to the nursery and to the driver over the same pair of pipes, in turns.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netlink_emu.conformance.case import Step

from . import libc
from .channel import Channel
from .driver import Driver
from .messages import LOCK_PATIENCE, Begin, End, ValueOf


def main(channel: Channel) -> None:
    """Serve until the runner closes its end."""
    with contextlib.suppress(EOFError):
        while True:
            message = channel.receive()
            assert isinstance(message, Begin)
            pid = os.fork()
            if not pid:
                try:
                    _drive(channel, message.family_id)
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)


@contextlib.contextmanager
def _machine_lock() -> Iterator[None]:
    """One case at a time on a machine: portids and exits are everybody's."""
    path = Path(tempfile.gettempdir(), "netlink-emu-conformance.lock")
    with path.open("a+b") as file:
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
        yield


def _drive(channel: Channel, family_id: int) -> None:
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
    channel.send(None)


def _answer(driver: Driver, message: Any) -> Any:
    try:
        if isinstance(message, Step):
            before = driver.foreign
            return driver.execute(message), driver.foreign - before
        assert isinstance(message, ValueOf)
        return driver.value_of(message.symbol, message.about)
    except Exception as exc:  # raised again by the runner
        return exc
