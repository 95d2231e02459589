"""As whom clients act in the emulated kernel."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from netlink_emu.host import proc
from netlink_emu.interpose.client.clients import CredentialPolicy
from netlink_emu.interpose.client.memory import ClientGone
from netlink_emu.machine.credentials import CAP_NET_ADMIN, Cred
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.namespaces import UserNamespace


def same_for_all(machine: Machine, uid: int) -> CredentialPolicy:
    """Every client acts as this user, and as the group of the same number."""
    cred = Cred.for_ids(machine.init_user_ns, uid, uid)
    return lambda _tid: cred


def with_net_admin(policy: CredentialPolicy, *, allowed: bool | None) -> CredentialPolicy:
    """The same clients, but CAP_NET_ADMIN is given to them, or taken; None leaves it."""
    if allowed is None:
        return policy

    def changed(tid: int) -> Cred:
        cred = policy(tid)
        had = cred.capabilities - {CAP_NET_ADMIN}
        return replace(cred, capabilities=had | {CAP_NET_ADMIN} if allowed else had)

    return changed


class Themselves:
    """Clients act with the ids and the effective capabilities that they have on the host.

    Our own user namespace is the emulated kernel's initial one; a client in another has its
    capabilities only there, as on a real kernel.
    """

    def __init__(self, machine: Machine) -> None:
        self._init_user_ns: Final = machine.init_user_ns
        self._namespaces: dict[int, UserNamespace] = {
            _user_namespace(os.getpid()): machine.init_user_ns
        }

    def __call__(self, tid: int) -> Cred:
        try:
            status = proc.read_status(tid)
            number = _user_namespace(tid)
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.ESRCH):
                raise ClientGone from exc
            raise
        user_ns = self._namespaces.get(number)
        if user_ns is None:
            user_ns = self._namespaces[number] = UserNamespace(self._init_user_ns)
        return Cred(
            user_ns,
            uid=status.uids[0],
            gid=status.gids[0],
            euid=status.uids[1],
            egid=status.gids[1],
            capabilities=status.capabilities,
        )


def _user_namespace(tid: int) -> int:
    """The inode that stands for it; 0 where we may not look."""
    try:
        return Path(f"/proc/{tid}/ns/user").stat().st_ino
    except PermissionError:
        return 0
