"""Emulated machines to measure."""

from __future__ import annotations

from bench.messages import register
from netlink_emu.families import boot
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.profile import KernelConfig, Profile
from netlink_emu.machine.clock import Clock
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.task import Task

PID_MAX = 4_194_304
SOCK_RAW = 3
NETLINK_GENERIC = 16


class Emulated:
    """A booted machine with a client task, and one more that has used a little of everything."""

    def __init__(self, cpus: int = 4, clock: Clock | None = None) -> None:
        self.machine = Machine(cpus=cpus, clock=clock, pid_max=PID_MAX)
        config = KernelConfig(nr_cpus=max(256, cpus), pid_max=PID_MAX)
        self.kernel = boot(self.machine, Profile(config=config))
        self.client = self.fork("client")
        self.current = Current.of(self.client)
        self.task = self.fork("worker")
        self.task.charge(utime=1.5, stime=0.25, cpu_delay=0.125, blkio_delay=0.5)
        self.task.io.rchar = 123_456_789

    def fork(self, comm: str = "task", cpu: int = 0) -> Task:
        return self.machine.tasks.fork(comm=comm, cpu=cpu)

    def socket(self) -> NetlinkSock:
        return self.kernel.socket(self.current, SOCK_RAW, NETLINK_GENERIC)

    def listener(self, cpulist: str) -> NetlinkSock:
        """A socket that is registered and has read the ack."""
        sock = self.socket()
        sock.sendmsg(self.current, register(cpulist))
        while sock.receive_queue:
            sock.take_datagram()
        return sock
