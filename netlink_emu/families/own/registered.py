"""Your own families in a kernel, by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from netlink_emu.families.own.answers import Answers

if TYPE_CHECKING:
    from netlink_emu.families.own.family import Family
    from netlink_emu.kernel.kernel import Kernel


class UnknownFamily(KeyError):
    """No family of this name was added to the kernel."""

    def __str__(self) -> str:
        return str(self.args[0])


class Families(Mapping[str, "Family"]):
    """The families that were added to a kernel: by ``families``, ``--family`` or a scenario.

    Raises UnknownFamily, a KeyError, for another name, and suggests the nearest one.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel: Final = kernel

    def __repr__(self) -> str:
        return f"<families {', '.join(self) or 'none'}>"

    def __getitem__(self, name: str) -> Family:
        genl = self._kernel.genl.by_name(name)
        if genl is not None and isinstance(genl.module, Answers):
            family: Family = genl.module  # type: ignore[assignment] # Answers is its base alone
            return family
        close = difflib.get_close_matches(name, [*self], 3)
        hint = f", did you mean {' or '.join(close)}?" if close else _known([*self])
        raise UnknownFamily(f"no family {name!r} was added to this kernel{hint}")

    def __iter__(self) -> Iterator[str]:
        for genl in self._kernel.genl.families.values():
            if isinstance(genl.module, Answers):
                yield genl.name

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _known(names: list[str]) -> str:
    return f"; it has {', '.join(names)}" if names else ": --family and families add some"
