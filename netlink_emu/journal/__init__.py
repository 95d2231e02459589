"""The journal: what clients and the emulated kernel said to each other, and what became of it.

Pure: entries are collected in memory and rendered as text, JSON or pcapng. Files are opened by
:mod:`netlink_emu.testing.files`.
"""

from __future__ import annotations

from netlink_emu.journal.entries import Entry, MessageKind
from netlink_emu.journal.journal import Journal
from netlink_emu.journal.match import Match, UnknownName

__all__ = ["Entry", "Journal", "Match", "MessageKind", "UnknownName"]
