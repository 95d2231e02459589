"""The family NETLINK_EMU: an emulated kernel is controlled over netlink itself.

``Control(kernel, journal, faults)`` registers it; :mod:`netlink_emu.protocol.ours.control`
declares it, and netlink_emu/files/netlink_emu.yaml describes it to others.
"""

from __future__ import annotations

from netlink_emu.families.control.control import Control

__all__ = ["Control"]
