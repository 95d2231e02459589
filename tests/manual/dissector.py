"""The dissector for Wireshark of the families that come with netlink-emu."""

from __future__ import annotations

from typing import Final

from netlink_emu.files import path_of
from netlink_emu.protocol.ours.control import NETLINK_EMU
from netlink_emu.protocol.reading.describe import NLCTRL, TASKSTATS
from netlink_emu.specs.wireshark import dissector

LUA: Final = path_of("netlink_emu.lua")


def lua() -> str:
    """The script."""
    return dissector([NLCTRL, TASKSTATS, NETLINK_EMU])
