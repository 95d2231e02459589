"""What nlctrl reports about a family: its number, and its groups' numbers."""

from __future__ import annotations

from netlink_emu.cassettes.model import RecordedFamily
from netlink_emu.protocol.reading.decode import Message, walk


def told_family(message: Message) -> tuple[str, RecordedFamily] | None:
    """A family and its name, from a CTRL_CMD_NEWFAMILY; None for another message."""
    name, number = message.find("CTRL_ATTR_FAMILY_NAME"), message.find("CTRL_ATTR_FAMILY_ID")
    if message.cmd != "CTRL_CMD_NEWFAMILY" or name is None or number is None:
        return None
    groups: dict[str, int] = {}
    group = 0
    for attr in walk(message.attrs):
        if attr.name == "CTRL_ATTR_MCAST_GRP_ID":
            group = int(attr.value)
        elif attr.name == "CTRL_ATTR_MCAST_GRP_NAME":
            groups[str(attr.value)] = group
    return str(name.value), RecordedFamily(int(number.value), groups)
