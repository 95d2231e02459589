"""A small emulated machine with its kernel, and clients on it that say in text what they see.

What the probes of :mod:`netlink_emu.eras.probes` are written with. Datagrams are shown as
hex in groups of four bytes, errors by the name of their errno.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from typing import Final

from netlink_emu.families import BootedKernel, boot
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.profile import Profile
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.cpus import Cpus
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.namespaces import NetNamespace, PidNamespace
from netlink_emu.machine.task import Task
from netlink_emu.protocol.attributes import AttrWriter, nla_walk
from netlink_emu.protocol.errors import NetlinkError, errno_name
from netlink_emu.protocol.genetlink import GENL_HDRLEN, GENL_ID_CTRL, GENLMSGHDR
from netlink_emu.protocol.netlink import (
    AF_NETLINK,
    NETLINK_GENERIC,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSGHDR,
    SOCKADDR_NL,
    SOL_NETLINK,
)
from netlink_emu.protocol.taskstats import (
    TASKSTATS_CMD_ATTR_PID,
    TASKSTATS_CMD_ATTR_REGISTER_CPUMASK,
    TASKSTATS_CMD_ATTR_TGID,
    TASKSTATS_CMD_GET,
    taskstats_layout,
)

SOCK_RAW: Final = 3
MSG_TRUNC: Final = 0x20
ATTRS: Final = NLMSG_HDRLEN + GENL_HDRLEN  # where the attributes begin
SHOWN: Final = 160  # bytes of a datagram that are shown; longer ones are cut

CLIENT_PID: Final = 1000
WORKER_PID: Final = 2000
NOBODY: Final = 65534

Attr = tuple[int, bytes | int | str]


def hex4(data: bytes) -> str:
    """Hex in groups of four bytes; long datagrams are cut, with their length behind."""
    shown = data[:SHOWN]
    text = " ".join(shown[n : n + 4].hex() for n in range(0, len(shown), 4))
    return text if len(data) <= SHOWN else f"{text} ... ({len(data)} bytes)"


def named(error: NetlinkError) -> str:
    """The name of what went wrong."""
    return errno_name(error.errno)


class Bench:
    """A booted machine: ``cpus`` CPUs, a virtual clock, and a task to ask about.

    ``worker`` is process 2000 on CPU 0, uid 1000, called "worker".
    """

    def __init__(self, profile: Profile, *, cpus: int | Cpus = 2) -> None:
        self.profile: Final = profile
        self.order: Final = profile.arch.order
        self.clock: Final = VirtualClock()
        self.machine: Final = Machine(cpus=cpus, clock=self.clock)
        self.kernel: Final[BootedKernel] = boot(self.machine, profile)
        self.worker: Final = self.spawn(pid=WORKER_PID, comm="worker", uid=1000)
        self.family: Final = profile.config.taskstats_family_id

    def spawn(self, *, pid: int, comm: str = "task", uid: int = 0, cpu: int = 0) -> Task:
        """A process of the initial namespaces."""
        cred = Cred.for_ids(self.machine.init_user_ns, uid, uid)
        return self.machine.tasks.fork(pid=pid, comm=comm, cred=cred, cpu=cpu)

    def client(
        self,
        *,
        pid: int = CLIENT_PID,
        uid: int = 0,
        net: NetNamespace | None = None,
        pid_ns: PidNamespace | None = None,
        protocol: int = NETLINK_GENERIC,
    ) -> Client:
        """A process with a netlink socket, bound to its pid by its first send."""
        cred = Cred.for_ids(self.machine.init_user_ns, uid, uid)
        task = self.machine.tasks.fork(pid=pid, comm="client", cred=cred, net=net, pid_ns=pid_ns)
        return Client(self, task, protocol)

    # --- requests

    def request(
        self,
        cmd: int,
        attrs: Sequence[Attr] = (),
        *,
        family: int | None = None,
        flags: int = 0,
        seq: int = 1,
        version: int = 1,
        reserved: int = 0,
        extra: bytes = b"",
    ) -> bytes:
        """A generic netlink request with NLM_F_REQUEST and ``flags``; ``extra`` ends it."""
        writer = AttrWriter(self.order)
        for kind, value in attrs:
            if isinstance(value, int):
                writer.put_u32(kind, value)
            elif isinstance(value, str):
                writer.put_string(kind, value)
            else:
                writer.put(kind, value)
        writer.data += extra
        number = self.family if family is None else family
        length = ATTRS + len(writer.data)
        return (
            NLMSGHDR[self.order].pack(length, number, NLM_F_REQUEST | flags, seq, 0)
            + GENLMSGHDR[self.order].pack(cmd, version, reserved)
            + bytes(writer.data)
        )

    def get(
        self, attrs: Sequence[Attr] = ((TASKSTATS_CMD_ATTR_PID, WORKER_PID),), flags: int = 0
    ) -> bytes:
        """TASKSTATS_CMD_GET."""
        return self.request(TASKSTATS_CMD_GET, attrs, flags=flags)

    def ctrl(self, cmd: int, attrs: Sequence[Attr] = (), *, flags: int = 0) -> bytes:
        """A request to nlctrl."""
        return self.request(cmd, attrs, family=GENL_ID_CTRL, flags=flags)

    # --- what came back

    def taskstats(self, datagram: bytes) -> list[dict[str, int | bytes]]:
        """The structs of a reply or event, wherever they lie in it."""
        layout = taskstats_layout(self.profile.taskstats_version, self.profile.arch.u64_align)
        codec = layout.codec(self.order)
        return [codec.decode(datagram, at) for at in self.struct_offsets(datagram)]

    def struct_offsets(self, datagram: bytes) -> list[int]:
        """Where the structs begin."""
        return [at for kinds, at, _ in self.walk(datagram) if len(kinds) == 2 and kinds[1] == 3]

    def walk(self, datagram: bytes) -> Iterator[tuple[tuple[int, ...], int, int]]:
        """The attributes of a TASKSTATS message: (types from outside in, offset, length)."""
        for outer, at, length in nla_walk(datagram, ATTRS, len(datagram), self.order):
            yield (outer,), at, length
            if outer in (4, 5):
                for inner, inner_at, inner_len in nla_walk(datagram, at, at + length, self.order):
                    yield (outer, inner), inner_at, inner_len

    def fields(self, datagram: bytes, *names: str) -> list[str]:
        """``name=value`` of the first struct; a member that it lacks says so."""
        stats = self.taskstats(datagram)[0]
        return [f"{name}={stats.get(name, 'not in the struct')}" for name in names]


class Client:
    """A process with one netlink socket."""

    def __init__(self, bench: Bench, task: Task, protocol: int = NETLINK_GENERIC) -> None:
        self.bench: Final = bench
        self.task: Final = task
        self.current: Final = Current.of(task)
        self.sock: Final = bench.kernel.socket(self.current, SOCK_RAW, protocol)

    def address(self, pid: int = 0, groups: int = 0) -> bytes:
        """A struct sockaddr_nl."""
        return SOCKADDR_NL[self.bench.order].pack(AF_NETLINK, 0, pid, groups)

    def send(self, data: bytes, addr: bytes = b"") -> str:
        """sendto(2): the number of bytes, or the errno's name."""
        try:
            return str(self.sock.sendmsg(self.current, data, addr=addr))
        except NetlinkError as error:
            return named(error)

    def recv(self, size: int = 65536, flags: int = 0) -> bytes | None:
        """One datagram, or None when there is none. Raises NetlinkError otherwise."""
        try:
            return self.sock.recvmsg(size, flags, self.current).data
        except NetlinkError as error:
            if error.errno == errno.EAGAIN:
                return None
            raise

    def drain(self, size: int = 65536) -> list[bytes]:
        """Everything that is queued."""
        return list(iter(lambda: self.recv(size), None))

    def ask(self, data: bytes) -> list[bytes]:
        """Send, and read what comes back."""
        sent = self.send(data)
        if not sent.isdecimal():
            raise AssertionError(f"send: {sent}")
        return self.drain()

    def said(self, data: bytes) -> list[str]:
        """What a request brings, each datagram as hex; nothing at all says so."""
        return [hex4(datagram) for datagram in self.ask(data)] or ["no answer"]

    def outcome(self, data: bytes) -> str:
        """What a request brings in a word: an errno's name, 0, or the length of the reply."""
        answers = self.ask(data)
        if not answers:
            return "no answer"
        return ", ".join(self._word(datagram) for datagram in answers)

    def _word(self, datagram: bytes) -> str:
        order = self.bench.order
        kind = NLMSGHDR[order].decode(datagram).nlmsg_type
        if kind in (NLMSG_ERROR, NLMSG_DONE):
            code = -int.from_bytes(datagram[16:20], order.name, signed=True)
            name = errno_name(code) if code else "0"
            return name if kind == NLMSG_ERROR else f"NLMSG_DONE {name}"
        return f"a reply of {len(datagram)} bytes"

    def register(self, cpulist: str | bytes, *, flags: int = 0) -> list[bytes]:
        """TASKSTATS_CMD_ATTR_REGISTER_CPUMASK; text gets its NUL."""
        return self.ask(self.bench.get([(TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, cpulist)], flags))

    def stats(self, pid: int = WORKER_PID) -> bytes:
        """The reply to GET PID."""
        return self.ask(self.bench.get([(TASKSTATS_CMD_ATTR_PID, pid)]))[0]

    def group_stats(self, tgid: int = WORKER_PID) -> bytes:
        """The reply to GET TGID."""
        return self.ask(self.bench.get([(TASKSTATS_CMD_ATTR_TGID, tgid)]))[0]

    def setsockopt(self, optname: int, value: int | bytes, level: int = SOL_NETLINK) -> str:
        """0, or the errno's name."""
        if isinstance(value, int):
            value = value.to_bytes(4, self.bench.order.name)
        try:
            self.sock.setsockopt(self.current, level, optname, value)
        except NetlinkError as error:
            return named(error)
        return "0"

    def bind(self, addr: bytes) -> str:
        """0, or the errno's name."""
        try:
            self.sock.bind(self.current, addr)
        except NetlinkError as error:
            return named(error)
        return "0"

    def connect(self, addr: bytes) -> str:
        """0, or the errno's name."""
        try:
            self.sock.connect(self.current, addr)
        except NetlinkError as error:
            return named(error)
        return "0"
