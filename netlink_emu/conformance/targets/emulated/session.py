"""One case on an emulated kernel: socket calls are calls of :class:`NetlinkSock`."""

from __future__ import annotations

import struct
from errno import EAGAIN, EINVAL, EOPNOTSUPP
from typing import Final

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import MAIN, Cmsg, Datagram, Outcome, Step, told_by
from netlink_emu.conformance.cases.masked import MaskedBytes, Symbol
from netlink_emu.conformance.cases.names import (
    DEFAULT_BUFSIZE,
    DEFAULT_CTRL,
    POLL_ASKED,
    msg_flags_names,
    poll_names,
    socket_type,
    sockopt_value,
)
from netlink_emu.conformance.targets.target import About, Unsupported
from netlink_emu.families import BootedKernel
from netlink_emu.kernel import scm
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.msghdr import MSG_PEEK, MSG_TRUNC, POLLERR, POLLIN
from netlink_emu.machine.cgroups import File
from netlink_emu.machine.task import Task, TaskState
from netlink_emu.protocol.errors import NetlinkError, errno_name
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import (
    AF_NETLINK,
    NETLINK_GENERIC,
    SOCKADDR_NL,
    SOL_NETLINK,
    SOL_SOCKET,
    NetlinkSockOpt,
)

from .process import EmulatedTasks, Process
from .programs import DEVICE, inode_of

_CMSGHDR: Final = 16  # sizeof(struct cmsghdr) where a long has 64 bits
_POLL_UNASKED: Final = 0x018  # ERR, HUP
_MSG_CTRUNC: Final = 0x8
_MSG_CMSG_CLOEXEC: Final = 0x40000000
_MSG_CMSG_COMPAT: Final = 0x80000000


class EmulatedSession:
    """The sockets and tasks of one case."""

    def __init__(self, kernel: BootedKernel, main_pid: int | None = None) -> None:
        self.kernel: Final = kernel
        self.tasks: Final = EmulatedTasks(kernel, main_pid)
        self._order: Final = kernel.profile.arch.order
        self._owners: dict[str, str] = {}

    # --- steps

    def execute(self, step: Step) -> Outcome:
        op = step.op
        if isinstance(op, ops.Socket):
            self._owners[op.sock] = step.actor
        sock = getattr(op, "sock", None)
        actor = step.actor if step.task or sock is None else self._owners.get(sock, MAIN)
        try:
            if op.NAME in ("task", "self"):
                return Outcome(result=self.tasks.execute(step.actor, op))
            if isinstance(op, ops.Sleep):
                self.tasks.machine_advance(op.ms * 1_000_000)
                return Outcome(result=0)
            task = self.tasks.tasks[actor]
            state, task.state = task.state, TaskState.RUNNING
            self.tasks.run(task)
            try:
                return self._call(actor, self.tasks.process(actor), self.tasks.current(actor), op)
            finally:
                task.state = state
        except NetlinkError as exc:
            return Outcome(error=errno_name(exc.errno or 0))

    def _call(self, actor: str, process: Process, current: Current, op: ops.Op) -> Outcome:
        match op:
            case ops.Socket():
                self._socket(actor, process, current, op)
            case ops.SocketPair():
                self._make(current, op).release()
                raise NetlinkError(EOPNOTSUPP)
            case ops.Bind():
                process.socks[op.sock].bind(current, self._address(op))
            case ops.Connect():
                process.socks[op.sock].connect(current, self._address(op))
            case ops.Close():
                process.socks.pop(op.sock).release()
                process.ready.pop(op.sock, None)
                self.tasks.files.close(actor, f"sock:{op.sock}")
            case ops.SetSockOpt():
                value = self._native(sockopt_value(op.value, op.value_hex), op)
                process.socks[op.sock].setsockopt(current, op.level, op.opt, value)
            case ops.Send():
                return Outcome(result=self._send(actor, process.socks[op.sock], current, op))
            case ops.Recv():
                return self._recv(process.socks[op.sock], current, op)
            case ops.Open():
                return Outcome(result={"fd": self.tasks.files.open(actor, op)})
            case ops.CloseFd():
                self.tasks.files.close(actor, op.fd)
            case ops.AttachFilter():
                program = [(c, jt, jf, k) for c, jt, jf, k in op.program]
                process.socks[op.sock].attach_filter(program)
            case ops.DetachFilter():
                process.socks[op.sock].detach_filter()
            case ops.Listen() | ops.Accept() | ops.Shutdown():
                process.socks[op.sock].not_supported()
            case ops.Ioctl():
                process.socks[op.sock].ioctl(op.request)
            case _:
                return self._ask(process, op)
        return Outcome(result=0)

    def _ask(self, process: Process, op: ops.Op) -> Outcome:
        match op:
            case ops.GetSockOpt():
                value, optlen = _getsockopt(process.socks[op.sock], op.level, op.opt, op.len)
                order = self._order.name
                number = int.from_bytes(value, order, signed=True)
                return Outcome(number if len(value) == 4 else None, None, None, optlen, value)
            case ops.ListMemberships():
                value, optlen = _getsockopt(
                    process.socks[op.sock],
                    SOL_NETLINK,
                    NetlinkSockOpt.NETLINK_LIST_MEMBERSHIPS,
                    op.len,
                )
                return Outcome(optlen_out=optlen, value=value)
            case ops.GetSockName():
                return Outcome(list(self._portid_groups(process.socks[op.sock].getsockname())))
            case ops.GetPeerName():
                return Outcome(list(self._portid_groups(process.socks[op.sock].getpeername())))
            case ops.Poll():
                events = process.socks[op.sock].poll() & (POLL_ASKED | _POLL_UNASKED)
                return Outcome(poll_names(events))
            case ops.EpollWatch():
                for name in op.socks or [op.sock or ""]:
                    self._watch(process, name)
                return Outcome(0)
            case ops.EpollOrder():
                ready, process.ready = process.ready, {}
                still = POLLIN | POLLERR
                return Outcome([name for name, sock in ready.items() if sock.poll() & still])
            case ops.ProcNetlink():
                return Outcome(_proc_row(process.socks[op.sock]))
        raise Unsupported(f"the emulator has no {op.NAME}")

    # --- sockets

    def _make(self, current: Current, op: ops.Socket | ops.SocketPair) -> NetlinkSock:
        if op.family not in (None, AF_NETLINK):
            raise Unsupported(f"the emulator has no sockets of family {op.family}")
        protocol = NETLINK_GENERIC if op.proto is None else op.proto
        return self.kernel.socket(current, socket_type(op.type), protocol)

    def _socket(self, actor: str, process: Process, current: Current, op: ops.Socket) -> None:
        process.socks[op.sock] = self._make(current, op)
        process.fds[f"sock:{op.sock}"] = self.tasks.files.install(actor, File())

    def _native(self, value: bytes, op: ops.SetSockOpt) -> bytes:
        """An int in the byte order of the emulated machine; raw bytes as they are."""
        return value if op.value_hex is not None or self._order is HOST_ORDER else value[::-1]

    def _sockaddr(self, portid: int, groups: int) -> bytes:
        mask = 0xFFFF_FFFF
        return SOCKADDR_NL[self._order].pack(AF_NETLINK, 0, portid & mask, groups & mask)

    def _address(self, op: ops.Bind | ops.Connect) -> bytes:
        if op.addr_hex is not None:
            return bytes.fromhex(op.addr_hex)
        pid = self.tasks.tasks[op.pid_of].pid if op.pid_of is not None else op.pid or 0
        return self._sockaddr(pid, op.groups or 0)

    def _portid_groups(self, address: bytes) -> tuple[int, int]:
        _, _, portid, groups = SOCKADDR_NL[self._order].unpack_from(address)
        return portid, groups

    def _portid(self, sock: str) -> int:
        owner = self._owners.get(sock, MAIN)
        return self.tasks.process(owner).socks[sock].portid

    def _send(self, actor: str, sock: NetlinkSock, current: Current, op: ops.Send) -> int:
        address = b""
        if op.addr_hex is not None:
            address = bytes.fromhex(op.addr_hex)
        elif op.addr is not None:
            to, groups = op.addr
            address = self._sockaddr(self._portid(to) if isinstance(to, str) else to, groups)
        control = []
        if op.cmsg_creds is not None:
            pid, uid, gid = op.cmsg_creds
            if isinstance(pid, str):
                pid = self.tasks.tasks[actor if pid == "self" else pid].pid
            creds = struct.pack(f"{self._order.char}iII", pid, uid, gid)
            control.append(scm.Cmsg(SOL_SOCKET, scm.SCM_CREDENTIALS, creds))
        if op.cmsg_rights:
            control.append(scm.Cmsg(SOL_SOCKET, scm.SCM_RIGHTS, bytes(4)))
        return sock.sendmsg(
            current, op.payload.data, addr=address, control=control, flags=op.flags or 0
        )

    def _recv(self, sock: NetlinkSock, current: Current, op: ops.Recv) -> Outcome:
        datagrams: list[Datagram] = []
        size = DEFAULT_BUFSIZE if op.bufsize is None else op.bufsize
        flags = 0 if op.is_file_call else op.flags or 0
        if flags & _MSG_CMSG_COMPAT and op.via is None:  # __sys_recvmsg()
            return Outcome(datagrams=(), error=errno_name(EINVAL))
        while op.n is None or len(datagrams) < op.n:
            if op.is_file_call and not size:
                datagrams.append(told_by(op, Datagram(MaskedBytes(b"")), 0))
                continue
            try:
                message = sock.recvmsg(size, flags & (0x1 | MSG_PEEK | MSG_TRUNC), current)
            except NetlinkError as exc:
                if op.blocking and exc.errno == EAGAIN and sock.rcvtimeo:
                    self.tasks.machine_advance(round(sock.rcvtimeo * 1e9))
                return Outcome(datagrams=tuple(datagrams), error=errno_name(exc.errno or 0))
            room = DEFAULT_CTRL if op.ctrl is None else op.ctrl
            cmsgs, ctrunc = _put_cmsgs(message.control, room)
            if not room and sock.passsec:  # __scm_recv_common(): nowhere to put it
                ctrunc = _MSG_CTRUNC
            whole = Datagram(
                MaskedBytes(message.data),
                self._portid_groups(message.name),
                None,
                msg_flags_names(message.flags | ctrunc | flags & _MSG_CMSG_CLOEXEC),
                cmsgs,
            )
            datagrams.append(told_by(op, whole, message.result))
        return Outcome(datagrams=tuple(datagrams))

    def _watch(self, process: Process, name: str) -> None:
        sock = process.socks[name]

        def ready(_sock: NetlinkSock) -> None:
            process.ready.setdefault(name, sock)

        sock.data_ready = sock.error_report = ready
        if sock.poll() & (POLLIN | POLLERR):
            ready(sock)

    # --- symbols

    def value_of(self, symbol: Symbol, about: About) -> int | None:
        """What a symbol stands for on this machine."""
        match symbol.kind:
            case "FAMILY_ID":
                family = self.kernel.genl.by_name(symbol.name)
                return None if family is None else family.id
            case "PID":
                return self.tasks.tasks[symbol.name].pid
            case "TGID":
                return self.tasks.tasks[symbol.name].tgid
            case "PPID":
                return self._parent(symbol, about)
            case "PORTID":
                return self._portid(symbol.name)
            case "EXE_DEV":
                return DEVICE
            case "EXE_INODE":
                return self._inode(about)
        return None

    def _parent(self, symbol: Symbol, about: About) -> int:
        if symbol.name == MAIN:
            return self.tasks.tasks[MAIN].pid
        parent = self.tasks.tasks[about.task].real_parent
        return parent.pid if parent is not None else 0

    def _inode(self, about: About) -> int:
        if about.path is not None:
            return inode_of(about.path)
        program = self.tasks.process(about.task).program
        if program is not None and program.comm == about.comm:
            return program.inode
        return inode_of("/proc/self/exe")

    def task(self, name: str) -> Task:
        """The emulated task that a case calls so."""
        return self.tasks.tasks[name]


def _getsockopt(
    sock: NetlinkSock, level: int, optname: int, length: int | None
) -> tuple[bytes, int]:
    """What is in a buffer of ``length`` zero bytes (4) afterwards, and the optlen."""
    length = 4 if length is None else length
    value, optlen = sock.getsockopt(level, optname, length)
    return value.ljust(min(length, optlen), b"\0"), optlen


def _put_cmsgs(control: list[scm.Cmsg], room: int) -> tuple[tuple[Cmsg, ...], int]:
    """put_cmsg(): what fits into a control buffer of ``room`` bytes, and MSG_CTRUNC."""
    cmsgs = []
    flags = 0
    for message in control:
        if room < _CMSGHDR:
            flags = _MSG_CTRUNC
            continue
        data = message.data[: room - _CMSGHDR]
        if len(data) < len(message.data):
            flags = _MSG_CTRUNC
        cmsgs.append(Cmsg(message.level, message.type, MaskedBytes(data)))
        room -= min(room, _CMSGHDR + (len(data) + 7) // 8 * 8)
    return tuple(cmsgs), flags


def _proc_row(sock: NetlinkSock) -> dict[str, str]:
    """The row of /proc/net/netlink: netlink_native_seq_show(); {} before the socket is bound."""
    if not sock.bound:
        return {}
    return {
        "Eth": str(sock.protocol),
        "Groups": f"{sock.groups & 0xFFFF_FFFF:08x}",
        "Rmem": str(sock.rmem_alloc),
        "Wmem": "0",
        "Dump": str(int(sock.dump is not None)),
        "Locks": "2",
        "Drops": str(sock.drops),
    }
