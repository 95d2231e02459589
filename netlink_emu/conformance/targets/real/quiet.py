"""Waiting for a quiet moment on a machine whose other tasks end, too."""

from __future__ import annotations

import time

_STEP = 0.02  # seconds
_LONGEST = 0.5


def wait_for_quiet(attempt: int) -> None:
    """Pause after a try that others disturbed, the ``attempt``-th from 1: ever longer.

    Others' exits come in bursts: a compiler's, or another test suite's. Thirty tries in a row
    can all meet the same one; with the pauses they take ten seconds.
    """
    time.sleep(min(_STEP * attempt, _LONGEST))
