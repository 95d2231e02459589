"""An emulated kernel for tests: :class:`EmulatedKernel`, and the pytest plugin around it.

Imported by every pytest session in an environment that has netlink-emu, so that nothing is
imported here before it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netlink_emu.testing.errors import (
        EmulatorError,
        KernelClosed,
        NotUsed,
        TimeIsUp,
        WrongProcess,
    )
    from netlink_emu.testing.files import JournalTorn, open_journal
    from netlink_emu.testing.kernel import EmulatedKernel
    from netlink_emu.testing.unit import EmulatedKernelMixin

__all__ = [
    "EmulatedKernel",
    "EmulatedKernelMixin",
    "EmulatorError",
    "JournalTorn",
    "KernelClosed",
    "NotUsed",
    "TimeIsUp",
    "WrongProcess",
    "open_journal",
]

_HOMES = {
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
