"""Other processes that take part: a server, or a program that measures on demand."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO


@contextmanager
def process(main: Callable[[], object], cpus: Iterable[int] | None = None) -> Iterator[int]:
    """A child that runs ``main``, on ``cpus`` alone if they are given; killed at the end."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if cpus is not None:
                os.sched_setaffinity(0, cpus)
            main()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


class Asked:
    """A program that reads a number per line and answers with one: how long that many took."""

    def __init__(self, to: IO[str], from_: IO[str]) -> None:
        self._to = to
        self._from = from_

    def __call__(self, count: int) -> float:
        self._to.write(f"{count}\n")
        self._to.flush()
        answer = self._from.readline()
        if not answer:
            raise RuntimeError("the measuring program has ended")
        return float(answer)


@contextmanager
def asked(main: Callable[[], object]) -> Iterator[Asked]:
    """A child whose standard input and output are ours to talk to; ``main`` may exec."""
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()

    def child() -> None:
        os.dup2(in_read, 0)
        os.dup2(out_write, 1)
        for fd in (in_read, in_write, out_read, out_write):
            os.close(fd)
        main()

    with process(child):
        os.close(in_read)
        os.close(out_write)
        with os.fdopen(in_write, "w") as to, os.fdopen(out_read) as from_:
            yield Asked(to, from_)
