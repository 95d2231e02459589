"""Generic netlink families of the host's kernel."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Final

from netlink_emu.cassettes.model import RecordedFamily
from netlink_emu.cassettes.recording.families import told_family
from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.genetlink import GENL_ID_CTRL, CtrlAttr, CtrlCmd, genl_request
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLM_F_DUMP,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSGHDR,
)
from netlink_emu.protocol.reading.decode import Decoder, Message, walk

_SECONDS: Final = 5.0
_CTRL_VERSION: Final = 2


def host_has_family(name: str) -> bool:
    """Whether the host's kernel has a family; False where it cannot be asked."""
    attrs = AttrWriter(HOST_ORDER)
    attrs.put_string(CtrlAttr.CTRL_ATTR_FAMILY_NAME, name)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
            sock.settimeout(_SECONDS)
            cmd = CtrlCmd.CTRL_CMD_GETFAMILY
            sock.sendto(genl_request(HOST_ORDER, GENL_ID_CTRL, cmd, bytes(attrs.data)), (0, 0))
            answer = sock.recv(1 << 16)
    except (OSError, UnicodeError):
        return False
    return len(answer) >= NLMSG_HDRLEN and (
        NLMSGHDR[HOST_ORDER].decode(answer).nlmsg_type == GENL_ID_CTRL
    )


def families_here() -> dict[str, RecordedFamily]:
    """Asks the kernel; empty where it does not answer."""
    try:
        return dict(family for message in _dump() if (family := told_family(message)))
    except OSError:
        return {}


def commands_here() -> dict[str, dict[int, int]]:
    """The flags of each family's commands; empty where the kernel does not answer."""
    found = {}
    try:
        for message in _dump():
            name = message.find("CTRL_ATTR_FAMILY_NAME")
            if name is not None:
                found[str(name.value)] = _commands(message)
    except OSError:
        return {}
    return found


def _commands(message: Message) -> dict[int, int]:
    commands: dict[int, int] = {}
    number = 0
    for attr in walk(message.attrs):
        if attr.name == "CTRL_ATTR_OP_ID":
            number = int(attr.value)
        elif attr.name == "CTRL_ATTR_OP_FLAGS":
            commands[number] = int(attr.value)
    return commands


def _dump() -> Iterator[Message]:
    cmd = CtrlCmd.CTRL_CMD_GETFAMILY
    request = genl_request(HOST_ORDER, GENL_ID_CTRL, cmd, version=_CTRL_VERSION, flags=NLM_F_DUMP)
    decoder = Decoder(HOST_ORDER)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
        sock.settimeout(_SECONDS)
        sock.send(request)
        while True:
            for message in decoder.datagram(sock.recv(1 << 16)):
                if message.header.nlmsg_type in (NLMSG_DONE, NLMSG_ERROR):
                    return
                yield message
