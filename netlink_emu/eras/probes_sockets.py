"""Probes of netlink sockets: addresses, permissions, options, queues."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress

from netlink_emu.eras.bench import (
    CLIENT_PID,
    MSG_TRUNC,
    NOBODY,
    SOCK_RAW,
    Bench,
    Client,
    named,
)
from netlink_emu.eras.probes import probe
from netlink_emu.kernel.genetlink import GenlFamily, GenlInfo, GenlOp
from netlink_emu.kernel.scm import SCM_CREDENTIALS, Cmsg
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.namespaces import UserNamespace
from netlink_emu.protocol.bpf_common import (
    BPF_ABS,
    BPF_IMM,
    BPF_K,
    BPF_LD,
    BPF_RET,
    BPF_W,
    SKF_AD_IFINDEX,
    SKF_AD_OFF,
)
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.genetlink import CtrlCmd
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLM_F_DUMP,
    NLMSG_DONE,
    SOL_SOCKET,
    NetlinkSockOpt,
    nlmsg_walk,
)

SO_RCVBUF = 8
SO_PASSCRED = 16
UNSERVED = 22  # no kernel has this netlink protocol
FIONREAD = 0x541B


@probe("protocol_must_exist")
def unserved(bench: Bench) -> list[str]:
    """A socket is made of netlink protocol 22, which nobody serves."""
    try:
        bench.client(protocol=UNSERVED)
    except NetlinkError as error:
        return [named(error)]
    return ["0"]


def _options(bench: Bench, *options: NetlinkSockOpt) -> list[str]:
    client = bench.client()
    return [f"{option.name}: {client.setsockopt(option, 1)}" for option in options]


@probe("no_enobufs")
def no_enobufs(bench: Bench) -> list[str]:
    """The options of overruns are switched on; then the receive buffer overflows."""
    lines = _options(
        bench, NetlinkSockOpt.NETLINK_BROADCAST_ERROR, NetlinkSockOpt.NETLINK_NO_ENOBUFS
    )
    client = bench.client(pid=4000)
    client.setsockopt(NetlinkSockOpt.NETLINK_NO_ENOBUFS, 1)
    client.register("0")
    client.setsockopt(SO_RCVBUF, 0, SOL_SOCKET)
    _end_tasks(bench, 10)
    try:
        client.recv()
    except NetlinkError as error:
        return [*lines, f"overrun: {named(error)}"]
    return [*lines, "overrun: no error"]


def _end_tasks(bench: Bench, count: int) -> None:
    for number in range(count):
        bench.machine.tasks.do_exit(bench.spawn(pid=10000 + number), 0)


@probe("mmap_rings")
def rings(bench: Bench) -> list[str]:
    """Rings are asked for: with 4 bytes, and one block of 4096 bytes with two frames."""
    client = bench.client()
    words = (bench.profile.arch.page_size, 1, bench.profile.arch.page_size // 2, 2)
    request = b"".join(word.to_bytes(4, bench.order.name) for word in words)
    return [
        client.setsockopt(NetlinkSockOpt.NETLINK_RX_RING, value) for value in (b"\0" * 4, request)
    ]


@probe("list_memberships")
def memberships(bench: Bench) -> list[str]:
    """NETLINK_LISTEN_ALL_NSID is switched on; NETLINK_LIST_MEMBERSHIPS is read."""
    client = bench.client()
    lines = [client.setsockopt(NetlinkSockOpt.NETLINK_LISTEN_ALL_NSID, 1)]
    client.setsockopt(NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP, 16)
    try:
        data, _ = client.sock.getsockopt(270, NetlinkSockOpt.NETLINK_LIST_MEMBERSHIPS, 64)
    except NetlinkError as error:
        return [*lines, named(error)]
    return [*lines, data[:4].hex()]


@probe("opener_capability")
def opener(bench: Bench) -> list[str]:
    """User nobody opens a socket; root asks for a task with it: by send, and by sendto."""
    nobody, root = bench.client(uid=NOBODY), bench.client(pid=CLIENT_PID + 1)
    lines = []
    for addr in (b"", nobody.address()):
        nobody.sock.sendmsg(root.current, bench.get(), addr=addr)
        (answer,) = nobody.drain()
        lines.append("EPERM" if len(answer) < 100 else "a reply")
    return lines


def _bound(bench: Bench) -> Client:
    """Another process with a bound socket."""
    other = bench.client(pid=CLIENT_PID + 1)
    other.bind(other.address(CLIENT_PID + 1))
    return other


def _creds_read(sender: Client, reader: Client, control: Sequence[Cmsg] = ()) -> str:
    """SCM_CREDENTIALS of a message from one process to another."""
    reader.setsockopt(SO_PASSCRED, 1, SOL_SOCKET)
    address = reader.address(CLIENT_PID + 1)
    reader.bind(address)
    sender.sock.sendmsg(sender.current, b"x", addr=address, control=control)
    (cmsg,) = reader.sock.recvmsg(1, 0, reader.current).control
    pid, uid, gid = struct.unpack(reader.bench.order.char + "iII", cmsg.data)
    return f"pid {pid}, uid {uid}, gid {gid}"


@probe("creds_effective")
def effective_creds(bench: Bench) -> list[str]:
    """Process 1000 of user and group 500, root by its set-user-ID bit, sends a message."""
    cred = Cred.for_ids(bench.machine.init_user_ns, 500, 500).with_euid(0)
    task = bench.machine.tasks.fork(pid=CLIENT_PID, cred=cred)
    return [_creds_read(Client(bench, task), bench.client(pid=CLIENT_PID + 1))]


@probe("creds_omitted")
def omitted_creds(bench: Bench) -> list[str]:
    """Process 1000 sends a message without credentials to another process."""
    return [_creds_read(bench.client(), bench.client(pid=CLIENT_PID + 1))]


@probe("creds_translated")
def translated_creds(bench: Bench) -> list[str]:
    """Root sends as user and group 500, which the reader's user namespace has as 0."""
    above = bench.machine.init_user_ns
    below = UserNamespace(above, uids={500: 0}, gids={500: 0})
    cred = Cred.for_ids(above, 500, 500).in_new_user_ns(below)
    task = bench.machine.tasks.fork(pid=CLIENT_PID + 1, cred=cred)
    creds = struct.pack(bench.order.char + "iII", CLIENT_PID, 500, 500)
    control = [Cmsg(SOL_SOCKET, SCM_CREDENTIALS, creds)]
    return [_creds_read(bench.client(), Client(bench, task), control)]


@probe("unicast_needs_admin")
def unicast(bench: Bench) -> list[str]:
    """User nobody sends 16 bytes to another process's portid."""
    other, client = _bound(bench), bench.client(uid=NOBODY)
    sent = client.send(bytes(16), client.address(CLIENT_PID + 1))
    return [f"{sent}, {len(other.drain())} received"]


@probe("filter_a_without_device")
def deviceless_filter(bench: Bench) -> list[str]:
    """A socket filter sets A to 20, loads SKF_AD_IFINDEX, and would return 8; then an answer."""
    client = bench.client()
    client.sock.attach_filter(
        [
            (BPF_LD | BPF_IMM, 0, 0, 20),
            (BPF_LD | BPF_W | BPF_ABS, 0, 0, (SKF_AD_OFF + SKF_AD_IFINDEX) & 0xFFFFFFFF),
            (BPF_RET | BPF_K, 0, 0, 8),
        ]
    )
    client.send(bench.ctrl(CtrlCmd.CTRL_CMD_GETFAMILY, [(1, b"\x10\0")]))
    answer = client.recv()
    return ["nothing" if answer is None else f"{len(answer)} bytes"]


@probe("connect_needs_admin")
def connect(bench: Bench) -> list[str]:
    """User nobody connects to another process's portid."""
    _bound(bench)
    client = bench.client(uid=NOBODY)
    return [client.connect(client.address(CLIENT_PID + 1))]


@probe("bind_checks_length")
def short_bind(bench: Bench) -> list[str]:
    """bind with the first 8 bytes of an address: portid 77."""
    client = bench.client()
    outcome = client.bind(client.address(77)[:8])
    return [outcome, f"portid {client.sock.portid}"]


@probe("send_checks_length")
def short_send(bench: Bench) -> list[str]:
    """sendto and connect with the first 8 bytes of the kernel's address."""
    client = bench.client()
    return [
        client.send(bench.get(), client.address()[:8]),
        client.connect(client.address()[:8]),
    ]


@probe("zero_send_enodata")
def zero_send(bench: Bench) -> list[str]:
    """0 bytes are sent."""
    return [bench.client().send(b"")]


@probe("autobind_random")
def autobind(bench: Bench) -> list[str]:
    """A process binds three sockets, closes the last, and binds another."""
    client = bench.client()
    portids: list[int] = []
    for number in range(4):
        sock = bench.kernel.socket(client.current, SOCK_RAW, NETLINK_GENERIC)
        sock.bind(client.current, client.address())
        portids.append(sock.portid - (1 << 32) if sock.portid >> 31 else sock.portid)
        if number == 2:
            sock.release()
    return [" ".join(map(str, portids))]


@probe("msg_trunc_returns_length")
def msg_trunc(bench: Bench) -> list[str]:
    """A reply of more is read into 20 bytes with MSG_TRUNC."""
    client = bench.client()
    client.send(bench.get())
    received = client.sock.recvmsg(20, MSG_TRUNC, client.current)
    whole = received.result > 20
    return [f"recv returns {'the whole length' if whole else received.result}"]


@probe("ioctl_enotty")
def ioctl(bench: Bench) -> list[str]:
    """FIONREAD."""
    try:
        bench.client().sock.ioctl(FIONREAD)
    except NetlinkError as error:
        return [named(error)]
    return ["0"]


def _dump_datagrams(bench: Bench, families: int, size: int) -> list[bytes]:
    """A family dump with so many more families, read into ``size`` bytes."""

    def nothing(_info: GenlInfo) -> None:
        """An operation that does not answer."""

    for number in range(families):
        ops = (GenlOp(1, doit=nothing),)
        bench.kernel.genl.register_family(GenlFamily(f"FAMILY{number}", 1, ops, id=0x100 + number))
    client = bench.client()
    client.send(bench.ctrl(CtrlCmd.CTRL_CMD_GETFAMILY, flags=NLM_F_DUMP))
    return client.drain(size)


@probe("dump_grows_with_reads")
def dump_size(bench: Bench) -> list[str]:
    """Two hundred families are dumped and read into 64 KiB."""
    sizes = [len(data) for data in _dump_datagrams(bench, 200, 65536)]
    return [f"datagrams of {', '.join(map(str, sizes))} bytes"]


@probe("done_shares_datagram")
def done(bench: Bench) -> list[str]:
    """All families are dumped, which are two."""
    lines = []
    for data in _dump_datagrams(bench, 0, 65536):
        kinds = [header.nlmsg_type for _, header in nlmsg_walk(data, bench.order)]
        words = ["DONE" if kind == NLMSG_DONE else "family" for kind in kinds]
        lines.append(f"{len(data)} bytes: {' '.join(words)}")
    return lines


@probe("rmem_sum_rule")
def full_buffer(bench: Bench) -> list[str]:
    """Tasks end while a listener with SO_RCVBUF 1500 (doubled: 3000) does not read."""
    client = bench.client()
    client.register("0")
    client.setsockopt(SO_RCVBUF, 1500, SOL_SOCKET)
    _end_tasks(bench, 10)
    with suppress(NetlinkError):  # ENOBUFS comes first
        client.recv()
    return [f"{len(client.drain())} events"]
