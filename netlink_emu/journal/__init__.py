"""The journal: the messages between clients and the emulated kernel, and what happened to them.

This package does no I/O: it collects entries in memory and renders them as text, JSON or pcapng.
:mod:`netlink_emu.testing.files` opens the files.
"""

from __future__ import annotations

from netlink_emu.journal.entries import Entry, MessageKind
from netlink_emu.journal.journal import Journal
from netlink_emu.journal.match import Match, UnknownName

__all__ = ["Entry", "Journal", "Match", "MessageKind", "UnknownName"]
