"""How long tests wait for what must come: nets against hangs, which say nothing about pace.

A test that must pass on the busiest machine measures nothing and waits for what it needs. Only
what never comes meets these limits, so they are far above all that a slow machine takes.
pytest's own limit, ``timeout`` in pyproject.toml, lies above them: what waits here says what it
waited for.
"""

from __future__ import annotations

from typing import Final

SECONDS: Final = 300.0
