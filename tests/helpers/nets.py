"""How long tests wait for what must come: nets against hangs, which say nothing about pace.

A test that must pass on the busiest machine measures nothing and waits for what it needs. Only
what never comes meets these limits, so they are far above all that a slow machine takes.
pytest's own limit, ``timeout`` in pyproject.toml, lies above them: what waits here says what it
waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

SECONDS: Final = 300.0


def until(holds: Callable[[], object], what: str = "what was waited for") -> None:
    """Look again and again until something holds; fails when the net is reached."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(0.01)
