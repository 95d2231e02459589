"""What any bytes may do: each target takes bytes, and raises where something is wrong.

Allowed are the kernel's errnos, silence, and the documented error of each reader. Whatever else
comes out of a target is a bug. ``python -m fuzz`` runs them under atheris, guided by coverage;
test_targets.py runs them over the corpus, over mutations of it, and over hypothesis' bytes.
"""

from __future__ import annotations

import functools
import itertools
import struct
from collections.abc import Callable, Sequence
from errno import EINVAL, ENOBUFS, ENODATA, EOVERFLOW, EPERM, ERANGE, ESRCH
from typing import Any, Final

from helpers.memory import BASE, Pages, trap

from fuzz.check import check
from fuzz.edges import relay_calls, relay_reports, system_calls
from fuzz.families import policies, recording, values
from netlink_emu.cassettes import read_cassette, write_cassette
from netlink_emu.cassettes.recording.finish import finished
from netlink_emu.cassettes.recording.unfinished import UnfinishedError, read_unfinished
from netlink_emu.conformance.cases.case import CaseError
from netlink_emu.conformance.cases.corpus_form import write_cases
from netlink_emu.conformance.cases.transcripts import read_transcripts
from netlink_emu.conformance.runner import run_case
from netlink_emu.conformance.targets.emulator import EmulatorTarget
from netlink_emu.documents import DocumentError
from netlink_emu.families import BootedKernel, boot
from netlink_emu.families.control import Control
from netlink_emu.faults import FaultError, Faults
from netlink_emu.interpose.syscalls import uapi
from netlink_emu.journal import Journal
from netlink_emu.journal.match import UnknownName
from netlink_emu.journal.parse import parse_criteria
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.config import ConfigError, configure, parse_settings
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.releases import byte_order, profile_for
from netlink_emu.kernel.scm import scm_send
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.scenario import ScenarioError, parse_scenario
from netlink_emu.machine.timeline import Timeline
from netlink_emu.protocol.attributes import nla_walk
from netlink_emu.protocol.bpf import Filter
from netlink_emu.protocol.cpulist import CpulistDialect, format_cpulist, parse_cpulist
from netlink_emu.protocol.errors import NetlinkError, NetlinkExtAck
from netlink_emu.protocol.family import decode
from netlink_emu.protocol.format import BIG, LITTLE, DecodeError
from netlink_emu.protocol.netlink import nlmsg_align, nlmsg_walk
from netlink_emu.protocol.ours.hello import Hello, decode_hello, encode_hello, is_hello
from netlink_emu.protocol.policy import (
    LIBERAL,
    STRICT,
    NlaPolicy,
    NlaType,
    Parser,
    ParseRules,
    nla_parse,
)
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.hextext import read_hex
from netlink_emu.protocol.reading.pcapng import Packet, PcapngWriter, read_capture
from netlink_emu.protocol.reading.render import message_json, message_lines
from netlink_emu.server.service import Service, Ucred, everyone_is_root
from netlink_emu.specs import read_spec

Target = Callable[[bytes], None]

_PROFILES: Final = (
    Profile(),
    *(profile_for(release) for release in ("2.6.18", "2.6.35", "3.13", "4.4", "4.20", "5.8")),
    profile_for("5.10", arch="ppc64"),
    profile_for("7.3"),
)
# More than any datagram of these targets can ask for.
_MOST_ANSWERS: Final = 600


def _kernel(profile: Profile) -> tuple[BootedKernel, Current, NetlinkSock]:
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
    return boot(Machine(cpus=4, clock=VirtualClock()), _PROFILES[which])


def datagram(data: bytes) -> None:
    """A request datagram to kernels of all eras."""
    # Booting takes longer than all the rest: what a client changes is undone instead.
    kernel, current, sock = _client(_used_kernel(data[0] % len(_PROFILES) if data else 0))
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
    kernel, current, sock = _kernel(_PROFILES[0])
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


_TYPES: Final = tuple(NlaType)


def attributes(data: bytes) -> None:
    """Any attributes under any policy: the fast way of a parser and the slow one agree."""
    if len(data) < 8:
        return
    choice, mask, order = (
        data[0],
        0x3FFF if data[1] & 1 else 0xFFFF,
        (LITTLE, BIG)[data[1] >> 1 & 1],
    )
    policy = {
        number: NlaPolicy(_TYPES[byte % len(_TYPES)], byte >> 4)
        for number, byte in enumerate(data[2:8], 1)
    }
    rules = ParseRules(attr_type_mask=mask, nul_string=bool(data[1] & 4))
    validate = STRICT if choice & 1 else LIBERAL
    body = data[8:]
    extack = NetlinkExtAck()
    outcomes: list[Any] = []
    slow = Parser(policy, maxtype=6, validate=validate, order=order, rules=rules)
    slow._good = {}  # each attribute takes the way through validate_nla()
    ways: list[Callable[[], dict[int, bytes]]] = [
        lambda: nla_parse(
            body, 0, len(body), policy, maxtype=6, extack=extack, validate=validate, order=order,
            rules=rules,
        ),
        lambda: slow.parse(body, 0, len(body), NetlinkExtAck()),
    ]  # fmt: skip
    for parse in ways:
        try:
            outcomes.append(parse())
        except NetlinkError as error:
            check(error.errno in (EINVAL, ERANGE))
            outcomes.append(error.errno)
    check(outcomes[0] == outcomes[1])
    if isinstance(outcomes[0], dict):
        check(all(0 < kind <= 6 for kind in outcomes[0]))
    end = 0
    for _, offset, length in nla_walk(body, 0, len(body), order):
        check(end <= offset - 4 and offset + length <= len(body))
        end = offset + length
    if extack.bad_attr is not None:
        check(extack.bad_attr < len(body))


_WIDTHS: Final = (1, 2, 8, 64, 256, 8192)


def cpulist(data: bytes) -> None:
    """Any text as a cpulist of all eras."""
    if not data:
        return
    nbits = _WIDTHS[data[0] % len(_WIDTHS)]
    for dialect in CpulistDialect:
        try:
            mask = parse_cpulist(data[1:], nbits, dialect)
        except NetlinkError as error:
            check(error.errno in (EINVAL, ERANGE, EOVERFLOW))
            continue
        check(0 <= mask < 1 << nbits)
        if mask:
            again = format_cpulist(mask).encode()
            check(parse_cpulist(again, nbits, CpulistDialect.E1) == mask)
            check(parse_cpulist(again, nbits, CpulistDialect.E5) == mask)


def scenario(data: bytes) -> None:
    """Any text as a scenario; one that is read is also carried out, for a while."""
    clock = VirtualClock()
    machine = Machine(cpus=4, clock=clock)
    boot(machine)
    try:
        timeline = Timeline(parse_scenario(data.decode("utf-8", "replace")), machine)
        for _ in range(20):
            if timeline.next_ns is None:
                return
            clock.advance_ns(max(0, timeline.next_ns - clock.monotonic_ns()))
            timeline.run_due(20)
    except ScenarioError as error:
        _one_sentence(str(error))


def capture(data: bytes) -> None:
    """Any bytes as a pcapng or pcap file."""
    try:
        packets = list(itertools.islice(read_capture(data), 1000))
    except DecodeError as error:
        _one_sentence(str(error))
        return
    writer = PcapngWriter()
    again = writer.header() + b"".join(
        writer.packet(Packet(p.time_ns % (1 << 64), p.data, p.to_kernel, p.family, LITTLE))
        for p in packets
    )
    check([p.data for p in read_capture(again)] == [p.data for p in packets])
    for packet in packets:
        decoder = Decoder(packet.order)
        for message in decoder.datagram(packet.data):
            list(message_lines(message))
            message_json(message)


def hextext(data: bytes) -> None:
    """Any text as pasted hex."""
    try:
        list(read_hex(data.decode("utf-8", "replace")))
    except DecodeError as error:
        _one_sentence(str(error))


def transcript(data: bytes) -> None:
    """Any text as a transcript, in either form."""
    try:
        cases = read_transcripts(data.decode("utf-8", "replace"))
    except CaseError as error:
        _one_sentence(str(error))
        return
    if cases:
        write_cases(cases)
    for case in cases[:2]:
        run_case(case, EmulatorTarget())


def rules(data: bytes) -> None:
    """Any text as a fault, as criteria, and as a setting."""
    text = data.decode("utf-8", "replace")
    kernel, current, sock = _kernel(_PROFILES[0])
    faults = Faults(kernel, Journal(kernel))
    try:
        faults.parse(text)
    except (FaultError, UnknownName) as error:
        _one_sentence(str(error))
    else:
        for request in (bytes(3), b"\x14\0\0\0\x10\0\5\3" + bytes(8) + b"\3\1\0\0"):
            try:
                sock.sendmsg(current, request)
                while sock.receive_queue:
                    sock.recvmsg(1 << 16)
            except NetlinkError:
                continue
        faults.clear()
    for parse in (parse_criteria, lambda text: configure(parse_settings([text]))):
        try:
            parse(text)
        except (ConfigError, ValueError) as error:
            check(type(error) in (ConfigError, ValueError))
            _one_sentence(str(error))


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
            check(error.errno in uapi_errors)


def _message(client: Any, at: int) -> None:
    header = uapi.MsgHdr.read(client, at)
    pieces = header.iovec(client)
    check(0 <= uapi.total(pieces) <= uapi.MAX_RW_COUNT)
    places: Sequence[tuple[int, bytes]] = uapi.scatter(pieces, bytes(100))
    for (address, part), (start, length) in zip(places, pieces, strict=False):
        check(address == start and len(part) <= length)
    uapi.place_msghdr(client, header, bytes(12), [], 0)


uapi_errors: Final = frozenset({14, 22, 90, 105})  # EFAULT, EINVAL, EMSGSIZE, ENOBUFS


def bpf(data: bytes) -> None:
    """Any bytes as a socket filter, and as what it is run over."""
    count = data[0] % 32 if data else 0
    code, packet = data[1 : 1 + 8 * count], data[1 + 8 * count :]
    program = [struct.unpack_from("<HBBI", code, at) for at in range(0, len(code) - 7, 8)]
    try:
        kept = Filter(program).run(packet)
    except NetlinkError as error:
        check(error.errno == EINVAL)
    else:
        check(0 <= kept < 1 << 32)


def spec(data: bytes) -> None:
    """Any text as a spec; one that is read decodes whatever follows."""
    try:
        family = read_spec(data, "x").declaration
    except DocumentError as error:
        _one_sentence(str(error))
        return
    for attributes in family.attribute_sets.values():
        decode(attributes, data[-256:])


def cassette(data: bytes) -> None:
    """Any text as a cassette; what is read is written, and read back equal."""
    try:
        found = read_cassette(data, "x")
    except DocumentError as error:
        _one_sentence(str(error))
        return
    check(read_cassette(write_cassette(found), "x") == found)


def unfinished(data: bytes) -> None:
    """What a killed recorder has left: a cassette is made of what can be read."""
    try:
        found = read_unfinished(data)
    except UnfinishedError as error:
        _one_sentence(str(error))
        return
    head = found.plan.head
    redact = found.plan.redact
    made = finished(head, found.streams, byte_order(head.arch), redact=redact)
    check(read_cassette(write_cassette(made), "x") == made)


def _one_sentence(text: str) -> None:
    check(text and "\n" not in text and len(text) < 2000, text)


TARGETS: Final[dict[str, Target]] = {
    target.__name__: target
    for target in (
        datagram, control, attributes, cpulist, scenario, capture, hextext, transcript, rules,
        ancillary, hello, memory, bpf,
        system_calls, relay_calls, relay_reports,
        policies, values, recording, spec, cassette, unfinished,
    )
}  # fmt: skip
