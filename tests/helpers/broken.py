"""Emulated kernels that are wrong on purpose, to see that it is noticed."""

from __future__ import annotations

from collections.abc import Callable

from netlink_emu.families import BootedKernel, boot
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.netlink_rcv import Request
from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.machine.machine import Machine

Spoil = Callable[[bytearray], None]


class Spoiler:
    """An injector (kernel.injector) that changes the kernel's datagrams on their way."""

    def __init__(self, spoil: Spoil) -> None:
        self._spoil = spoil

    def deliver(self, sk: NetlinkSock, skb: SkBuff, *, dump: bool) -> bool:
        if skb.portid == 0:  # from the kernel
            data = bytearray(skb.data)
            self._spoil(data)
            skb.data = bytes(data)
        if dump:
            sk.admit_dump(skb)
            return True
        return sk.admit(skb)

    def send(self, sk: NetlinkSock, current: Current, data: bytes) -> None:
        """Requests pass as they are."""

    def request(self, request: Request) -> None:
        """And are handled as ever."""


def boot_with(spoil: Spoil) -> Callable[[Machine, Profile], BootedKernel]:
    """A boot() of kernels whose datagrams are changed by ``spoil``."""

    def broken(machine: Machine, profile: Profile) -> BootedKernel:
        kernel = boot(machine, profile)
        kernel.injector = Spoiler(spoil)
        return kernel

    return broken
