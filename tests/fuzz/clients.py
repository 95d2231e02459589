"""What clients may send: datagrams to kernels and servers, and memory to the interposer."""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from errno import EFAULT, EINVAL, EMSGSIZE, ENOBUFS, ENODATA, EPERM, ESRCH
from typing import Any, Final

from helpers.memory import BASE, Pages, trap

from fuzz.check import check
from netlink_emu.families import BootedKernel, boot
from netlink_emu.families.control import Control
from netlink_emu.faults import Faults
from netlink_emu.interpose.syscalls import uapi
from netlink_emu.journal import Journal
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.releases import profile_for
from netlink_emu.kernel.scm import scm_send
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import nlmsg_align, nlmsg_walk
from netlink_emu.protocol.ours.hello import Hello, decode_hello, encode_hello, is_hello
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.render import message_json, message_lines
from netlink_emu.server.service import Service, Ucred, everyone_is_root

PROFILES: Final = (
    Profile(),
    *(profile_for(release) for release in ("2.6.18", "2.6.35", "3.13", "4.4", "4.20", "5.8")),
    profile_for("5.10", arch="ppc64"),
    profile_for("7.3"),
)


# More than any datagram of these targets can ask for.
_MOST_ANSWERS: Final = 600


def new_kernel(profile: Profile) -> tuple[BootedKernel, Current, NetlinkSock]:
    return _client(boot(Machine(cpus=4, clock=VirtualClock()), profile))


def _client(kernel: BootedKernel) -> tuple[BootedKernel, Current, NetlinkSock]:
    machine, profile = kernel.machine, kernel.profile
    machine.tasks.clone_thread(machine.tasks.fork(pid=100, comm="worker"), pid=101)
    current = Current.of(machine.tasks.fork(pid=42, comm="client"))
    sock = kernel.socket(current, 3, 16)
    for option in (1, 3, 10, 11, 12):
        try:
            sock.setsockopt(current, 270, option, struct.pack(profile.arch.order.char + "i", 1))
        except NetlinkError:
            continue  # of another era
    return kernel, current, sock


def _answers(sock: NetlinkSock, decoder: Decoder) -> int:
    """Read all that is there; every datagram is messages and nothing else."""
    count = 0
    while sock.receive_queue:
        data = sock.recvmsg(1 << 20).data
        walked = 0
        for offset, header in nlmsg_walk(data, decoder.order):
            walked = offset + nlmsg_align(header.nlmsg_len)
        # Before 4.12 an error's length was not rounded up, the datagram was.
        check(nlmsg_align(walked) == nlmsg_align(len(data)) > 0, data.hex())
        for message in decoder.datagram(data):
            check(list(message_lines(message)))
            message_json(message)
        count += 1
        check(count < _MOST_ANSWERS)
    check(sock.rmem_alloc == 0)
    return count


@functools.cache
def _used_kernel(which: int) -> BootedKernel:
    return boot(Machine(cpus=4, clock=VirtualClock()), PROFILES[which])


def datagram(data: bytes) -> None:
    """A request datagram to kernels of all eras."""
    # Booting takes longer than all the rest: what a client changes is undone instead.
    kernel, current, sock = _client(_used_kernel(data[0] % len(PROFILES) if data else 0))
    decoder = Decoder(kernel.profile.arch.order)
    decoder.datagram(data[1:])
    try:
        sock.sendmsg(current, data[1:])
    except NetlinkError as error:
        check(error.errno == ENODATA and not data[1:])
    _answers(sock, decoder)
    # Whatever was registered, an exit is told, and the CPUs are those there are.
    tasks, taskstats = kernel.machine.tasks, kernel.taskstats
    listeners = taskstats.listeners if taskstats is not None else {4: []}
    check(set(listeners) <= {0, 1, 2, 3})
    for task in list(tasks)[:0:-1]:
        tasks.do_exit(task, 0)
    _answers(sock, decoder)
    for task in list(tasks)[1:]:
        tasks.reap(task)
    listeners.clear()
    sock.release()


def control(data: bytes) -> None:
    """A request datagram to the family that controls the emulated kernel."""
    kernel, current, sock = new_kernel(PROFILES[0])
    journal = Journal(kernel)
    faults = Faults(kernel, journal)
    family = Control(kernel, journal, faults).family
    waits: list[Any] = []
    decoder = Decoder()
    if data:
        request = struct.pack("<HH", family.id, 5 | data[0] % 4 << 8) + data[1:]
        request = struct.pack("<I", len(request) + 4) + request
        sock.sendmsg(current, request)
        _answers(sock, decoder)
        # What was changed must not break what comes then.
        sock.sendmsg(current, request)
        for task in list(kernel.machine.tasks)[2:12]:
            if not task.flags & 4:
                kernel.machine.tasks.do_exit(task, 0)
    faults.clear()
    while sock.receive_queue or sock.sk_err:
        try:
            sock.recvmsg(1 << 20)
        except NetlinkError as error:
            check(error.errno == ENOBUFS)
    check(not waits)


def ancillary(data: bytes) -> None:
    """Any bytes as the control messages of sendmsg(2)."""
    kernel = _used_kernel(0)
    current = Current.of(kernel.machine.tasks.init_task)
    messages = uapi.parse_control(data)
    check(sum(16 + len(message.data) for message in messages) <= len(data) + 16)
    try:
        pid, uid, gid = scm_send(kernel, current, messages)
    except NetlinkError as error:
        check(error.errno in (EINVAL, EPERM, ESRCH))
    else:
        check(-(1 << 31) <= pid < 1 << 31)
        check(0 <= uid < 1 << 32 and 0 <= gid < 1 << 32)


class _Peer:
    """A client of the server's that takes whatever comes."""

    def __init__(self, sock: NetlinkSock) -> None:
        self.sock = sock
        self.answers: list[bytes] = []

    @property
    def post(self) -> _Peer:
        return self

    def flush_all(self, peers: Sequence[_Peer]) -> None:
        for peer in peers:
            peer.flush()

    def flush(self) -> None:
        while self.sock.receive_queue:
            self.sock.take_datagram()

    def answer(self, datagram: bytes) -> None:
        self.answers.append(datagram)

    def sweep(self) -> None:
        return


def hello(data: bytes) -> None:
    """Any bytes as a hello to the server, and as datagrams behind it."""
    service = Service(_used_kernel(0), everyone_is_root, lambda: None)
    peer = _Peer(service.socket(Ucred(42, 0, 0)))
    service.serve(peer)
    greeting = data[1:] if data[:1] == b"-" else Hello().magic + data
    for datagram in (greeting, greeting[:40], greeting[40:]):
        answered = len(peer.answers)
        service.receive(peer, Ucred(42, 0, 0), datagram)
        check((len(peer.answers) > answered) == is_hello(datagram))
    for answer in peer.answers:
        found = decode_hello(answer)
        check(found is not None and encode_hello(found) == answer)
    check(not peer.sock.receive_queue)
    service.release(peer)


_UAPI_ERRORS: Final = frozenset({EFAULT, EINVAL, EMSGSIZE, ENOBUFS})


def memory(data: bytes) -> None:
    """Any bytes as what the interposer reads from a client: msghdr, iovecs, cmsgs, addresses."""
    if len(data) < 9:
        return
    client = trap(Pages(data[8:], 1024))
    at = BASE + data[0] % 64
    for read in (
        lambda: uapi.read_iovec(client, at, data[1] | data[2] << 8),
        lambda: uapi.readv_iovec(client, at, data[1] | data[2] << 8),
        lambda: uapi.read_address(client, at, data[3] - 8),
        lambda: uapi.parse_control(uapi.read_control(client, at, data[4] << data[5] % 40)),
        lambda: uapi.of_file(at, int.from_bytes(data[:8], "little")),
        lambda: _message(client, at),
    ):
        try:
            read()
        except NetlinkError as error:
            check(error.errno in _UAPI_ERRORS)


def _message(client: Any, at: int) -> None:
    header = uapi.MsgHdr.read(client, at)
    pieces = header.iovec(client)
    check(0 <= uapi.total(pieces) <= uapi.MAX_RW_COUNT)
    places: Sequence[tuple[int, bytes]] = uapi.scatter(pieces, bytes(100))
    for (address, part), (start, length) in zip(places, pieces, strict=False):
        check(address == start and len(part) <= length)
    uapi.place_msghdr(client, header, bytes(12), [], 0)
