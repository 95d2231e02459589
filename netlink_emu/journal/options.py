"""Socket options by name, as UAPI headers have them."""

from __future__ import annotations

from typing import Final, Literal

from netlink_emu.kernel import sock, sock_rare
from netlink_emu.protocol.netlink import SOL_NETLINK, SOL_SOCKET, NetlinkSockOpt

# Those that decide something in the emulated kernel, and what stands in the way of an answer.
_SOCKET: Final = {
    2: "SO_REUSEADDR",
    5: "SO_DONTROUTE",
    6: "SO_BROADCAST",
    9: "SO_KEEPALIVE",
    40: "SO_RXQ_OVFL",
} | {
    number: name
    for module in (sock, sock_rare)
    for name, number in vars(module).items()
    if name.startswith("SO_") and isinstance(number, int)
}


def option_name(level: int, optname: int) -> str:
    """``NETLINK_EXT_ACK``, ``SO_RCVBUF``; else "option 99 of level 270"."""
    if level == SOL_SOCKET and optname in _SOCKET:
        return _SOCKET[optname]
    if level == SOL_NETLINK and optname in [*NetlinkSockOpt]:
        return NetlinkSockOpt(optname).name
    return f"option {optname} of level {level}"


def option_value(name: str, value: bytes, order: Literal["little", "big"]) -> float | bytes:
    """An int, a struct timeval in seconds, else the bytes."""
    if name.startswith(("SO_RCVTIMEO", "SO_SNDTIMEO")) and len(value) >= 16:
        seconds, micro = (
            int.from_bytes(value[at : at + 8], order, signed=True) for at in range(0, 16, 8)
        )
        return seconds + micro / 1_000_000
    return int.from_bytes(value, order, signed=True) if len(value) == 4 else value
