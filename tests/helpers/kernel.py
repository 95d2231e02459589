"""A small emulated machine, its kernel, and sockets of one of its tasks; for tests of both."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest
from _pytest.raises import RaisesExc

from netlink_emu.families import BootedKernel, boot
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.profile import Profile
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.task import Task
from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.genetlink import GENLMSGHDR
from netlink_emu.protocol.netlink import NLM_F_REQUEST, NLMSGHDR, SOCKADDR_NL

KERNEL = struct.pack("=HHII", 16, 0, 0, 0)


@dataclass
class Bench:
    """One machine with two CPUs; ``client`` is a task of root's with pid 4242."""

    machine: Machine
    clock: VirtualClock
    kernel: BootedKernel
    client: Task

    @property
    def current(self) -> Current:
        return Current.of(self.client)

    def sock(self, portid: int | None = None, current: Current | None = None) -> NetlinkSock:
        """A generic netlink socket, bound unless ``portid`` is None."""
        current = current or self.current
        sock = self.kernel.socket(current, 3, 16)
        if portid is not None:
            sock.bind(current, self.address(portid))
        return sock

    def address(self, portid: int, groups: int = 0) -> bytes:
        return SOCKADDR_NL[self.kernel.profile.arch.order].pack(16, 0, portid, groups)

    def request(
        self,
        nlmsg_type: int,
        cmd: int,
        attrs: list[tuple[int, bytes]] | None = None,
        *,
        flags: int = 0,
        seq: int = 1,
    ) -> bytes:
        """One generic netlink request."""
        order = self.kernel.profile.arch.order
        writer = AttrWriter(order)
        for kind, payload in attrs or []:
            writer.put(kind, payload)
        body = GENLMSGHDR[order].pack(cmd, 1, 0) + bytes(writer.data)
        header = NLMSGHDR[order].pack(16 + len(body), nlmsg_type, flags | NLM_F_REQUEST, seq, 0)
        return header + body

    def ask(self, sock: NetlinkSock, data: bytes, current: Current | None = None) -> list[bytes]:
        """Send ``data`` and read all that is there then."""
        sock.sendmsg(current or self.current, data, addr=self.address(0))
        return self.drain(sock)

    def drain(self, sock: NetlinkSock) -> list[bytes]:
        datagrams = []
        while sock.receive_queue:
            datagrams.append(sock.recvmsg(1 << 16).data)
        return datagrams

    def get(self, kind: int, nr: int, **kwargs: int) -> bytes:
        """TASKSTATS_CMD_GET with a PID (1) or TGID (2)."""
        order = self.kernel.profile.arch.order
        payload = nr.to_bytes(4, order.name)
        return self.request(0x1F, 1, [(kind, payload)], **kwargs)

    def register(self, sock: NetlinkSock, cpulist: str, *, kind: int = 3) -> list[bytes]:
        return self.ask(sock, self.request(0x1F, 1, [(kind, cpulist.encode() + b"\0")], flags=4))


def fails(errno: int) -> RaisesExc[NetlinkError]:
    """The context in which a system call must fail with ``errno``."""
    return pytest.raises(NetlinkError, check=lambda error: error.errno == errno)


def error_of(datagrams: list[bytes]) -> int:
    """The errno of the only datagram, which must be an NLMSG_ERROR."""
    (datagram,) = datagrams
    assert datagram[4:6] == b"\x02\0"
    return -int.from_bytes(datagram[16:20], "little", signed=True)


def make_bench(profile: Profile | None = None, cpus: int = 2) -> Bench:
    """A machine, booted."""
    clock = VirtualClock()
    machine = Machine(cpus=cpus, clock=clock)
    client = machine.tasks.fork(pid=4242, comm="client")
    return Bench(machine, clock, boot(machine, profile), client)
