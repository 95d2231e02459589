"""Cases that cannot hold in an emulator, for reasons of principle: ``not_emulated.txt``.

One line each, ``name: reason``, where the name may be that in one recording,
``5.10.262-amd64/name``; empty lines and lines that begin with # say nothing.
"""

from __future__ import annotations

import importlib.resources


def not_emulated() -> dict[str, str]:
    """The names of the cases that are left out on the emulator, with the reason."""
    text = importlib.resources.files(__package__).joinpath("not_emulated.txt").read_text("utf-8")
    return parse(text)


def parse(text: str) -> dict[str, str]:
    """The list; raises ValueError for a line without a reason."""
    found = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, reason = line.partition(":")
        if not colon or not reason.strip():
            raise ValueError(f"no reason is given in {line!r}")
        found[name.strip()] = reason.strip()
    return found
