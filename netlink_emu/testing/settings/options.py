"""The options of an emulated kernel, as the factory and the marker take them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    import os

    from netlink_emu.cassettes import Cassette
    from netlink_emu.families.own import Family
    from netlink_emu.kernel.genetlink import GenlFamily
    from netlink_emu.kernel.profile import KernelConfig

Argv: TypeAlias = "Sequence[str | os.PathLike[str]]"
Tasks: TypeAlias = Iterable[str | Mapping[str, Any]] | str


RecordMode: TypeAlias = Literal["none", "once", "new_episodes", "all"]


class KernelOptions(TypedDict, total=False):
    """The keyword arguments of :class:`EmulatedKernel`, which explains them."""

    arch: str | None
    cpus: int | Iterable[int]
    tasks: Tasks
    uid: int
    delayacct: bool | None
    config: KernelConfig | None
    families: Iterable[GenlFamily | Family]
    control: bool
    seed: int
    allow_unused: bool | str | Iterable[str]
    cassette: Cassette | str | os.PathLike[str] | None
    record: RecordMode
    ignore: str | Iterable[str]
    repeat: bool
    news: Literal["at-once", "emit", "clock"]
    patience: float


class PopenOptions(TypedDict, total=False):
    """The keyword arguments of :meth:`EmulatedKernel.popen`, which explains them."""

    env: Mapping[str, str] | None
    cwd: str | os.PathLike[str] | None
    stdin: int | None
    allow_io_uring: bool


class RunOptions(PopenOptions, total=False):
    """The keyword arguments of :meth:`EmulatedKernel.run`, which explains them."""

    input: bytes | str | None
    timeout: float
    require_use: bool


class KernelDefaults(KernelOptions, total=False):
    """The same with the release: what the fixture netlink_emu_defaults returns."""

    release: str
