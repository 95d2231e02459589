"""Before a datagram is refused, the socket's edge says what its client has received by itself."""

from __future__ import annotations

import pytest

from netlink_emu.families import boot
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.releases import profile_for
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.machine import Machine


class Edge:
    """Its client has received so many without a call of ours."""

    def __init__(self, release: str) -> None:
        machine = Machine(cpus=1)
        kernel = boot(machine, profile_for(release))
        current = Current(
            cred=Cred(machine.init_user_ns),
            net=machine.init_net,
            pid_ns=machine.init_pid_ns,
            tgid_vnr=1,
            fget=lambda _fd: None,
        )
        self.sock = kernel.socket(current, 3, 16)
        assert isinstance(self.sock, NetlinkSock)
        self.taken = self.asked = 0
        assert self.sock.watch(lambda: None, self.settle)

    def settle(self) -> None:
        self.asked += 1
        for _ in range(self.taken):
            self.sock.take_datagram()
        self.taken = 0

    def fill(self) -> int:
        count = 0
        while self.sock.deliver(SkBuff(bytes(400), self.sock.kernel.skb.alloc_truesize(400))):
            count += 1
        return count


@pytest.mark.parametrize("release", ["3.10", "6.18"])
def test_who_has_read_all_hears_again(release: str) -> None:
    edge = Edge(release)
    full = edge.fill()
    assert edge.asked == 1, "only when something would be refused"
    edge.sock.overrun()
    assert edge.sock.congested
    edge.taken = full
    assert edge.fill() == full
    assert not edge.sock.congested


def test_who_has_read_a_part_has_room_but_for_congestion() -> None:
    edge = Edge("6.18")
    full = edge.fill()
    edge.taken = 3
    assert edge.fill() == 3
    edge.sock.overrun()
    edge.taken = 3
    assert edge.fill() == 0
    edge.taken = full - 3
    assert edge.fill() == full


def test_nobody_is_asked_when_nobody_watches() -> None:
    edge = Edge("6.18")
    edge.sock.watch(None)
    edge.fill()
    assert edge.asked == 0
