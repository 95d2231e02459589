"""What children do with signals."""

from __future__ import annotations

import signal
from types import FrameType


def let_children_hear_signals() -> None:
    """Have no child ignore SIGHUP, SIGINT or SIGQUIT because this process does.

    It may have been started by nohup, or in the background of a shell. exec() passes on what is
    ignored, and not what has a handler; to us nothing changes.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _nothing)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    return
