"""What files and options may be: any text or bytes, refused in one sentence, or understood."""

from __future__ import annotations

import itertools

from fuzz.check import check
from fuzz.clients import PROFILES, new_kernel
from netlink_emu.cassettes import read_cassette, write_cassette
from netlink_emu.cassettes.recording.finish import finished
from netlink_emu.cassettes.recording.unfinished import UnfinishedError, read_unfinished
from netlink_emu.conformance.cases.case import CaseError
from netlink_emu.conformance.cases.corpus_form import write_cases
from netlink_emu.conformance.cases.transcripts import read_transcripts
from netlink_emu.conformance.runner import run_case
from netlink_emu.conformance.targets.emulator import EmulatorTarget
from netlink_emu.documents import DocumentError
from netlink_emu.families import boot
from netlink_emu.faults import FaultError, Faults
from netlink_emu.journal import Journal
from netlink_emu.journal.match import UnknownName
from netlink_emu.journal.parse import parse_criteria
from netlink_emu.kernel.config import ConfigError, configure, parse_settings
from netlink_emu.kernel.releases import byte_order
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.scenario import ScenarioError, parse_scenario
from netlink_emu.machine.timeline import Timeline
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.family import decode
from netlink_emu.protocol.format import LITTLE, DecodeError
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.hextext import read_hex
from netlink_emu.protocol.reading.pcapng import Packet, PcapngWriter, read_capture
from netlink_emu.protocol.reading.render import message_json, message_lines
from netlink_emu.specs import read_spec


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
    kernel, current, sock = new_kernel(PROFILES[0])
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
