"""Signals that end a command in order, whenever they come and however often."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """``signals`` are those that end us; ``noted`` came while nobody else waited for them."""

    def __init__(self, *also: signal.Signals) -> None:
        # Under nohup(1) SIGHUP is ignored, and stays so. Shells ignore SIGINT for what they
        # start in the background, who can still be asked by it.
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        ours = (*_ENDING, *also)
        self.signals: Final = [n for n in ours if n is not signal.SIGHUP or not ignored]
        self.noted: Final[list[int]] = []


@contextmanager
def ending(*also: signal.Signals) -> Iterator[Ending]:
    """Note the signals that end a command, instead of ending at once, with things half done.

    They are SIGINT, SIGTERM and SIGHUP, and those that are named.

    Whoever then waits for them must look at what was noted before. Once one of them has come,
    others change nothing, to the end of the process.
    """
    end = Ending(*also)
    before = {number: signal.getsignal(number) for number in end.signals}
    for number in end.signals:
        signal.signal(number, lambda number, _frame: end.noted.append(number))
    try:
        yield end
    finally:
        if end.noted:
            # Python gives the handlers back before it is at its own end.
            signal.pthread_sigmask(signal.SIG_BLOCK, end.signals)
        else:
            for number, handler in before.items():
                signal.signal(number, handler)
