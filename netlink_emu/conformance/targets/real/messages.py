"""What the runner says to the nursery and to the driver that it forked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netlink_emu.conformance.cases.masked import Symbol
from netlink_emu.conformance.targets.target import About

LOCK_PATIENCE: Final = 600.0  # seconds: another run of all cases may be under way


@dataclass(slots=True)
class Begin:
    """Fork a driver; it answers what follows, and goes at :class:`End`."""

    family_id: int


@dataclass(slots=True)
class End:
    """The case is over."""


@dataclass(slots=True)
class ValueOf:
    symbol: Symbol
    about: About
