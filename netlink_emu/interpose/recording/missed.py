"""What clients did on their sockets and no recorder saw, in words for the user."""

from __future__ import annotations

from collections.abc import Iterator

from netlink_emu.cassettes.recording.recording import Recording
from netlink_emu.interpose.summary import Summary


def missed(recording: Recording, unseen: int, summary: Summary) -> Iterator[str]:
    """Each with how many; ``unseen`` is a recorder's."""
    for number, what in (
        (unseen, "sockets in network namespaces that we may not enter: run as root"),
        (summary.foreign, "sockets of programs of another ABI (i386, x32, 32-bit arm)"),
        (
            summary.sealed,
            "calls of clients that may not be looked into (not dumpable): run as root",
        ),
        (summary.failures.total(), "calls of which netlink-emu could not take note"),
        (
            recording.unheard,
            "sockets on which an answer was due: none was read, or by a descriptor that dup2 made",
        ),
    ):
        if number:
            yield f"{number} {what}"
