"""What users may import. Taking a name away breaks their tests; a new one is listed here."""

from __future__ import annotations

from types import ModuleType

import pytest

import netlink_emu
from netlink_emu import testing

PUBLIC = {
    netlink_emu: ["EmulatedKernel", "KernelFactory", "__version__", "releases"],
    testing: [
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
    ],
}


@pytest.mark.parametrize("module", PUBLIC)
def test_what_can_be_imported(module: ModuleType) -> None:
    assert sorted(module.__all__) == PUBLIC[module]


@pytest.mark.parametrize(
    ("module", "name"), [(m, n) for m, names in PUBLIC.items() for n in names]
)
def test_each_is_there(module: ModuleType, name: str) -> None:
    found = getattr(module, name)
    assert name == "__version__" or found.__name__ == name


@pytest.mark.parametrize("module", PUBLIC)
def test_what_is_not_there(module: ModuleType) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        module.Nothing  # noqa: B018
