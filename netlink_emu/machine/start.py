"""When a scenario begins: a word that files and options share, and costs nothing to import."""

from __future__ import annotations

import enum


class Start(enum.StrEnum):
    """What time 0 of a scenario is."""

    LISTENER = "listener"  # a client has first registered for exits
    CLIENT = "client"  # that, or one asks for statistics first
    BOOT = "boot"  # the kernel has booted
