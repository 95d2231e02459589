"""One at a time on the whole machine: for what belongs to the machine, and not to a test."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from helpers.nets import SECONDS


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Keep other runs of the suite away from ``what``; skip the test if one does not end with it.

    The lock is an abstract Unix socket's name: it needs no directory that all users and
    containers can write to, and the kernel frees it whatever becomes of us.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        end = time.monotonic() + SECONDS
        while not _bound(lock, f"\0netlink-emu tests: {what}"):
            if time.monotonic() > end:
                pytest.skip(f"another run of the suite does not let go of {what}")
            time.sleep(0.1)
        yield


def _bound(sock: socket.socket, name: str) -> bool:
    try:
        sock.bind(name)
    except OSError as exc:
        if exc.errno != errno.EADDRINUSE:
            raise
        return False
    return True
