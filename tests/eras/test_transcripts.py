"""The transcripts of 6.18.44 on its neighbours: what differs there is what the eras say.

Kernels with the same struct must give the same bytes in all cases but those that a capability
of theirs decides.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.runner import Verdict, run
from netlink_emu.conformance.targets.emulator import EmulatorTarget
from netlink_emu.families import BootedKernel, boot
from netlink_emu.kernel.profile import Getpolicy, Profile
from netlink_emu.kernel.releases import differences, profile_for
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.cpulist import CpulistDialect

# What fuzzing found since is about single calls of 6.18, and says nothing of its neighbours.
CASES = tuple(case for case in load_corpus() if not case.name.startswith("diff_"))


def received(*names: str, by: tuple[str, ...] = ("recv", "recvfrom", "read", "readv")) -> set[str]:
    """Cases that are there once for each system call that receives without an address."""
    return {f"receive_{name}_{call}" for name in names for call in by}


def peeked(*names: str) -> set[str]:
    """Cases whose receives have flags."""
    return received(*names, by=("recv", "recvfrom"))


# Which cases a capability decides, and so those that fail on a kernel without it.
CASES_OF = {
    "tgid_exit_version": {
        "event_leader_exits_first", "event_overrun_big_event", "event_thread_comm",
        "event_thread_exec", "event_thread_exits", "event_threads_on_other_cpu",
        "event_threads_then_leader", "event_was_threaded_before_register",
    },
    "dead_threads_keep_times": {
        "get_tgid_zombie_was_threaded", "event_leader_exits_first", "event_overrun_big_event",
        "event_thread_comm", "event_thread_exec", "event_thread_exits",
        "event_threads_on_other_cpu", "event_threads_then_leader",
        "event_was_threaded_before_register",
    },
    "rmem_sum_rule": {
        "frame_replies_no_enobufs_set_late", "frame_replies_overrun_ack",
        "frame_replies_overrun_no_enobufs", "frame_replies_overrun_so_error",
        "event_overrun_congested_until_drained", "event_overrun_minimal",
        "event_overrun_no_enobufs", "event_overrun_not_pruned", "event_overrun_reply_lost",
        *received("overrun", "overrun_asked", "overrun_twice", "overrun_unheard", "overrun_waits"),
        *received("overrun_of_0", by=("read", "readv")), *peeked("overrun_peek"),
    },
    "newest_so": {"sock_options_by_age"},
    "so_by_family": {"sock_options_by_age", "sock_options_defaults"},
    "timestamping_flags": {"sock_options_by_age"},
}  # fmt: skip


OF_6_16 = ["dead_threads_keep_times", "tgid_exit_version"]


def failing(changes: dict[str, Any]) -> set[str]:
    """The cases that fail on 6.18.44 with some capabilities changed."""

    def boot_changed(machine: Machine, profile: Profile) -> BootedKernel:
        return boot(machine, dataclasses.replace(profile, **changes))

    report = run(CASES, EmulatorTarget(boot=boot_changed))
    assert report.count(Verdict.SKIPPED) == 0
    return {r.case.name for r in report.results if r.verdict is Verdict.FAILED}


@pytest.mark.parametrize(
    ("release", "decide"),
    [
        ("6.18.44", []),
        ("6.18.43", ["dead_threads_keep_times"]),
        ("6.18.35", ["dead_threads_keep_times"]),
        ("6.18.34", ["dead_threads_keep_times", "tgid_exit_version"]),
        ("6.19", ["dead_threads_keep_times", "tgid_exit_version"]),
        ("6.16", OF_6_16),
        ("6.15.7", [*OF_6_16, "newest_so", "so_by_family"]),
        ("6.15", [*OF_6_16, "newest_so", "so_by_family", "rmem_sum_rule"]),
        (
            "6.14.9",
            [*OF_6_16, "newest_so", "so_by_family", "rmem_sum_rule", "timestamping_flags"],
        ),
    ],
)
def test_kernels_with_the_same_struct(release: str, decide: list[str]) -> None:
    profile = profile_for(release)
    changed = differences(profile, Profile())
    assert set(changed) == set(decide)
    expected = set().union(*(CASES_OF[name] for name in decide))
    assert failing({name: getattr(profile, name) for name in changed}) == expected


# Capabilities that are about few cases; each decides its own and no other's.
ALONE: list[tuple[str, Any, set[str]]] = [
    ("cgroup_removed_enoent", False, {"cgroup_v1_removed"}),
    ("zero_send_enodata", False, {"sock_send_empty"}),
    ("exitcode_every_thread", False, {"event_leader_exits_first"}),
    ("kernel_uses_namespaces", False, {"priv_pidns_get_self"}),
    ("register_needs_init_ns", False, {"priv_pidns_deregister"}),
    ("ioctl_enotty", False, {"sock_ioctl_fionread"}),
    (
        "msg_trunc_returns_length",
        False,
        {"sock_recv_msg_trunc", *peeked("dump_peek", "length", "peek_of_0")},
    ),
    ("mmap_rings", True, {"sock_option_unknown"}),
    ("bind_checks_length", False, {"sock_bind_bad_addresses"}),
    (
        "opener_capability",
        False,
        {"priv_opened_by_nobody_connected", "priv_opened_by_nobody_used_by_root"},
    ),
    (
        "cpulist_dialect",
        CpulistDialect.E5A,
        {"mask_deregister_all", "mask_register_all_list", "mask_register_all_upper"},
    ),
    (
        "dump_needs_both_bits",
        False,
        {"frame_flag_match_taskstats", "frame_flag_root_taskstats"},
    ),
    (
        "duplicate_register_ignored",
        False,
        {
            "event_duplicate_registration",
            "event_same_socket_two_names",
            "event_stale_listener_register_again",
        },
    ),
    (
        "protocol_must_exist",
        False,
        {f"sock_create_protocol_{number}" for number in (1, 14, 17, 22)},
    ),
    (
        "cpulist_whole_string",
        True,
        {
            "mask_register_length_maxlen_unterminated",
            "mask_register_unterminated_0",
            "mask_register_unterminated_10",
            "mask_register_unterminated_garbage",
        },
    ),
    # Nothing in the transcripts depends on these.
    ("families_dumped_by_id", False, set()),
    ("autobind_random", False, set()),
]


def test_capabilities_decide_their_cases_alone() -> None:
    """All of them at once: none may spoil, or mend, another's cases."""
    expected = set().union(*(cases for _, _, cases in ALONE))
    assert failing({name: value for name, value, _ in ALONE}) == expected


def test_getpolicy_of_5_8() -> None:
    """Only cases that ask for a policy, or list every operation, mind."""
    cases = failing({"getpolicy": Getpolicy.FAMILY})
    assert "ctrl_getpolicy_taskstats_name" in cases
    asking = {c.name for c in CASES if "policy" in c.name or "policy" in c.title.lower()}
    listing = {"frame_multi_dump_valid", "ctrl_dump_small_reads"}
    assert cases - asking <= listing | received("dump_again", "dumps") | peeked("dump_peek")
