"""Who a task is and what it may do: struct cred, security/commoncap.c."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from netlink_emu.machine.namespaces import UserNamespace

CAP_NET_BROADCAST: Final = 11
CAP_NET_ADMIN: Final = 12
CAP_NET_RAW: Final = 13
CAP_SYS_PTRACE: Final = 19
CAP_SYS_ADMIN: Final = 21
CAP_SYS_NICE: Final = 23
CAP_SETGID: Final = 6
CAP_SETUID: Final = 7
ALL_CAPS: Final = frozenset(range(41))  # CAP_LAST_CAP is 40 (CAP_CHECKPOINT_RESTORE)
NO_CAPS: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Cred:
    """Credentials: global ids, and the effective capabilities held in ``user_ns``."""

    user_ns: UserNamespace
    uid: int = 0
    gid: int = 0
    euid: int = 0
    egid: int = 0
    capabilities: frozenset[int] = ALL_CAPS

    @classmethod
    def for_ids(cls, user_ns: UserNamespace, uid: int, gid: int) -> Cred:
        """The credentials of a plain process: every capability for root, none for others."""
        caps = ALL_CAPS if uid == 0 else NO_CAPS
        return cls(user_ns, uid, gid, uid, gid, caps)

    def with_euid(self, euid: int) -> Cred:
        """After seteuid(): the effective capabilities go and come with the effective uid 0."""
        caps = ALL_CAPS if euid == 0 else NO_CAPS
        return replace(self, euid=euid, capabilities=caps)

    def in_new_user_ns(self, user_ns: UserNamespace) -> Cred:
        """After unshare(CLONE_NEWUSER): every capability, but only in the new namespace."""
        return replace(self, user_ns=user_ns, capabilities=ALL_CAPS)

    def ns_capable(self, target: UserNamespace, cap: int) -> bool:
        """cap_capable(): the capability in ``target``, or ownership of a namespace above it."""
        return cap in self.capabilities and self.user_ns.contains(target)
