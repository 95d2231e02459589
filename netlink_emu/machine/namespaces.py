"""User, pid and network namespaces, as far as they show over netlink."""

from __future__ import annotations

import itertools
from collections.abc import Container
from typing import Final


class UserNamespace:
    """A user namespace; capabilities are held in one and reach into those below.

    Ids of the parent map to themselves in the initial one; a child maps nothing unless ``uids``
    and ``gids`` say so ({id in the parent: id here}), and unmapped ids show as 65534.
    """

    def __init__(
        self,
        parent: UserNamespace | None = None,
        *,
        uids: dict[int, int] | None = None,
        gids: dict[int, int] | None = None,
    ) -> None:
        self.parent: Final = parent
        self._uids = uids or {}
        self._gids = gids or {}

    @property
    def is_init(self) -> bool:
        return self.parent is None

    def contains(self, other: UserNamespace) -> bool:
        """Whether ``other`` is this namespace or lies below it."""
        below: UserNamespace | None = other
        while below is not None:
            if below is self:
                return True
            below = below.parent
        return False

    def from_kuid(self, uid: int) -> int:
        """from_kuid_munged(): the global ``uid`` as seen here."""
        return uid if self.parent is None else self._munged(uid, "_uids")

    def from_kgid(self, gid: int) -> int:
        """from_kgid_munged(): the global ``gid`` as seen here."""
        return gid if self.parent is None else self._munged(gid, "_gids")

    def make_kuid(self, uid: int) -> int | None:
        """make_kuid(): the global id that is numbered ``uid`` here; None if there is none."""
        return self._made(uid, "_uids")

    def make_kgid(self, gid: int) -> int | None:
        """make_kgid(): the global id that is numbered ``gid`` here; None if there is none."""
        return self._made(gid, "_gids")

    def _made(self, number: int, which: str) -> int | None:
        if self.parent is None:
            return number if number != _INVALID_ID else None
        mapping: dict[int, int] = getattr(self, which)
        for above, here in mapping.items():
            if here == number:
                return self.parent._made(above, which)
        return None

    def _munged(self, number: int, which: str) -> int:
        if self.parent is None:
            return number
        mapping: dict[int, int] = getattr(self, which)
        return mapping.get(self.parent._munged(number, which), OVERFLOW_ID)


OVERFLOW_ID: Final = 65534
_INVALID_ID: Final = 0xFFFFFFFF  # (uid_t)-1
_RESERVED_PIDS: Final = 300  # of what starts at boot: RESERVED_PIDS of kernel/pid.c


class PidNamespace:
    """A pid namespace; a task has one number in each namespace from its own up to the initial.

    A ``view_of`` the initial one has the same tasks, but those of a TaskSource have other numbers
    there: who is in it is in a pid namespace of the host, which the machine has not. What only
    the initial one may do, a view may not. The owner is ``user_ns``, None for the initial user
    namespace.
    """

    def __init__(
        self,
        parent: PidNamespace | None = None,
        *,
        view_of: PidNamespace | None = None,
        user_ns: UserNamespace | None = None,
    ) -> None:
        self.parent: Final = parent
        self.user_ns: Final = user_ns
        self.view_of: Final = view_of
        self.level: Final[int] = 0 if parent is None else parent.level + 1
        self._last = 0

    @property
    def is_init(self) -> bool:
        return self.parent is None and self.view_of is None

    def next_nr(self, taken: Container[int], pid_max: int) -> int:
        """The next free number, counting up and round again from 300 as alloc_pid() does.

        Raises ValueError when there is none, where fork(2) gives EAGAIN.
        """
        first = self._last + 1
        lowest = _RESERVED_PIDS if first > _RESERVED_PIDS else 1
        for nr in itertools.chain(range(first, pid_max), range(lowest, min(first, pid_max))):
            if nr not in taken:
                self._last = nr
                return nr
        raise ValueError(f"no number is free: pid_max is {pid_max}")


class NetNamespace:
    """A network namespace, owned by a user namespace."""

    def __init__(self, user_ns: UserNamespace, *, is_init: bool = False) -> None:
        self.user_ns: Final = user_ns
        self.is_init: Final = is_init


class HostNamespaces:
    """Namespaces of the host that clients are in, by their inodes there."""

    def __init__(self) -> None:
        self.users: Final[dict[int, UserNamespace]] = {}
        self.nets: Final[dict[int, NetNamespace]] = {}
        self.pids: Final[dict[int, PidNamespace]] = {}
