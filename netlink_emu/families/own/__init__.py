"""Your own families: declared by names, answered by Python functions."""

from netlink_emu.families.own.family import Family
from netlink_emu.families.own.request import Request

__all__ = ["Family", "Request"]
