"""What each capability means to a client, in a sentence for each value.

``netlink-emu releases`` and docs/releases.md are made of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from netlink_emu.eras.text_netlink import NETLINK_WORDS
from netlink_emu.eras.text_sockets import SOCKET_WORDS
from netlink_emu.eras.text_taskstats import TASKSTATS_WORDS
from netlink_emu.eras.words import Area, Words

__all__ = ["WORDS", "Area", "Words"]

WORDS: Final[Mapping[str, Words]] = {**TASKSTATS_WORDS, **NETLINK_WORDS, **SOCKET_WORDS}
