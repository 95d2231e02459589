"""As whom clients act in the emulated kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from netlink_emu.host import proc
from netlink_emu.host.namespaces import user_namespace
from netlink_emu.interpose.client.clients import CredentialPolicy
from netlink_emu.interpose.client.threads import gone
from netlink_emu.machine.credentials import CAP_NET_ADMIN, Cred
from netlink_emu.machine.machine import Machine


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
        self._machine: Final = machine

    def __call__(self, tid: int) -> Cred:
        try:
            status = proc.read_status(tid)
            user_ns = user_namespace(self._machine, tid)
        except OSError as exc:
            raise gone(exc) from exc
        return Cred(
            user_ns,
            uid=status.uids[0],
            gid=status.gids[0],
            euid=status.uids[1],
            egid=status.gids[1],
            capabilities=status.capabilities,
        )
