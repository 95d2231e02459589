"""A kernel's netlink, in user space, for people who write netlink clients.

Import ``EmulatedKernel``, ``KernelFactory`` and ``releases`` from here. Their dependencies are
imported only when you use one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netlink_emu.kernel.releases import releases
    from netlink_emu.testing.factory import KernelFactory
    from netlink_emu.testing.kernel import EmulatedKernel

__version__ = "0.1.0"
__all__ = ["EmulatedKernel", "KernelFactory", "__version__", "releases"]

_HOMES = {
    "EmulatedKernel": "netlink_emu.testing.kernel",
    "KernelFactory": "netlink_emu.testing.factory",
    "releases": "netlink_emu.kernel.releases",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
