"""An emulated kernel for tests: :class:`EmulatedKernel`, and the pytest plugin around it.

Every pytest session in an environment with netlink-emu imports this module. So it imports
nothing else until it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netlink_emu.families.own import Family, Request
    from netlink_emu.protocol.errors import NetlinkError
    from netlink_emu.protocol.family import Attribute, AttributeSet, Enumeration, Member, Struct
    from netlink_emu.testing.errors import (
        EmulatorError,
        FamilyFailed,
        KernelClosed,
        NotUsed,
        TimeIsUp,
        WrongProcess,
    )
    from netlink_emu.testing.files import JournalTorn, open_journal
    from netlink_emu.testing.kernel import EmulatedKernel
    from netlink_emu.testing.unit import EmulatedKernelMixin

__all__ = [
    "Attribute",
    "AttributeSet",
    "EmulatedKernel",
    "EmulatedKernelMixin",
    "EmulatorError",
    "Enumeration",
    "Family",
    "FamilyFailed",
    "JournalTorn",
    "KernelClosed",
    "Member",
    "NetlinkError",
    "NotUsed",
    "Request",
    "Struct",
    "TimeIsUp",
    "WrongProcess",
    "open_journal",
]

_HOMES = {
    "Attribute": "netlink_emu.protocol.family",
    "AttributeSet": "netlink_emu.protocol.family",
    "Enumeration": "netlink_emu.protocol.family",
    "Family": "netlink_emu.families.own",
    "FamilyFailed": "netlink_emu.testing.errors",
    "Member": "netlink_emu.protocol.family",
    "NetlinkError": "netlink_emu.protocol.errors",
    "Request": "netlink_emu.families.own",
    "Struct": "netlink_emu.protocol.family",
    "EmulatedKernel": "netlink_emu.testing.kernel",
    "EmulatedKernelMixin": "netlink_emu.testing.unit",
    "EmulatorError": "netlink_emu.testing.errors",
    "KernelClosed": "netlink_emu.testing.errors",
    "NotUsed": "netlink_emu.testing.errors",
    "WrongProcess": "netlink_emu.testing.errors",
    "JournalTorn": "netlink_emu.testing.files",
    "TimeIsUp": "netlink_emu.testing.errors",
    "open_journal": "netlink_emu.testing.files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
