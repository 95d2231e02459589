"""The head of a cassette that is recorded on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence

from netlink_emu.cassettes import Head
from netlink_emu.host.families import families_here
from netlink_emu.host.release import release_number


def head_here(recorder: str, command: Sequence[str] = ()) -> Head:
    """Its kernel by mainline's number, which the table of releases knows; and its families.

    ``recorder`` is the version of netlink-emu.
    """
    return Head(release_number(), os.uname().machine, recorder, tuple(command), families_here())
