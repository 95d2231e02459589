"""An emulator that is wrong in one place fails, and the report says where."""

from __future__ import annotations

import dataclasses
import re
import struct
from typing import Any

import pytest
from helpers.broken import Spoil, boot_with

from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.report.text import failure
from netlink_emu.conformance.runner import Report, Verdict, run
from netlink_emu.conformance.targets.emulator import EmulatorTarget
from netlink_emu.families import BootedKernel, boot
from netlink_emu.kernel.profile import Profile
from netlink_emu.machine.machine import Machine

CASES = {case.name: case for case in load_corpus()}
NLMSG_ERROR = 2


def run_broken(spoil: Spoil, *names: str) -> Report:
    cases = [CASES[name] for name in names] or list(CASES.values())
    return run(cases, EmulatorTarget(boot=boot_with(spoil)))


def first_failure(report: Report) -> str:
    result = next(result for result in report.results if result.verdict is Verdict.FAILED)
    return "\n".join(failure(result))


def at(offset: int, change: int, least: int = 0) -> Spoil:
    """One bit somewhere, in datagrams of some length."""

    def spoil(data: bytearray) -> None:
        if len(data) >= max(least, offset + 1):
            data[offset] ^= change

    return spoil


def flags_of_errors(data: bytearray) -> None:
    if data[4] == NLMSG_ERROR:
        data[7] ^= 0x01  # NLM_F_CAPPED


def swap_name_and_id(data: bytearray) -> None:
    """CTRL_ATTR_FAMILY_ID in front of CTRL_ATTR_FAMILY_NAME, as if ctrl_fill_info() did so."""
    if data[4] == 0x10 and data[16] == 1:
        (length,) = struct.unpack_from("<H", data, 20)
        padded = (length + 3) & ~3
        name, number = data[20 : 20 + padded], data[20 + padded : 28 + padded]
        data[20 : 28 + padded] = number + name


def swap_aggr_blocks(data: bytearray) -> None:
    if len(data) == 1172:
        data[20:] = data[596:] + data[20:596]


def cut(data: bytearray) -> None:
    if len(data) == 596:
        del data[592:]
        struct.pack_into("<I", data, 0, 592)


@pytest.mark.parametrize(
    ("spoil", "case", "line"),
    [
        pytest.param(
            flags_of_errors,
            "event_exit_0",
            r"! +6  nlmsg_flags +0x0100 CAPPED +0x0000",
            id="one flag of acknowledgements",
        ),
        pytest.param(
            at(39, 0x01, least=596),
            "get_pid_live",
            r"! +38 +\(hole\) +0000 +0001",
            id="one byte of padding in the struct",
        ),
        pytest.param(
            at(35, 0x40, least=112),
            "ctrl_getfamily_name_taskstats",
            r"! +34 +padding +0000 +0040",
            id="one byte of padding behind an attribute",
        ),
        pytest.param(
            swap_name_and_id,
            "ctrl_getfamily_name_taskstats",
            r"! +\d+ +FAMILY_ID +(- +type 1, 6 bytes|type 1, 6 bytes +-)\n",
            id="two attributes in the wrong order",
        ),
        pytest.param(
            swap_aggr_blocks,
            "event_threads_then_leader",
            r"! +20 +AGGR_TGID +- +type 5, 576 bytes\n",
            id="two nests in the wrong order",
        ),
        pytest.param(
            at(44, 0x20, least=596),
            "event_exit_0",
            r"! +44 +ac_flag +0x0021 AFORK\|AGROUP +0x0001 AFORK",
            id="one bit of ac_flag",
        ),
        pytest.param(
            at(12, 0xFF),
            "frame_flag_echo",
            r"! +12 +nlmsg_pid +\d+ +\d+",
            id="the portid",
        ),
        pytest.param(
            at(8, 0x01, least=596),
            "get_pid_live",
            r"! +8 +nlmsg_seq +1 +0",
            id="the sequence number of a reply",
        ),
        pytest.param(cut, "get_pid_live", r"596 bytes expected, 592 came", id="four bytes less"),
        pytest.param(
            at(17, 0x02, least=100),
            "get_pid_live",
            r"! +17 +version +1 +3",
            id="the family's version",
        ),
    ],
)
def test_the_report_names_the_fault(spoil: Spoil, case: str, line: str) -> None:
    report = run_broken(spoil, case)
    assert report.failed
    text = first_failure(report)
    assert re.search(line, text), text
    assert CASES[case].title in text


def test_a_wrong_counter_of_events() -> None:
    """The second event of each CPU counts as the first: seen by its distance, not its value."""
    seen: list[int] = []

    def spoil(data: bytearray) -> None:
        if len(data) == 596 and not any(data[12:16]):
            seen.append(1)
            if len(seen) == 2:
                struct.pack_into("<I", data, 8, struct.unpack_from("<I", data, 8)[0] - 1)

    text = first_failure(run_broken(spoil, "event_seq_per_cpu"))
    assert "nlmsg_seq of CPU 0 is +0 from an earlier event, recorded +1" in text


def test_a_value_that_no_task_can_have() -> None:
    """The I/O counters vary, but they are rounded to KiB."""
    text = first_failure(run_broken(at(36 + 216, 0x01, least=596), "get_pid_live"))
    assert "read_char is not a multiple of 1024" in text


@pytest.mark.parametrize(
    ("capability", "case"),
    [
        ("getpolicy_dump_only_cmd", "ctrl_getpolicy_both_differ"),
        ("policy_u64_pad", "ctrl_getpolicy_both_differ"),
        ("policy_u64_pad", "error_erange_policy_ext_cap"),
        ("so_by_family", "sock_options_defaults"),
        ("timestamping_phc", "diff_sol_socket_rare"),
        ("zerocopy_eopnotsupp", "diff_sol_socket_rare"),
        ("busy_poll_for_anyone", "diff_sol_socket_txtime"),
        ("timestamping_new_readable", "diff_sol_socket_timestamps"),
        ("capable_when_needed", "get_pid_sched_batch"),
        ("task_freezable", "cgroup_v1_nanosleep"),
        ("newest_so", "sock_options_by_age"),
        ("listen_all_nsid_readable", "sock_options_by_age"),
        ("reuseport_inet_only", "sock_options_by_age"),
        ("timestamping_flags", "sock_options_by_age"),
        ("large_sends_exact", "sock_cost_of_a_large_message"),
        ("truesize_whole", "sock_cost_of_a_large_message"),
        ("passsec_truncates", "sock_passsec_without_room"),
        ("trimmed_anew", "frame_replies_overrun_no_enobufs"),
        ("skb_small_head", "frame_replies_overrun_no_enobufs"),
        ("rmem_sum_rule", "event_overrun_minimal"),
        ("extack_dump_start", "ctrl_getpolicy_bad_op_ext_cap"),
    ],
)
def test_what_another_era_does(capability: str, case: str) -> None:
    """6.18 with one capability as other kernels have it."""

    def other(machine: Machine, profile: Profile) -> BootedKernel:
        ours = getattr(profile, capability)
        # Of a number, what it was before it changed last.
        flipped: Any = {capability: not ours if isinstance(ours, bool) else ours - 1}
        return boot(machine, dataclasses.replace(profile, **flipped))

    report = run([CASES[case]], EmulatorTarget(boot=other))
    assert report.failed, case
    assert not run([CASES[case]], EmulatorTarget()).failed


def test_most_cases_notice_a_flag_too_many() -> None:
    report = run_broken(at(6, 0x02))
    assert report.count(Verdict.FAILED) > 400
