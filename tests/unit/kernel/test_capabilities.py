"""Every capability at both sides of each of its boundaries.

Expectations are written out by hand, from what the kernel's source did in each release, not
computed from the table under test.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from netlink_emu.kernel.profile import (
    DoneExtack,
    FamilyIds,
    GetfamilyAttrs,
    Getpolicy,
    MemIntegral,
    MinBuffers,
    Profile,
    TaskstatsPad,
)
from netlink_emu.kernel.releases import CAPABILITIES, differences, profile_for
from netlink_emu.protocol.cpulist import CpulistDialect

E = CpulistDialect

# (capability, its values with the first and the last release that has each)
ERAS: list[tuple[str, list[tuple[str, str, Any]]]] = [
    (
        "taskstats_version",
        [
            ("2.6.18", "2.6.18.8", 1),
            ("2.6.19", "2.6.19", 2),
            ("2.6.20", "2.6.20", 3),
            ("2.6.21", "2.6.22", 4),
            ("2.6.23", "2.6.23", 5),
            ("2.6.24", "2.6.26", 6),
            ("2.6.27", "2.6.36", 7),
            ("2.6.37", "4.19", 8),
            ("4.20", "5.5", 9),
            ("5.6", "5.16", 10),
            ("5.17", "5.18", 11),
            ("5.19", "6.3", 13),
            ("6.4", "6.13", 14),
            ("6.14", "6.14.8", 15),
            ("6.14.9", "6.14.11", 16),
            ("6.15", "6.19", 16),
            ("7.0", "7.3", 17),
        ],
    ),
    ("cgroupstats", [("2.6.18", "2.6.23", False), ("2.6.24", "7.3", True)]),
    ("tgid_ctxsw", [("2.6.18", "2.6.22", False), ("2.6.23", "7.3", True)]),
    ("tgid_times", [("2.6.18", "4.11", False), ("4.12", "7.3", True)]),
    (
        "tgid_exit_version",
        [
            ("2.6.18", "5.10.257", False),
            ("5.10.258", "5.10.262", True),
            ("5.11", "5.15.208", False),
            ("5.15.209", "5.15.210", True),
            ("5.16", "6.1.174", False),
            ("6.1.175", "6.1.200", True),
            ("6.2", "6.6.139", False),
            ("6.6.140", "6.6.150", True),
            ("6.7", "6.12.85", False),
            ("6.12.86", "6.12.200", True),
            ("6.13", "6.18.34", False),
            ("6.18.35", "6.18.44", True),
            ("6.19", "7.0.3", False),
            ("7.0.4", "7.0.5", True),
            ("7.1", "7.3", True),
        ],
    ),
    (
        "dead_threads_keep_times",
        [
            ("2.6.18", "6.1.183", False),
            ("6.1.184", "6.1.200", True),
            ("6.2", "6.12.96", False),
            ("6.12.97", "6.12.200", True),
            ("6.13", "6.18.43", False),
            ("6.18.44", "6.18.60", True),
            ("6.19", "7.0", False),
            ("7.1", "7.3", True),
        ],
    ),
    ("dead_threads_always_kept", [("2.6.18", "2.6.18", False), ("2.6.19", "7.3", True)]),
    ("delayacct_default_on", [("2.6.18", "5.13", True), ("5.14", "7.3", False)]),
    ("cpu_delay_always", [("2.6.18", "5.13", False), ("5.14", "7.3", True)]),
    (
        "io_rounding",
        [("2.6.18", "3.0", False), ("3.0.101", "3.0.101", True), ("3.1", "7.3", True)],
    ),
    ("times_in_usec", [("2.6.18", "2.6.36", False), ("2.6.37", "7.3", True)]),
    (
        "mem_integral",
        [
            ("2.6.18", "2.6.26", MemIntegral.SYSTEM_TIME),
            ("2.6.27", "4.8", MemIntegral.CPU_TIME),
            ("4.9", "7.3", MemIntegral.CPU_TICKS),
        ],
    ),
    ("zero_delay_ignored", [("2.6.18", "3.17", False), ("3.18", "7.3", True)]),
    (
        "exitcode_every_thread",
        [
            ("2.6.18", "4.19.230", False),
            ("4.19.231", "4.19.300", True),
            ("4.20", "5.4.180", False),
            ("5.4.181", "5.4.290", True),
            ("5.5", "5.10.93", False),
            ("5.10.94", "5.10.262", True),
            ("5.11", "5.15.16", False),
            ("5.15.17", "5.15.99", True),
            ("5.16", "5.16", False),
            ("5.17", "7.3", True),
        ],
    ),
    ("last_thread_decides_status", [("2.6.18", "5.19", False), ("6.0", "7.3", True)]),
    ("agroup", [("2.6.18", "5.18", False), ("5.19", "7.3", True)]),
    ("kernel_uses_namespaces", [("2.6.18", "3.6", False), ("3.7", "7.3", True)]),
    ("vpid_lookup", [("2.6.18", "2.6.25", False), ("2.6.26", "7.3", True)]),
    (
        "get_needs_admin",
        [("2.6.18", "3.0", False), ("3.0.101", "3.0.101", True), ("3.1", "7.3", True)],
    ),
    ("register_needs_init_ns", [("2.6.18", "3.6", False), ("3.7", "7.3", True)]),
    (
        "duplicate_register_ignored",
        [
            ("2.6.18", "2.6.38.7", False),
            ("2.6.38.8", "2.6.38.8", True),
            ("2.6.39", "2.6.39.3", False),
            ("2.6.39.4", "7.3", True),
        ],
    ),
    ("register_enomem", [("2.6.18", "3.12", False), ("3.13", "7.3", True)]),
    (
        "cpulist_dialect",
        [
            ("2.6.18", "2.6.39", E.E1),
            ("3.0", "3.2.70", E.E2A),
            ("3.2.71", "3.2.102", E.E2B),
            ("3.3", "3.18.19", E.E2A),
            ("3.18.20", "3.18.140", E.E2B),
            ("3.19", "4.1", E.E2A),
            ("4.2", "4.2", E.E2B),
            ("4.3", "4.8", E.E2C),
            ("4.9", "4.13", E.E3A),
            ("4.14", "5.1", E.E3),
            ("5.2", "5.12", E.E4),
            ("5.13", "5.13", E.E5A),
            ("5.14", "7.3", E.E5),
        ],
    ),
    ("cpulist_nr_cpu_ids_wide", [("2.6.18", "6.0", False), ("6.1", "7.3", True)]),
    (
        "cpulist_whole_string",
        [
            ("2.6.18", "6.1.187", False),
            ("6.1.188", "6.1.200", True),
            ("6.2", "6.12.108", False),
            ("6.12.109", "6.12.130", True),
            ("6.13", "7.1", False),  # 6.18.44 among them
            ("7.2", "7.3", True),
        ],
    ),
    ("cgroup_bad_fd_ebadf", [("2.6.18", "7.2", False), ("7.3", "7.3", True)]),
    ("cgroup_removed_enoent", [("2.6.18", "3.19", False), ("4.0", "7.3", True)]),
    (
        "getfamily_attrs",
        [
            ("2.6.18", "2.6.18", GetfamilyAttrs.NAME_ID),
            ("2.6.19", "2.6.19", GetfamilyAttrs.FLAG_OPS),
            ("2.6.20", "7.3", GetfamilyAttrs.FULL),
        ],
    ),
    ("notify_group", [("2.6.18", "2.6.22", False), ("2.6.23", "7.3", True)]),
    ("families_announced_whole", [("2.6.18", "3.12", False), ("3.13", "7.3", True)]),
    (
        "group_capabilities",
        [
            ("2.6.18", "5.10.203", False),
            ("5.10.204", "5.10.262", True),
            ("5.11", "5.11", False),
            ("5.12", "7.3", True),
        ],
    ),
    ("nlctrl_version", [("2.6.18", "2.6.19", 1), ("2.6.20", "7.3", 2)]),
    (
        "ctrl_attr_max",
        [
            ("2.6.18", "2.6.18", 2),
            ("2.6.19", "2.6.22", 6),
            ("2.6.23", "5.7", 7),
            ("5.8", "5.9", 8),
            ("5.10", "7.3", 10),
        ],
    ),
    ("per_op_policy", [("2.6.18", "5.9", False), ("5.10", "7.3", True)]),
    (
        "family_ids",
        [
            ("2.6.18", "4.9", FamilyIds.SEQUENTIAL),
            ("4.10", "5.1", FamilyIds.LOWEST_FREE),
            ("5.2", "7.3", FamilyIds.CYCLIC),
        ],
    ),
    ("reserved_family_ids", [("2.6.18", "3.12", False), ("3.13", "7.3", True)]),
    ("families_dumped_by_id", [("2.6.18", "4.9", False), ("4.10", "7.3", True)]),
    (
        "dump_resume_loses_family",
        [("2.6.18", "4.9", False), ("4.10", "4.10", True), ("4.12", "7.3", False)],
    ),
    (
        "getpolicy",
        [
            ("2.6.18", "5.7", Getpolicy.ABSENT),
            ("5.8", "5.9", Getpolicy.FAMILY),
            ("5.10", "7.3", Getpolicy.PER_OP),
        ],
    ),
    (
        "getpolicy_dump_only_cmd",
        [
            ("2.6.18", "5.9", False),
            ("5.10", "6.1", True),
            ("6.2", "6.12.111", False),
            ("6.12.112", "6.12.117", True),
            ("6.13", "7.2.8", False),  # 6.18.44 among them
            ("7.2.9", "7.3", True),
        ],
    ),
    ("policy_u64_pad", [("2.6.18", "7.3", False)]),  # of x86
    ("genl_all_netns", [("2.6.18", "5.18", False), ("5.19", "7.3", True)]),
    ("lookup_before_permission", [("2.6.18", "6.1", False), ("6.2", "7.3", True)]),
    ("strict_headers", [("2.6.18", "6.0", False), ("6.1", "7.3", True)]),
    ("getfamily_dump_validated", [("2.6.18", "6.1", False), ("6.2", "7.3", True)]),
    ("dump_needs_both_bits", [("2.6.18", "3.9", False), ("3.10", "7.3", True)]),
    ("attr_type_mask", [("2.6.18", "2.6.23", 0xFFFF), ("2.6.24", "7.3", 0x3FFF)]),
    ("nul_string", [("2.6.18", "2.6.18", False), ("2.6.19", "7.3", True)]),
    ("extack_policy_msg", [("2.6.18", "4.17", False), ("4.19", "7.3", True)]),
    ("extack_policy", [("2.6.18", "5.9", False), ("5.10", "7.3", True)]),
    ("log_leftover_comm", [("2.6.18", "3.15", False), ("3.16", "7.3", True)]),
    ("log_attr_length", [("2.6.18", "4.14", False), ("4.15", "7.3", True)]),
    ("extack_leftover_msg", [("2.6.18", "4.19", False), ("4.20", "7.3", True)]),
    (
        "extack_done",
        [
            ("2.6.18", "4.19", DoneExtack.NONE),
            ("4.20", "6.9", DoneExtack.MSG),
            ("6.10", "7.3", DoneExtack.ALL),
        ],
    ),
    ("strict_families", [("2.6.18", "5.1", False), ("5.2", "7.3", True)]),
    ("rejects_without_policy", [("2.6.18", "6.0", False), ("6.1", "7.3", True)]),
    ("dump_policy_apart", [("2.6.18", "6.1", False), ("6.2", "7.3", True)]),
    ("uint_policies", [("2.6.18", "6.6", False), ("6.7", "7.3", True)]),
    ("split_ops_reject", [("2.6.18", "7.0", False), ("7.1", "7.3", True)]),
    ("extack_dump_start", [("2.6.18", "6.4", False), ("6.5", "7.3", True)]),
    ("extack_cookie_before_offs", [("2.6.18", "6.0", False), ("6.1", "7.3", True)]),
    ("protocol_must_exist", [("2.6.18", "2.6.18", False), ("2.6.19", "7.3", True)]),
    ("cap_ack", [("2.6.18", "4.2", False), ("4.3", "7.3", True)]),
    ("ext_ack", [("2.6.18", "4.11", False), ("4.12", "7.3", True)]),
    ("acks_capped", [("2.6.18", "4.11", False), ("4.12", "7.3", True)]),
    ("strict_chk", [("2.6.18", "4.19", False), ("4.20", "7.3", True)]),
    ("no_enobufs", [("2.6.18", "2.6.29", False), ("2.6.31", "7.3", True)]),
    ("list_memberships", [("2.6.18", "4.1", False), ("4.2", "7.3", True)]),
    ("mmap_rings", [("2.6.18", "3.9", False), ("3.10", "4.3", True), ("4.4", "7.3", False)]),
    (
        "creds_effective",
        [
            ("2.6.18", "2.6.35", False),
            ("2.6.36", "3.8", True),
            ("3.8.11", "3.8.11", False),
            ("3.9", "7.3", False),
        ],
    ),
    (
        "creds_omitted",
        [
            ("2.6.18", "3.1", False),
            ("3.2", "3.2", True),
            ("3.2.30", "3.2.30", False),
            ("3.3", "3.5", True),
            ("3.6", "7.3", False),
        ],
    ),
    ("creds_translated", [("2.6.18", "3.6", False), ("3.7", "7.3", True)]),
    ("opener_capability", [("2.6.18", "3.14", False), ("3.15", "7.3", True)]),
    ("filter_a_without_device", [("2.6.18", "3.14", False), ("3.15", "7.3", True)]),
    (
        "unicast_needs_admin",
        [
            ("2.6.18", "3.0", False),
            ("3.0.101", "3.0.101", True),
            ("3.1", "3.2", False),
            ("3.2.71", "3.2.102", True),
            ("3.3", "3.5", False),
            ("3.6", "7.3", True),
        ],
    ),
    ("connect_needs_admin", [("2.6.18", "3.13", False), ("3.14", "7.3", True)]),
    ("bind_checks_length", [("2.6.18", "3.6", False), ("3.8", "7.3", True)]),
    ("send_checks_length", [("2.6.18", "4.15", False), ("4.16", "7.3", True)]),
    (
        "zero_send_enodata",
        [
            ("2.6.18", "4.14.258", False),
            ("4.14.259", "4.14.300", True),
            ("4.15", "5.4.213", False),
            ("5.4.214", "5.4.273", True),
            ("5.5", "5.10.86", False),
            ("5.10.87", "5.10.223", True),
            ("5.11", "5.15.9", False),
            ("5.15.10", "7.3", True),
        ],
    ),
    ("autobind_random", [("2.6.18", "4.1", False), ("4.2", "7.3", True)]),
    ("msg_trunc_returns_length", [("2.6.18", "2.6.21", False), ("2.6.22", "7.3", True)]),
    ("ioctl_enotty", [("2.6.18", "4.8", False), ("4.9", "7.3", True)]),
    ("dump_grows_with_reads", [("2.6.18", "3.14", False), ("3.15", "7.3", True)]),
    ("done_shares_datagram", [("2.6.18", "6.8", False), ("6.10", "7.3", True)]),
    (
        "newest_so",
        [
            ("2.6.18", "2.6.21", 34),
            ("2.6.22", "2.6.24", 35),
            ("2.6.25", "2.6.29", 36),
            ("2.6.30", "2.6.31", 37),
            ("2.6.32", "2.6.32", 39),
            ("2.6.33", "3.2", 40),
            ("3.3", "3.3", 41),
            ("3.4", "3.8", 43),
            ("3.9", "3.9", 44),
            ("3.10", "3.10", 45),
            ("3.11", "3.12", 46),
            ("3.13", "3.13", 47),
            ("3.14", "3.18", 48),
            ("3.19", "4.4", 50),
            ("4.5", "4.5", 52),
            ("4.6", "4.11", 53),
            ("4.12", "4.12", 57),
            ("4.13", "4.13", 59),
            ("4.14", "4.18", 60),
            ("4.19", "5.0", 61),
            ("5.1", "5.2", 67),
            ("5.3", "5.10", 68),
            ("5.11", "5.13", 70),
            ("5.14", "5.14", 71),
            ("5.15", "5.15", 72),
            ("5.16", "5.17", 73),
            ("5.18", "5.18", 74),
            ("5.19", "6.4", 75),
            ("6.5", "6.11", 77),
            ("6.12", "6.13", 80),
            ("6.14", "6.15", 82),
            ("6.16", "7.3", 83),
        ],
    ),
    (
        "timestamping_flags",
        [
            ("2.6.18", "2.6.29", 0),
            ("2.6.30", "3.16", 7),
            ("3.17", "3.18", 10),
            ("3.19", "3.19", 11),
            ("4.0", "4.9", 12),
            ("4.10", "4.12", 13),
            ("4.13", "5.13", 15),
            ("5.14", "6.1", 16),
            ("6.2", "6.11", 17),
            ("6.12", "6.14", 18),
            ("6.15", "7.3", 19),
        ],
    ),
    ("timestamping_phc", [("2.6.18", "5.13", False), ("5.14", "7.3", True)]),
    ("net_raw_marks", [("2.6.18", "5.16", False), ("5.17", "7.3", True)]),
    ("capable_when_needed", [("2.6.18", "6.0", False), ("6.1", "7.3", True)]),
    ("task_freezable", [("2.6.18", "6.0", False), ("6.1", "7.3", True)]),
    ("busy_poll_for_anyone", [("2.6.18", "6.6", False), ("6.7", "7.3", True)]),
    ("listen_all_nsid_readable", [("2.6.18", "6.8", False), ("6.9", "7.3", True)]),
    ("zerocopy_eopnotsupp", [("2.6.18", "5.17", False), ("5.18", "7.3", True)]),
    ("so_by_family", [("2.6.18", "6.15", False), ("6.16", "7.3", True)]),
    (
        "timestamping_new_readable",
        [
            ("2.6.18", "6.1.71", False),
            ("6.1.72", "6.1.192", True),
            ("6.2", "6.6.10", False),
            ("6.6.11", "6.6.99", True),
            ("6.7", "6.7", False),
            ("6.8", "7.3", True),
        ],
    ),
    (
        "reuseport_inet_only",
        [
            ("2.6.18", "6.1.123", False),
            ("6.1.124", "6.1.192", True),
            ("6.2", "6.12.8", False),
            ("6.12.9", "7.3", True),
        ],
    ),
    (
        "options_read_whole",
        [
            ("2.6.18", "4.14.314", False),
            ("4.14.315", "4.14.330", True),
            ("4.15", "4.19.282", False),
            ("4.19.283", "4.19.300", True),
            ("4.20", "5.4.242", False),
            ("5.4.243", "5.4.290", True),
            ("5.5", "5.10.179", False),
            ("5.10.180", "5.10.262", True),
            ("5.11", "5.15.110", False),
            ("5.15.111", "5.15.200", True),
            ("5.16", "6.1.27", False),
            ("6.1.28", "6.1.192", True),
            ("6.2", "6.2.14", False),
            ("6.2.15", "6.2.16", True),
            ("6.3", "6.3.1", False),
            ("6.3.2", "7.3", True),
        ],
    ),
    (
        "min_buffers",
        [
            ("2.6.18", "3.1", MinBuffers.FIXED),
            ("3.2", "3.11", MinBuffers.RECEIVER),
            ("3.12", "7.3", MinBuffers.BOTH),
        ],
    ),
    ("truesize_whole", [("2.6.18", "3.1", False), ("3.2", "7.3", True)]),
    ("large_sends_exact", [("2.6.18", "3.10", False), ("3.11", "7.3", True)]),
    ("dumps_of_32k", [("2.6.18", "4.8", False), ("4.9", "7.3", True)]),
    ("trimmed_anew", [("2.6.18", "4.10", False), ("4.11", "7.3", True)]),
    (
        "group_mask_bounded",
        [
            ("2.6.18", "5.10.109", False),
            ("5.10.110", "5.10.262", True),
            ("5.11", "5.17", False),
            ("5.18", "7.3", True),
        ],
    ),
    (
        "passsec_truncates",
        [
            ("2.6.18", "5.10.179", False),
            ("5.10.180", "5.10.262", True),
            ("5.11", "6.1.27", False),
            ("6.1.28", "6.1.192", True),
            ("6.2", "6.3", False),
            ("6.4", "7.3", True),
        ],
    ),
    (
        "group_sys_admin",
        [
            ("2.6.18", "5.10.203", False),
            ("5.10.204", "5.10.262", True),
            ("5.11", "6.1.67", False),
            ("6.1.68", "6.1.192", True),
            ("6.2", "6.6", False),
            ("6.7", "7.3", True),
        ],
    ),
    ("skb_small_head", [("2.6.18", "6.2", False), ("6.3", "7.3", True)]),
    (
        "skb_small_head_fits_gro",
        [
            ("2.6.18", "6.12.16", False),
            ("6.12.17", "6.12.117", True),
            ("6.13", "6.13.11", False),
            ("6.14", "7.3", True),
        ],
    ),
    (
        "rmem_sum_rule",
        [
            ("2.6.18", "5.4.295", False),
            ("5.4.296", "5.4.300", True),
            ("5.5", "5.10.239", False),
            ("5.10.240", "5.10.262", True),
            ("5.11", "5.15.188", False),
            ("5.15.189", "5.15.200", True),
            ("5.16", "6.1.145", False),
            ("6.1.146", "6.1.200", True),
            ("6.2", "6.6.98", False),
            ("6.6.99", "6.6.120", True),
            ("6.7", "6.12.38", False),
            ("6.12.39", "6.12.130", True),
            ("6.13", "6.15.6", False),
            ("6.15.7", "6.15.8", True),
            ("6.16", "7.3", True),
        ],
    ),
    ("taskstats_pad", [("2.6.18", "7.3", TaskstatsPad.NEVER)]),  # of x86
]


@pytest.mark.parametrize(
    ("capability", "release", "value"),
    [
        pytest.param(capability, release, value, id=f"{capability}-{release}")
        for capability, rows in ERAS
        for first, last, value in rows
        for release in dict.fromkeys((first, last))
    ],
)
def test_a_capability_at_each_end_of_its_eras(capability: str, release: str, value: Any) -> None:
    assert getattr(profile_for(release), capability) == value


def test_every_capability_has_its_eras_here() -> None:
    assert sorted(name for name, _ in ERAS) == sorted(CAPABILITIES)


def test_every_capability_but_the_padding_changes_on_x86() -> None:
    for name, rows in ERAS:
        padding = name in {"taskstats_pad", "policy_u64_pad"}
        assert len({value for _, _, value in rows}) > 1 or padding, name


def test_the_default_profile_is_6_18_as_recorded() -> None:
    assert profile_for("6.18") == Profile()
    recorded = profile_for("6.18.44")
    assert dataclasses.replace(recorded, release="6.18") == Profile()
    assert differences(profile_for("6.18.0"), Profile()) == (
        "tgid_exit_version",
        "dead_threads_keep_times",
    )
    assert differences(profile_for("6.18.35"), Profile()) == ("dead_threads_keep_times",)
    assert differences(profile_for("6.18.34"), profile_for("6.18.0")) == ()
