"""What each capability means to a client, in a sentence for each value.

``netlink-emu releases`` and docs/releases.md are made of these.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from netlink_emu.kernel.profile import (
    FamilyIds,
    GetfamilyAttrs,
    Getpolicy,
    MemIntegral,
    TaskstatsPad,
)
from netlink_emu.protocol.cpulist import CpulistDialect


class Area(enum.Enum):
    """Which part of the conversation a capability is about."""

    STRUCT = "struct taskstats"
    REQUESTS = "Requests to TASKSTATS"
    GENL = "Generic netlink and nlctrl"
    ACKS = "Errors and acks"
    SOCKETS = "Sockets"


@dataclass(frozen=True, slots=True)
class Words:
    """A capability in words: what it is about, and what each of its values says."""

    area: Area
    subject: str
    values: Mapping[object, str]

    def of(self, value: object) -> str:
        """The sentence for one value; numbers that have none stand for themselves."""
        return self.values.get(value, str(value))


def _words(area: Area, subject: str, old: str, new: str) -> Words:
    return Words(area, subject, {False: old, True: new})


_S, _R, _G, _A, _K = Area.STRUCT, Area.REQUESTS, Area.GENL, Area.ACKS, Area.SOCKETS

WORDS: Final[Mapping[str, Words]] = {
    # --- struct taskstats
    "taskstats_version": Words(_S, "layout", {}),
    "taskstats_pad": Words(
        _S,
        "TASKSTATS_TYPE_NULL",
        {
            TaskstatsPad.NEVER: "No attribute is there for alignment alone.",
            TaskstatsPad.BEFORE_AGGR: "An empty attribute of type 6 stands before each AGGR "
            "attribute; in a two-part event the second struct is misaligned all the same.",
            TaskstatsPad.BEFORE_STATS: "An empty attribute of type 6 stands inside the nest, "
            "before STATS, where the struct would be misaligned without.",
        },
    ),
    "tgid_ctxsw": _words(
        _S,
        "context switches of a process",
        "A TGID reply has no nvcsw and nivcsw.",
        "A TGID reply sums nvcsw and nivcsw of the live threads.",
    ),
    "tgid_times": _words(
        _S,
        "times of a process",
        "A TGID reply has no ac_etime, ac_utime and ac_stime.",
        "A TGID reply sums ac_etime, ac_utime and ac_stime of the live threads.",
    ),
    "tgid_exit_version": _words(
        _S,
        "version in AGGR_TGID of events",
        "The struct in the AGGR_TGID part of an exit event has version 0.",
        "The struct in the AGGR_TGID part of an exit event has its version.",
    ),
    "dead_threads_keep_times": _words(
        _S,
        "dead threads of a process",
        "Of threads that have ended, TGID replies and AGGR_TGID keep the delays only.",
        "Of threads that have ended, TGID replies and AGGR_TGID keep the delays, ac_etime, "
        "ac_utime, ac_stime, nvcsw and nivcsw.",
    ),
    "dead_threads_always_kept": _words(
        _S,
        "dead threads nobody listened to",
        "A thread that ends while nobody listens on its CPU is missing in its process's sums.",
        "A thread that ends is kept in its process's sums, whether anybody listens or not.",
    ),
    "delayacct_default_on": _words(
        _S,
        "delay accounting by default",
        "Delay accounting is off unless asked for (delayacct, kernel.task_delayacct).",
        "Delay accounting is on unless switched off (nodelayacct).",
    ),
    "cpu_delay_always": _words(
        _S,
        "without delay accounting",
        "Without delay accounting all delay fields are 0, also cpu_* and cpu_run_*.",
        "Without delay accounting cpu_* and cpu_run_* are still filled; the others are 0.",
    ),
    "io_rounding": _words(
        _S,
        "I/O counters",
        "The I/O counters are exact.",
        "The I/O counters are multiples of 1024, also the numbers of system calls: less is 0.",
    ),
    "times_in_usec": _words(
        _S,
        "resolution of CPU times",
        "ac_utime, ac_stime and their scaled kin are whole milliseconds.",
        "ac_utime, ac_stime and their scaled kin are microseconds.",
    ),
    "mem_integral": Words(
        _S,
        "coremem and virtmem",
        {
            MemIntegral.SYSTEM_TIME: "Memory is summed over the time spent in the kernel.",
            MemIntegral.CPU_TIME: "Memory is summed over all CPU time.",
            MemIntegral.CPU_TICKS: "Memory is summed over all CPU time, tick by tick: a task "
            "that never ran for a whole tick has 0.",
        },
    ),
    "zero_delay_ignored": _words(
        _S,
        "waits of no time",
        "A wait of 0 ns raises the count.",
        "A wait of 0 ns counts nothing.",
    ),
    "exitcode_every_thread": _words(
        _S,
        "ac_exitcode",
        "ac_exitcode is filled for the leader of a process alone.",
        "ac_exitcode is filled for every thread that is ending.",
    ),
    "agroup": _words(
        _S,
        "AGROUP",
        "Nothing in ac_flag tells the last thread of a process.",
        "AGROUP (0x20) in ac_flag marks the event of the last thread of a process.",
    ),
    "kernel_uses_namespaces": _words(
        _S,
        "ids of tasks and users",
        "ac_pid, ac_ppid and user ids are those of the initial namespaces.",
        "ac_pid, ac_ppid and user ids are those of the requester's namespaces.",
    ),
    # --- requests
    "vpid_lookup": _words(
        _R,
        "ids in requests",
        "PID and TGID are global numbers, whoever asks.",
        "PID and TGID are numbers of the requester's pid namespace.",
    ),
    "get_needs_admin": _words(
        _R,
        "permission",
        "Anybody may ask, register and deregister.",
        "Asking, registering and deregistering need CAP_NET_ADMIN (EPERM).",
    ),
    "register_needs_init_ns": _words(
        _R,
        "registering in a container",
        "REGISTER and DEREGISTER work in any user and pid namespace.",
        "REGISTER and DEREGISTER outside of the initial user or pid namespace are EINVAL.",
    ),
    "duplicate_register_ignored": _words(
        _R,
        "registering twice",
        "Each REGISTER adds a listener: who registers twice gets every event twice.",
        "Registering again changes nothing.",
    ),
    "register_enomem": _words(
        _R,
        "out of memory",
        "REGISTER without memory for the listener reports success.",
        "REGISTER without memory for the listener is ENOMEM.",
    ),
    "cpulist_dialect": Words(
        _R,
        "CPU lists",
        {
            CpulistDialect.E1: "No blanks and no empty items; one comma may end the list.",
            CpulistDialect.E2A: "Blanks may stand around the list; an empty item, and an empty "
            "list, is CPU 0; '0-' is 0.",
            CpulistDialect.E2B: "Blanks may stand around the list; empty items, and an empty "
            "list, say nothing; '0-' is 0.",
            CpulistDialect.E2C: "Blanks may stand around each item; '0-' is EINVAL.",
            CpulistDialect.E3A: "a-b:used/group is a pattern; malformed ones mostly pass.",
            CpulistDialect.E3: "As in 4.9, but a group of 0 is EINVAL.",
            CpulistDialect.E4: "Blanks separate as commas do; patterns are checked; numbers "
            "beyond 32 bits are EOVERFLOW.",
            CpulistDialect.E5A: "N is the last CPU.",
            CpulistDialect.E5: "N is the last CPU, 'all' (in any case) is 0-N.",
        },
    ),
    "cpulist_nr_cpu_ids_wide": _words(
        _R,
        "CPUs beyond the last",
        "A CPU that is not possible is EINVAL; from NR_CPUS on it is ERANGE (with "
        "CPUMASK_OFFSTACK: ERANGE from the number of CPUs on).",
        "A CPU from the number of CPUs on is ERANGE.",
    ),
    "cpulist_whole_string": _words(
        _R,
        "CPU lists without NUL",
        "A CPU list that does not end in NUL loses its last character.",
        "A CPU list need not end in NUL.",
    ),
    "cgroupstats": _words(
        _R,
        "CGROUPSTATS",
        "CGROUPSTATS_CMD_GET does not exist (EOPNOTSUPP).",
        "CGROUPSTATS_CMD_GET counts the tasks of a cgroup (v1).",
    ),
    "cgroup_bad_fd_ebadf": _words(
        _R,
        "CGROUPSTATS with a closed descriptor",
        "A descriptor that is not open gets no reply, and reports success.",
        "A descriptor that is not open is EBADF.",
    ),
    "cgroup_removed_enoent": _words(
        _R,
        "CGROUPSTATS of a removed cgroup",
        "The open directory of a removed cgroup gets counts of 0.",
        "The open directory of a removed cgroup is ENOENT.",
    ),
    # --- generic netlink
    "getfamily_attrs": Words(
        _G,
        "GETFAMILY",
        {
            GetfamilyAttrs.NAME_ID: "CTRL_CMD_GETFAMILY reports name and id only.",
            GetfamilyAttrs.FLAG_OPS: "CTRL_CMD_GETFAMILY reports version, header size, highest "
            "attribute and operations; each operation has empty attributes OP_POLICY, OP_DOIT, "
            "OP_DUMPIT, its OP_FLAGS do not tell.",
            GetfamilyAttrs.FULL: "CTRL_CMD_GETFAMILY reports version, header size, highest "
            "attribute and operations, whose OP_FLAGS tell what they can do.",
        },
    ),
    "notify_group": _words(
        _G,
        "multicast group of nlctrl",
        "GETFAMILY of nlctrl reports no multicast group.",
        "nlctrl has the multicast group 'notify', reported in MCAST_GROUPS.",
    ),
    "families_announced_whole": _words(
        _G,
        "families that come and go",
        "NEWFAMILY and DELFAMILY to the group 'notify' have neither operations nor groups.",
        "NEWFAMILY and DELFAMILY to the group 'notify' have operations and groups.",
    ),
    "group_capabilities": _words(
        _G,
        "joining groups",
        "Anybody may join a multicast group of a generic netlink family.",
        "A family may demand CAP_NET_ADMIN or CAP_SYS_ADMIN of who joins a group (EPERM).",
    ),
    "nlctrl_version": Words(_G, "version of nlctrl", {}),
    "ctrl_attr_max": Words(_G, "highest CTRL_ATTR", {}),
    "per_op_policy": _words(
        _G,
        "MAXATTR",
        "GETFAMILY's MAXATTR is the highest attribute of the family (TASKSTATS: 4).",
        "GETFAMILY's MAXATTR is 0: each operation has its own policy.",
    ),
    "family_ids": Words(
        _G,
        "family ids",
        {
            FamilyIds.SEQUENTIAL: "Family ids are handed out counting up.",
            FamilyIds.LOWEST_FREE: "A family gets the lowest free id, also one that was used.",
            FamilyIds.CYCLIC: "Family ids are handed out counting up; after 1023 from the "
            "lowest free one.",
        },
    ),
    "reserved_family_ids": _words(
        _G,
        "lowest family id",
        "The first family gets 0x11.",
        "The first family gets 0x13: 0x11 and 0x12 are reserved.",
    ),
    "families_dumped_by_id": _words(
        _G,
        "order of a family dump",
        "Families are dumped by hash bucket (id & 15).",
        "Families are dumped by id.",
    ),
    "dump_resume_loses_family": _words(
        _G,
        "long family dumps",
        "A family that does not fit a datagram begins the next one.",
        "A family that does not fit a datagram is left out of the dump.",
    ),
    "getpolicy": Words(
        _G,
        "CTRL_CMD_GETPOLICY",
        {
            Getpolicy.ABSENT: "CTRL_CMD_GETPOLICY does not exist (EOPNOTSUPP).",
            Getpolicy.FAMILY: "CTRL_CMD_GETPOLICY dumps the policy of a family; TASKSTATS has "
            "none (ENODATA, in NLMSG_DONE).",
            Getpolicy.PER_OP: "CTRL_CMD_GETPOLICY dumps the policy of each operation.",
        },
    ),
    "genl_all_netns": _words(
        _G,
        "network namespaces",
        "TASKSTATS exists in the initial network namespace only (ENOENT).",
        "TASKSTATS exists in every network namespace; events stay in the initial one.",
    ),
    "lookup_before_permission": _words(
        _G,
        "a dump nobody offers",
        "Who may not ask gets EPERM also for a dump, which TASKSTATS does not have.",
        "A dump, which TASKSTATS does not have, is EOPNOTSUPP for everybody.",
    ),
    "strict_headers": _words(
        _G,
        "header checks",
        "Reserved fields and unknown flags are ignored in every command.",
        "Commands newer than 6.1's reject reserved fields and unknown flags (EINVAL).",
    ),
    "getfamily_dump_validated": _words(
        _G,
        "attributes of a family dump",
        "Attributes in a request for a family dump are not looked at.",
        "An unknown attribute in a request for a family dump is EINVAL.",
    ),
    "dump_needs_both_bits": _words(
        _G,
        "what is a dump",
        "NLM_F_ROOT or NLM_F_MATCH alone asks for a dump.",
        "A dump needs both bits of NLM_F_DUMP.",
    ),
    "attr_type_mask": Words(
        _G,
        "flags in attribute types",
        {
            0xFFFF: "NLA_F_NESTED makes an attribute an unknown one.",
            0x3FFF: "NLA_F_NESTED and NLA_F_NET_BYTEORDER are ignored in attribute types.",
        },
    ),
    "nul_string": _words(
        _G,
        "family names in requests",
        "A family name in a request need not end in NUL.",
        "A family name in a request must end in NUL (EINVAL).",
    ),
    # --- errors and acks
    "cap_ack": _words(
        _A,
        "NETLINK_CAP_ACK",
        "An error echoes the whole request; NETLINK_CAP_ACK is ENOPROTOOPT.",
        "With NETLINK_CAP_ACK an error echoes the request's header only.",
    ),
    "acks_capped": _words(
        _A,
        "flags and length of NLMSG_ERROR",
        "nlmsg_flags of acks and errors is 0; nlmsg_len is not rounded up.",
        "Acks and capped errors have NLM_F_CAPPED (0x100); nlmsg_len is rounded up to 4.",
    ),
    "ext_ack": _words(
        _A,
        "NETLINK_EXT_ACK",
        "NETLINK_EXT_ACK is ENOPROTOOPT.",
        "With NETLINK_EXT_ACK an error says where in the request it is (NLMSGERR_ATTR_OFFS).",
    ),
    "extack_policy_msg": _words(
        _A,
        "text of validation errors",
        "An attribute that fails its policy is reported without a text.",
        "An attribute that fails its policy is reported with a text (NLMSGERR_ATTR_MSG).",
    ),
    "extack_policy": _words(
        _A,
        "policy in errors",
        "Errors do not say what a policy wants.",
        "An attribute that fails its policy is reported with it (NLMSGERR_ATTR_POLICY).",
    ),
    "extack_leftover_msg": _words(
        _A,
        "left over bytes",
        "Bytes after the last attribute go unmentioned.",
        "Bytes after the last attribute leave a text, even in the ack of a success.",
    ),
    "extack_cookie_before_offs": _words(
        _A,
        "place of the cookie",
        "NLMSGERR_ATTR_COOKIE stands behind OFFS.",
        "NLMSGERR_ATTR_COOKIE stands before OFFS.",
    ),
    "strict_chk": _words(
        _A,
        "NETLINK_GET_STRICT_CHK",
        "NETLINK_GET_STRICT_CHK is ENOPROTOOPT.",
        "NETLINK_GET_STRICT_CHK exists; TASKSTATS does not mind it.",
    ),
    # --- sockets
    "protocol_must_exist": _words(
        _K,
        "unknown protocols",
        "A socket of a protocol that nobody serves can be made.",
        "A socket of a protocol that nobody serves is EPROTONOSUPPORT.",
    ),
    "no_enobufs": _words(
        _K,
        "NETLINK_NO_ENOBUFS",
        "NETLINK_BROADCAST_ERROR and NETLINK_NO_ENOBUFS are ENOPROTOOPT.",
        "NETLINK_NO_ENOBUFS silences overruns; lost datagrams are counted.",
    ),
    "mmap_rings": _words(
        _K,
        "NETLINK_RX_RING",
        "NETLINK_RX_RING and NETLINK_TX_RING are ENOPROTOOPT.",
        "NETLINK_RX_RING and NETLINK_TX_RING exist (here: no memory for any, ENOMEM).",
    ),
    "list_memberships": _words(
        _K,
        "NETLINK_LIST_MEMBERSHIPS",
        "NETLINK_LISTEN_ALL_NSID and NETLINK_LIST_MEMBERSHIPS are ENOPROTOOPT.",
        "NETLINK_LISTEN_ALL_NSID and NETLINK_LIST_MEMBERSHIPS exist.",
    ),
    "opener_capability": _words(
        _K,
        "whose capability counts",
        "The capability of who sends counts.",
        "Who opened the socket needs the capability, too, unless the kernel is addressed "
        "explicitly; in the initial user namespace.",
    ),
    "unicast_needs_admin": _words(
        _K,
        "sending to a portid",
        "Anybody may send to another socket's portid.",
        "Sending to a portid needs CAP_NET_ADMIN (EPERM).",
    ),
    "connect_needs_admin": _words(
        _K,
        "connecting to a portid",
        "Anybody may connect to another socket's portid.",
        "Connecting to a portid needs CAP_NET_ADMIN (EPERM).",
    ),
    "bind_checks_length": _words(
        _K,
        "length of the address in bind",
        "bind does not look at the length of the address.",
        "bind with an address of less than 12 bytes is EINVAL.",
    ),
    "send_checks_length": _words(
        _K,
        "length of the address in send and connect",
        "sendto and connect do not look at the length of the address.",
        "sendto and connect with an address of less than 12 bytes are EINVAL.",
    ),
    "zero_send_enodata": _words(
        _K,
        "sending nothing",
        "Sending 0 bytes succeeds.",
        "Sending 0 bytes is ENODATA.",
    ),
    "autobind_random": _words(
        _K,
        "portid when the process's is taken",
        "The second socket of a process gets -4097 as portid, the next ones count down.",
        "The second socket of a process gets a random negative portid.",
    ),
    "msg_trunc_returns_length": _words(
        _K,
        "MSG_TRUNC",
        "recv with MSG_TRUNC returns what was copied.",
        "recv with MSG_TRUNC returns the datagram's length.",
    ),
    "ioctl_enotty": _words(
        _K,
        "ioctl",
        "FIONREAD and its kin are EOPNOTSUPP.",
        "FIONREAD and its kin are ENOTTY.",
    ),
    "dump_grows_with_reads": _words(
        _K,
        "size of dump datagrams",
        "Datagrams of a dump hold one page at most.",
        "Datagrams of a dump grow to the largest buffer the client has read with, up to 32 KiB.",
    ),
    "done_shares_datagram": _words(
        _K,
        "NLMSG_DONE",
        "NLMSG_DONE is a datagram of its own.",
        "NLMSG_DONE shares the last datagram of a family dump if it fits.",
    ),
    "rmem_sum_rule": _words(
        _K,
        "a full receive buffer",
        "A datagram is accepted while what is queued is within SO_RCVBUF: it may overshoot.",
        "A datagram is accepted if it and what is queued are within SO_RCVBUF, or nothing is "
        "queued.",
    ),
}
