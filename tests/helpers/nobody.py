"""Becoming another user, in a child of the test."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

NOBODY: Final = 65534
AS_NOBODY: Final = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


@functools.cache
def closed_to_others() -> Path | None:
    """The directory above the checkout or its interpreter that keeps others out, if one does.

    A home of mode 700, for instance.
    """
    interpreter = Path(sys.executable)
    for path in (Path(__file__).absolute(), interpreter.absolute(), interpreter.resolve()):
        for directory in path.parents:
            if not directory.stat().st_mode & 0o001:
                return directory
    return None


def skip_where_closed(prefix: Sequence[str | os.PathLike[str]]) -> None:
    """Skip a test that runs us as somebody else who cannot read us."""
    if str(NOBODY) in prefix and (closed := closed_to_others()) is not None:
        pytest.skip(f"{closed} is closed to others: nobody else can run this checkout")


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
