"""Becoming another user, in a child of the test."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Final

import pytest

NOBODY: Final = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


def as_nobody(function: Callable[[], object]) -> str:
    """What ``function`` gives as text in a child that is uid and gid 65534, or its OSError."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads; the child needs none
        pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            try:
                said = str(function())
            except OSError as exc:
                said = exc.strerror or str(exc)
            os.write(writer, said.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as file:
        said = file.read()
    os.waitpid(pid, 0)
    return said
