"""When each capability changed: the one table of eras, oldest first.

A line says from which mainline release on a capability of :class:`Profile` has a new value, and
from which patch level on older stable series have it, too. ``source`` is the kernel's file and,
where there is one, the function. Stable levels are from the changelogs of stable kernels; where a
line says so, they are those at which the change was seen: it may have come with an earlier one.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from netlink_emu.kernel.profile import (
    Arch,
    DoneExtack,
    FamilyIds,
    GetfamilyAttrs,
    Getpolicy,
    MemIntegral,
    MinBuffers,
    TaskstatsPad,
)
from netlink_emu.protocol.cpulist import CpulistDialect


class Certainty(enum.Enum):
    """How a line is known."""

    LIVE = "the new behaviour was seen on a running kernel"
    SRC = "read in both trees"
    INFERRED = "between two trees that were read, or computed from what was"


LIVE: Final = Certainty.LIVE
SRC: Final = Certainty.SRC
INFERRED: Final = Certainty.INFERRED

ON: Final = True
OFF: Final = False


@dataclass(frozen=True, slots=True)
class ArchRule:
    """The machines that a line is about, by Kconfig."""

    words: str
    holds: Callable[[Arch], bool]


IA64: Final = ArchRule("IA64", lambda arch: arch.name == "ia64")
STRICT_64BIT: Final = ArchRule(
    "64BIT && !HAVE_EFFICIENT_UNALIGNED_ACCESS",
    lambda arch: arch.bits == 64 and not arch.efficient_unaligned_access,
)
STRICT: Final = ArchRule(
    "!HAVE_EFFICIENT_UNALIGNED_ACCESS", lambda arch: not arch.efficient_unaligned_access
)

# HAVE_EFFICIENT_UNALIGNED_ACCESS came late to some: arch/*/Kconfig of 3.11 and 3.14 (arm, arm64),
# of 4.4 and 4.9 (s390). User mode Linux on x86 has it in 7.2.7 and not in 6.12.113, which were
# recorded; when in between is not known.
UNALIGNED_ACCESS_SINCE: Final[Mapping[str, str]] = MappingProxyType(
    {"arm": "3.14", "aarch64": "3.14", "s390x": "4.9", "um": "6.16"}
)


@dataclass(frozen=True, slots=True)
class Change:
    """One line. ``stable`` maps a series to its first patch level with the change.

    Of the series in ``seen`` that level is where somebody saw it, and the first may be an earlier
    one. Whether those in ``unknown``, which were maintained then, ever got it nobody has looked
    up: they are taken not to have it.
    """

    since: str
    capability: str
    value: object
    certainty: Certainty
    source: str
    stable: Mapping[str, int] = field(default_factory=dict)
    seen: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    only: ArchRule | None = None


# Every capability in 2.6.18, the first release with TASKSTATS. A bool of the profile is named for
# the newer behaviour, so all of them begin False.
FIRST_RELEASE: Final = "2.6.18"
FIRST_VALUES: Final[Mapping[str, object]] = MappingProxyType(
    {
        "taskstats_version": 1,
        "taskstats_pad": TaskstatsPad.NEVER,
        "mem_integral": MemIntegral.SYSTEM_TIME,
        "delayacct_default_on": True,
        "cpulist_dialect": CpulistDialect.E1,
        "getfamily_attrs": GetfamilyAttrs.NAME_ID,
        "nlctrl_version": 1,
        "ctrl_attr_max": 2,
        "family_ids": FamilyIds.SEQUENTIAL,
        "getpolicy": Getpolicy.ABSENT,
        "extack_done": DoneExtack.NONE,
        "attr_type_mask": 0xFFFF,
        "min_buffers": MinBuffers.FIXED,
        "newest_so": 34,  # SO_PASSSEC
        "timestamping_flags": 0,
    }
)

_UAPI: Final = "include/uapi/linux/taskstats.h"
_H: Final = "include/linux/taskstats.h"
_TASKSTATS: Final = "kernel/taskstats.c"
_GENL: Final = "net/netlink/genetlink.c"
_POLICY: Final = "net/netlink/policy.c"
_AF: Final = "net/netlink/af_netlink.c"
_SKBUFF: Final = "net/core/skbuff.c"
_SO: Final = "include/uapi/asm-generic/socket.h"
_SOCK: Final = "net/core/sock.c"
_TSTAMP: Final = "include/uapi/linux/net_tstamp.h"
_SOCK_H: Final = "include/net/sock.h: SOCK_MIN_RCVBUF"
_SCM: Final = "include/net/scm.h"
_BITMAP: Final = "lib/bitmap.c: bitmap_parselist()"

# fmt: off
CHANGES: Final[tuple[Change, ...]] = (
    # --- 2.6
    Change("2.6.19", "taskstats_version", 2, SRC, _H),
    Change("2.6.19", "dead_threads_always_kept", ON, SRC, f"{_TASKSTATS}: taskstats_exit()"),
    Change("2.6.19", "getfamily_attrs", GetfamilyAttrs.FLAG_OPS, SRC,
           f"{_GENL}: ctrl_fill_info()"),
    Change("2.6.19", "ctrl_attr_max", 6, SRC, "include/linux/genetlink.h"),
    Change("2.6.19", "nul_string", ON, SRC, f"{_GENL}: ctrl_policy"),
    Change("2.6.19", "protocol_must_exist", ON, SRC, f"{_AF}: netlink_create()"),
    Change("2.6.20", "taskstats_version", 3, SRC, _H),
    Change("2.6.20", "getfamily_attrs", GetfamilyAttrs.FULL, SRC, f"{_GENL}: ctrl_fill_info()"),
    Change("2.6.20", "nlctrl_version", 2, SRC, f"{_GENL}: genl_ctrl"),
    Change("2.6.21", "taskstats_version", 4, SRC, _H),
    Change("2.6.22", "msg_trunc_returns_length", ON, SRC, f"{_AF}: netlink_recvmsg()"),
    Change("2.6.22", "newest_so", 35, INFERRED, _SO),
    Change("2.6.23", "taskstats_version", 5, SRC, _H),
    Change("2.6.23", "tgid_ctxsw", ON, SRC, f"{_TASKSTATS}: fill_stats_for_tgid()"),
    Change("2.6.23", "notify_group", ON, SRC, f"{_GENL}: notify_grp"),
    Change("2.6.23", "ctrl_attr_max", 7, SRC, "include/linux/genetlink.h"),
    Change("2.6.24", "taskstats_version", 6, SRC, _H),
    Change("2.6.24", "cgroupstats", ON, SRC, f"{_TASKSTATS}: cgroupstats_ops"),
    Change("2.6.24", "attr_type_mask", 0x3FFF, SRC, "include/net/netlink.h: nla_type()"),
    Change("2.6.25", "newest_so", 36, INFERRED, _SO),
    Change("2.6.26", "vpid_lookup", ON, SRC, f"{_TASKSTATS}: find_task_by_vpid()"),
    Change("2.6.27", "taskstats_version", 7, SRC, _H),
    Change("2.6.27", "mem_integral", MemIntegral.CPU_TIME, SRC,
           "kernel/tsacct.c: acct_update_integrals()"),
    Change("2.6.30", "no_enobufs", ON, INFERRED, f"{_AF}: netlink_setsockopt()"),
    Change("2.6.30", "newest_so", 37, INFERRED, _SO),
    Change("2.6.30", "timestamping_flags", 7, INFERRED, _TSTAMP),
    Change("2.6.32", "newest_so", 39, INFERRED, _SO),
    Change("2.6.33", "newest_so", 40, INFERRED, _SO),
    Change("2.6.36", "creds_effective", ON, INFERRED, f"{_SCM}: scm_set_cred()"),
    Change("2.6.37", "taskstats_version", 8, SRC, _H),
    Change("2.6.37", "times_in_usec", ON, SRC, "kernel/tsacct.c: bacct_add_tsk()"),
    Change("2.6.37", "taskstats_pad", TaskstatsPad.BEFORE_AGGR, SRC,
           f"{_TASKSTATS}: TASKSTATS_NEEDS_PADDING", only=IA64),
    Change("2.6.38", "taskstats_pad", TaskstatsPad.BEFORE_AGGR, INFERRED,
           f"{_TASKSTATS}: TASKSTATS_NEEDS_PADDING", only=STRICT_64BIT),
    # --- 3
    Change("3.0", "duplicate_register_ignored", ON, LIVE, f"{_TASKSTATS}: add_del_listener()",
           stable={"2.6.38": 8, "2.6.39": 4}, seen=("2.6.38", "2.6.39")),
    Change("3.0", "cpulist_dialect", CpulistDialect.E2A, SRC, _BITMAP),
    Change("3.1", "get_needs_admin", ON, LIVE, f"{_TASKSTATS}: taskstats_ops",
           stable={"3.0": 101}, seen=("3.0",)),
    Change("3.1", "io_rounding", ON, LIVE, "kernel/tsacct.c: xacct_add_tsk()",
           stable={"3.0": 101}, seen=("3.0",)),
    Change("3.2", "creds_omitted", ON, INFERRED, f"{_SCM}: scm_send()"),
    Change("3.2", "min_buffers", MinBuffers.RECEIVER, INFERRED, _SOCK_H),
    Change("3.2", "truesize_whole", ON, INFERRED, f"{_SKBUFF}: __alloc_skb()"),
    Change("3.3", "newest_so", 41, INFERRED, _SO),
    Change("3.4", "newest_so", 43, INFERRED, _SO),
    Change("3.6", "creds_omitted", OFF, INFERRED, f"{_SCM}: scm_send()", stable={"3.2": 30}),
    Change("3.6", "unicast_needs_admin", ON, LIVE, f"{_AF}: netlink_sendmsg()",
           stable={"3.0": 101, "3.2": 71}, seen=("3.0", "3.2")),
    Change("3.7", "register_needs_init_ns", ON, INFERRED, f"{_TASKSTATS}: add_del_listener()"),
    Change("3.7", "kernel_uses_namespaces", ON, INFERRED, "kernel/tsacct.c: bacct_add_tsk()"),
    Change("3.7", "creds_translated", ON, INFERRED, f"{_SCM}: scm_recv()"),
    Change("3.8", "bind_checks_length", ON, INFERRED, f"{_AF}: netlink_bind()"),
    Change("3.9", "creds_effective", OFF, INFERRED, f"{_SCM}: scm_set_cred()", stable={"3.8": 11}),
    Change("3.9", "newest_so", 44, INFERRED, _SO),
    Change("3.10", "dump_needs_both_bits", ON, LIVE, f"{_GENL}: genl_rcv_msg()"),
    Change("3.10", "mmap_rings", ON, SRC, f"{_AF}: netlink_setsockopt()"),
    Change("3.10", "newest_so", 45, INFERRED, _SO),
    Change("3.11", "newest_so", 46, INFERRED, _SO),
    Change("3.11", "large_sends_exact", ON, INFERRED, f"{_AF}: netlink_alloc_large_skb()"),
    Change("3.12", "min_buffers", MinBuffers.BOTH, INFERRED, _SOCK_H),
    Change("3.13", "register_enomem", ON, SRC, f"{_TASKSTATS}: add_del_listener()"),
    Change("3.13", "reserved_family_ids", ON, SRC, f"{_GENL}: genl_generate_id()"),
    Change("3.13", "families_announced_whole", ON, SRC, f"{_GENL}: genl_register_family()"),
    Change("3.13", "newest_so", 47, INFERRED, _SO),
    Change("3.14", "connect_needs_admin", ON, LIVE, f"{_AF}: netlink_connect()"),
    Change("3.14", "newest_so", 48, INFERRED, _SO),
    Change("3.15", "opener_capability", ON, LIVE, f"{_AF}: __netlink_ns_capable()"),
    Change("3.15", "filter_a_without_device", ON, LIVE,
           "net/core/filter.c: convert_bpf_extensions()"),
    Change("3.15", "dump_grows_with_reads", ON, LIVE, f"{_AF}: netlink_dump()"),
    Change("3.16", "log_leftover_comm", ON, INFERRED, "lib/nlattr.c: nla_parse()"),
    Change("3.17", "timestamping_flags", 10, INFERRED, _TSTAMP),
    Change("3.18", "zero_delay_ignored", ON, INFERRED, "kernel/delayacct.c: delayacct_end()"),
    Change("3.19", "newest_so", 50, INFERRED, _SO),
    Change("3.19", "timestamping_flags", 11, INFERRED, _TSTAMP),
    # --- 4
    Change("4.0", "cgroup_removed_enoent", ON, INFERRED, "kernel/cgroup.c: cgroupstats_build()"),
    Change("4.0", "timestamping_flags", 12, INFERRED, _TSTAMP),
    Change("4.2", "cpulist_dialect", CpulistDialect.E2B, SRC, _BITMAP,
           stable={"3.2": 71, "3.18": 20}, seen=("3.2", "3.18")),
    Change("4.2", "list_memberships", ON, LIVE, f"{_AF}: netlink_getsockopt()"),
    Change("4.2", "autobind_random", ON, LIVE, f"{_AF}: netlink_autobind()"),
    Change("4.3", "cpulist_dialect", CpulistDialect.E2C, SRC, _BITMAP),
    Change("4.3", "cap_ack", ON, LIVE, f"{_AF}: netlink_ack()"),
    Change("4.4", "mmap_rings", OFF, SRC, f"{_AF}: netlink_setsockopt()"),
    Change("4.5", "newest_so", 52, INFERRED, _SO),
    Change("4.6", "newest_so", 53, INFERRED, _SO),
    Change("4.7", "taskstats_pad", TaskstatsPad.BEFORE_STATS, INFERRED,
           f"{_TASKSTATS}: mk_reply()", only=STRICT),
    Change("4.9", "cpulist_dialect", CpulistDialect.E3A, INFERRED, _BITMAP),
    Change("4.9", "mem_integral", MemIntegral.CPU_TICKS, INFERRED,
           "kernel/tsacct.c: __acct_update_integrals()"),
    Change("4.9", "ioctl_enotty", ON, INFERRED, f"{_AF}: netlink_ioctl()"),
    Change("4.9", "dumps_of_32k", ON, INFERRED, f"{_AF}: netlink_recvmsg()"),
    Change("4.10", "family_ids", FamilyIds.LOWEST_FREE, SRC, f"{_GENL}: genl_register_family()"),
    Change("4.10", "families_dumped_by_id", ON, LIVE, f"{_GENL}: ctrl_dumpfamily()"),
    Change("4.10", "dump_resume_loses_family", ON, SRC, f"{_GENL}: ctrl_dumpfamily()"),
    Change("4.10", "timestamping_flags", 13, INFERRED, _TSTAMP),
    Change("4.11", "dump_resume_loses_family", OFF, INFERRED, f"{_GENL}: ctrl_dumpfamily()"),
    Change("4.11", "trimmed_anew", ON, INFERRED, f"{_SKBUFF}: pskb_expand_head()"),
    Change("4.12", "ext_ack", ON, INFERRED, f"{_AF}: netlink_ack()"),
    Change("4.12", "acks_capped", ON, INFERRED, f"{_AF}: netlink_ack()"),
    Change("4.12", "tgid_times", ON, INFERRED, f"{_TASKSTATS}: fill_stats_for_tgid()"),
    Change("4.12", "newest_so", 57, INFERRED, _SO),
    Change("4.13", "newest_so", 59, INFERRED, _SO),
    Change("4.13", "timestamping_flags", 15, INFERRED, _TSTAMP),
    Change("4.14", "cpulist_dialect", CpulistDialect.E3, INFERRED, _BITMAP),
    Change("4.14", "newest_so", 60, INFERRED, _SO),
    Change("4.15", "log_attr_length", ON, INFERRED, "lib/nlattr.c: validate_nla()"),
    Change("4.16", "send_checks_length", ON, INFERRED, f"{_AF}: netlink_sendmsg()"),
    Change("4.19", "extack_policy_msg", ON, INFERRED, "lib/nlattr.c: nla_parse()"),
    Change("4.19", "newest_so", 61, INFERRED, _SO),
    Change("4.20", "taskstats_version", 9, SRC, _UAPI),
    Change("4.20", "extack_leftover_msg", ON, LIVE, "lib/nlattr.c: nla_parse()"),
    Change("4.20", "extack_done", DoneExtack.MSG, INFERRED, f"{_AF}: netlink_dump()"),
    Change("4.20", "strict_chk", ON, LIVE, f"{_AF}: netlink_setsockopt()"),
    Change("5.1", "newest_so", 67, INFERRED, _SO),
    # --- 5
    Change("5.2", "cpulist_dialect", CpulistDialect.E4, INFERRED, _BITMAP),
    Change("5.2", "family_ids", FamilyIds.CYCLIC, INFERRED, f"{_GENL}: genl_register_family()"),
    Change("5.2", "strict_families", ON, INFERRED, f"{_GENL}: genl_family_rcv_msg()"),
    Change("5.3", "newest_so", 68, INFERRED, _SO),
    Change("5.6", "taskstats_version", 10, INFERRED, _UAPI),
    Change("5.8", "ctrl_attr_max", 8, SRC, "include/uapi/linux/genetlink.h"),
    Change("5.8", "getpolicy", Getpolicy.FAMILY, SRC, f"{_GENL}: ctrl_dumppolicy()"),
    Change("5.8", "policy_u64_pad", ON, INFERRED, f"{_POLICY}: netlink_policy_dump_write()",
           only=STRICT),
    Change("5.10", "ctrl_attr_max", 10, LIVE, "include/uapi/linux/genetlink.h"),
    Change("5.10", "getpolicy", Getpolicy.PER_OP, LIVE, f"{_GENL}: ctrl_dumppolicy()"),
    Change("5.10", "getpolicy_dump_only_cmd", ON, SRC, f"{_GENL}: ctrl_dumppolicy_put_op()"),
    Change("5.10", "per_op_policy", ON, LIVE, f"{_GENL}: ctrl_fill_info()"),
    Change("5.10", "extack_policy", ON, LIVE, "lib/nlattr.c: __nla_validate_parse()"),
    Change("5.11", "newest_so", 70, INFERRED, _SO),
    Change("5.12", "group_capabilities", ON, INFERRED, f"{_GENL}: genl_bind()",
           stable={"5.10": 204}),
    Change("5.13", "cpulist_dialect", CpulistDialect.E5A, INFERRED, _BITMAP),
    Change("5.14", "cpulist_dialect", CpulistDialect.E5, INFERRED, _BITMAP),
    Change("5.14", "delayacct_default_on", OFF, INFERRED, "kernel/delayacct.c: delayacct_on"),
    Change("5.14", "cpu_delay_always", ON, INFERRED, "kernel/delayacct.c: delayacct_add_tsk()"),
    Change("5.14", "newest_so", 71, INFERRED, _SO),
    Change("5.14", "timestamping_flags", 16, INFERRED, _TSTAMP),
    Change("5.14", "timestamping_phc", ON, INFERRED, f"{_SOCK}: sk_getsockopt()"),
    Change("5.15", "newest_so", 72, INFERRED, _SO),
    Change("5.16", "zero_send_enodata", ON, LIVE, f"{_AF}: netlink_sendmsg()",
           stable={"4.14": 259, "5.4": 214, "5.10": 87, "5.15": 10}, seen=("5.4",),
           unknown=("4.4", "4.9", "4.19")),
    Change("5.16", "newest_so", 73, INFERRED, _SO),
    Change("5.17", "taskstats_version", 11, SRC, _UAPI),
    Change("5.17", "exitcode_every_thread", ON, LIVE, "kernel/tsacct.c: bacct_add_tsk()",
           stable={"4.19": 231, "5.4": 181, "5.10": 94, "5.15": 17},
           unknown=("4.9", "4.14", "5.16")),
    Change("5.17", "net_raw_marks", ON, INFERRED, f"{_SOCK}: sk_setsockopt()"),
    Change("5.18", "zerocopy_eopnotsupp", ON, INFERRED, f"{_SOCK}: sock_setsockopt()"),
    Change("5.18", "newest_so", 74, INFERRED, _SO),
    Change("5.18", "group_mask_bounded", ON, INFERRED, f"{_AF}: netlink_group_mask()",
           stable={"5.10": 110}, unknown=("5.4", "5.15", "5.16", "5.17")),
    Change("5.19", "taskstats_version", 13, SRC, _UAPI),
    Change("5.19", "agroup", ON, LIVE, f"{_TASKSTATS}: taskstats_exit()"),
    Change("5.19", "genl_all_netns", ON, LIVE, f"{_TASKSTATS}: family"),
    Change("5.19", "newest_so", 75, INFERRED, _SO),
    # --- 6
    Change("6.0", "last_thread_decides_status", ON, INFERRED,
           "kernel/exit.c: synchronize_group_exit()"),
    Change("6.1", "strict_headers", ON, LIVE, f"{_GENL}: genl_header_check()"),
    Change("6.1", "rejects_without_policy", ON, INFERRED,
           f"{_GENL}: genl_op_fill_in_reject_policy()"),
    Change("6.1", "cpulist_nr_cpu_ids_wide", ON, LIVE,
           "include/linux/cpumask.h: nr_cpumask_bits"),
    Change("6.1", "extack_cookie_before_offs", ON, SRC, f"{_AF}: netlink_ack_tlv_fill()"),
    Change("6.1", "capable_when_needed", ON, INFERRED,
           "kernel/sched/core.c: user_check_sched_setscheduler()"),
    Change("6.1", "task_freezable", ON, INFERRED, "include/linux/sched.h: TASK_FREEZABLE"),
    Change("6.2", "lookup_before_permission", ON, LIVE, f"{_GENL}: genl_get_cmd()"),
    Change("6.2", "getfamily_dump_validated", ON, LIVE, f"{_GENL}: ctrl_dumpfamily()"),
    Change("6.2", "getpolicy_dump_only_cmd", OFF, LIVE, f"{_GENL}: ctrl_dumppolicy_put_op()"),
    Change("6.2", "dump_policy_apart", ON, INFERRED, f"{_GENL}: genl_cmd_full_to_split()"),
    Change("6.2", "timestamping_flags", 17, INFERRED, _TSTAMP),
    Change("6.3", "skb_small_head", ON, SRC, f"{_SKBUFF}: kmalloc_reserve()"),
    Change("6.4", "taskstats_version", 14, SRC, _UAPI),
    Change("6.4", "options_read_whole", ON, INFERRED, f"{_AF}: netlink_getsockopt()",
           stable={"4.14": 315, "4.19": 283, "5.4": 243, "5.10": 180, "5.15": 111, "6.1": 28,
                   "6.2": 15, "6.3": 2}),
    Change("6.4", "passsec_truncates", ON, INFERRED, "include/net/scm.h: scm_recv()",
           stable={"5.10": 180, "6.1": 28}, unknown=("5.4", "5.15", "6.2", "6.3")),
    Change("6.5", "extack_dump_start", ON, LIVE, f"{_AF}: __netlink_dump_start()"),
    Change("6.5", "newest_so", 77, INFERRED, _SO),
    Change("6.7", "uint_policies", ON, INFERRED, f"{_POLICY}: __netlink_policy_dump_write_attr()"),
    Change("6.7", "busy_poll_for_anyone", ON, INFERRED, f"{_SOCK}: sk_setsockopt()"),
    Change("6.7", "group_sys_admin", ON, INFERRED, f"{_GENL}: genl_bind()",
           stable={"5.10": 204, "6.1": 68}, unknown=("5.4", "5.15", "6.6")),
    Change("6.8", "timestamping_new_readable", ON, INFERRED, f"{_SOCK}: sk_getsockopt()",
           stable={"6.1": 72, "6.6": 11}, unknown=("5.15", "6.7")),
    Change("6.9", "listen_all_nsid_readable", ON, INFERRED, f"{_AF}: netlink_getsockopt()"),
    Change("6.10", "extack_done", DoneExtack.ALL, INFERRED, f"{_AF}: netlink_dump_done()"),
    Change("6.10", "done_shares_datagram", ON, INFERRED, f"{_AF}: netlink_dump()"),
    Change("6.12", "newest_so", 80, INFERRED, _SO),
    Change("6.12", "timestamping_flags", 18, INFERRED, _TSTAMP),
    Change("6.13", "reuseport_inet_only", ON, INFERRED, f"{_SOCK}: sk_setsockopt()",
           stable={"6.1": 124, "6.12": 9}, unknown=("5.15", "6.6")),
    Change("6.14", "taskstats_version", 15, SRC, _UAPI),
    Change("6.14", "skb_small_head_fits_gro", ON, INFERRED, f"{_SKBUFF}: SKB_SMALL_HEAD_SIZE",
           stable={"6.12": 17}, unknown=("6.6", "6.13")),
    Change("6.14", "newest_so", 82, INFERRED, _SO),
    Change("6.15", "taskstats_version", 16, INFERRED, _UAPI, stable={"6.14": 9}),
    Change("6.15", "timestamping_flags", 19, INFERRED, _TSTAMP),
    Change("6.16", "rmem_sum_rule", ON, INFERRED, f"{_AF}: netlink_attachskb()",
           stable={"5.4": 296, "5.10": 240, "5.15": 189, "6.1": 146, "6.6": 99, "6.12": 39,
                   "6.15": 7}),
    Change("6.16", "newest_so", 83, INFERRED, _SO),
    Change("6.16", "so_by_family", ON, INFERRED, f"{_SOCK}: sk_setsockopt()"),
    # --- 7
    Change("7.0", "taskstats_version", 17, SRC, _UAPI),
    Change("7.1", "tgid_exit_version", ON, LIVE, f"{_TASKSTATS}: taskstats_exit()",
           stable={"5.10": 258, "5.15": 209, "6.1": 175, "6.6": 140, "6.12": 86, "6.18": 35,
                   "7.0": 4}, seen=("6.18",)),
    Change("7.1", "split_ops_reject", ON, INFERRED, f"{_GENL}: genl_get_cmd_split()"),
    Change("7.1", "dead_threads_keep_times", ON, LIVE, f"{_TASKSTATS}: fill_tgid_exit()",
           stable={"6.1": 184, "6.12": 97, "6.18": 44}, seen=("6.18",),
           unknown=("5.15", "6.6", "7.0")),
    Change("7.2", "cpulist_whole_string", ON, SRC, f"{_TASKSTATS}: parse()",
           stable={"6.1": 188, "6.12": 109}, unknown=("5.15", "6.6", "6.18", "7.1")),
    Change("7.3", "getpolicy_dump_only_cmd", ON, SRC, f"{_GENL}: ctrl_dumppolicy_put_op()",
           stable={"6.12": 112, "7.2": 9}, unknown=("6.6", "6.18")),
    Change("7.3", "cgroup_bad_fd_ebadf", ON, SRC, f"{_TASKSTATS}: cgroupstats_user_cmd()"),
)
# fmt: on

# The kernels whose source was compared; a boundary beside a missing one is inferred.
_TREES: Final = """
2.6.18 2.6.19 2.6.20 2.6.21 2.6.22 2.6.23 2.6.24 2.6.25 2.6.26 2.6.27 2.6.28 2.6.29 2.6.31.3
2.6.32.9 2.6.33.3 2.6.34 2.6.35.3 2.6.36 2.6.37 2.6.39.4
3.0.101 3.1.10 3.2.71 3.3.8 3.4.10 3.5.0 3.6.5 3.8.13 3.9.6 3.10.49 3.11.0 3.12.9 3.13.10 3.14.1
3.15.5 3.16.0 3.18.20 3.19.8
4.0.5 4.1.3 4.2.8 4.3.0 4.4.155 4.9.0 4.10.1 4.12.0 4.14.177 4.15.18 4.19.0 4.20.0
5.0.1 5.2.1 5.3.1 5.4.214 5.4.273 5.6.4 5.7.14 5.8.1 5.9.1 5.10.223 5.11.0 5.12.9 5.14.0 5.15.0
5.15.85 5.16.10 5.17.0 5.18.12 5.19.0
6.0.1 6.1.192 6.2.12 6.3.8 6.4.0 6.5.0 6.6.17 6.7.3 6.8.0 6.10.0 6.12.117 6.13.2 6.14.0 6.17.0
6.18.2 6.18.35 6.18.44 6.19.0
7.0.0 7.1.5 7.2.12 7.3.4
"""
TREES_READ: Final = tuple(_TREES.split())
