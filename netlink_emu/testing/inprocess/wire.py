"""What helper and test process say to each other, pickled: both are ours.

The helper calls or tells a socket's method, by the socket's number; a call is returned from. The
test process pushes what arrives at a socket, before it returns from the call that caused it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netlink_emu.kernel.profile import KernelConfig


@dataclass(frozen=True, slots=True)
class Start:
    """To the helper, with the listener and the wire: whom to supervise, in which kernel."""

    release: str
    arch: str
    config: KernelConfig
    high: int


@dataclass(frozen=True, slots=True)
class Call:
    """``method`` of the socket ``sock`` (0: there is none yet) by the thread ``tid``.

    ``answered`` False is for what needs no answer, and must not wait for one.
    """

    sock: int
    method: str
    args: tuple[Any, ...]
    tid: int = 0
    answered: bool = True


@dataclass(frozen=True, slots=True)
class State:
    """What a call may have changed of a socket."""

    portid: int
    bound: bool
    groups: int
    groups_allocated: bool
    connected: bool
    dst_portid: int
    dst_group: int
    dumping: bool


@dataclass(frozen=True, slots=True)
class Returned:
    """How a call ended: a value, or an errno."""

    value: Any
    errno: int
    state: State | None


@dataclass(frozen=True, slots=True)
class Arrived:
    """A datagram lies in a socket's queue."""

    sock: int
    data: bytes
    portid: int
    dst_group: int


@dataclass(frozen=True, slots=True)
class Failed:
    """An error is pending at a socket."""

    sock: int
    errno: int


Message = Call | Returned | Arrived | Failed
