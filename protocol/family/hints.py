"""Bytes and numbers that read better as text: display hints of the specs."""

from __future__ import annotations

import ipaddress
import uuid


def shown(payload: bytes, hint: str) -> str | None:
    """The text of a payload; None where it has not the size that the hint is about."""
    size = len(payload)
    if hint == "hex":
        return payload.hex()
    if hint in ("mac", "fddi"):
        return payload.hex(":") if payload else None
    if hint in ("ipv4", "ipv4-or-v6") and size == 4:
        return str(ipaddress.IPv4Address(payload))
    if hint in ("ipv6", "ipv4-or-v6") and size == 16:
        return str(ipaddress.IPv6Address(payload))
    if hint == "uuid" and size == 16:
        return str(uuid.UUID(bytes=payload))
    return None


def unshown(text: str, hint: str) -> bytes:
    """The payload of a text; raises ValueError where it is none."""
    if hint == "hex":
        return bytes.fromhex(text)
    if hint in ("mac", "fddi"):
        return bytes.fromhex(text.replace(":", "").replace("-", ""))
    if hint == "uuid":
        return uuid.UUID(text).bytes
    address = ipaddress.ip_address(text)
    if (hint, address.version) in (("ipv4", 6), ("ipv6", 4)):
        raise ValueError(f"{text} is not an {hint} address")
    return address.packed
