"""The options of an emulated kernel, as the factory and the marker take them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

if TYPE_CHECKING:
    from netlink_emu.kernel.genetlink import GenlFamily
    from netlink_emu.kernel.profile import KernelConfig

Tasks: TypeAlias = Iterable[str | Mapping[str, Any]] | str


class KernelOptions(TypedDict, total=False):
    """The keyword arguments of :class:`EmulatedKernel`, which has what they mean."""

    arch: str | None
    cpus: int | Iterable[int]
    tasks: Tasks
    uid: int
    delayacct: bool | None
    config: KernelConfig | None
    families: Iterable[GenlFamily]
    control: bool
    seed: int
    allow_unused: bool | str | Iterable[str]


class KernelDefaults(KernelOptions, total=False):
    """The same with the release: what the fixture netlink_emu_defaults returns."""

    release: str
