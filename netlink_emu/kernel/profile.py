"""What one kernel does, as independent capabilities; kernel code asks these, never a version.

The defaults are Linux 6.18 on x86-64. Rows for other releases are built in
:mod:`netlink_emu.kernel.releases`; each capability names the kernel file and the release at
which it changed.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

from netlink_emu.protocol.cpulist import CpulistDialect
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder


class TaskstatsPad(enum.Enum):
    """Where kernel/taskstats.c puts TASKSTATS_TYPE_NULL on machines that align u64."""

    NEVER = "never"
    BEFORE_AGGR = "before each AGGR attribute"
    BEFORE_STATS = "inside the nest, before STATS, where the position is 8-aligned"


class GetfamilyAttrs(enum.Enum):
    """What ctrl_fill_info() reports of a family."""

    NAME_ID = "name and id"
    FLAG_OPS = "all, each operation with zero-length flag attributes beside its flags"
    FULL = "all"


class FamilyIds(enum.Enum):
    """How genl_register_family() hands out ids."""

    SEQUENTIAL = "counting up"
    LOWEST_FREE = "the lowest free one"
    CYCLIC = "counting up, going round"


class MemIntegral(enum.Enum):
    """Over which time coremem and virtmem sum up the memory in use: kernel/tsacct.c."""

    SYSTEM_TIME = "the time spent in the kernel"
    CPU_TIME = "all CPU time"
    CPU_TICKS = "all CPU time, from the first whole tick on"


class MinBuffers(enum.Enum):
    """What SO_RCVBUF and SO_SNDBUF are at least: include/net/sock.h."""

    FIXED = "256 and 2048 bytes"
    RECEIVER = "for a small datagram, and 2048 bytes"
    BOTH = "for a small datagram, and for two"


class Getpolicy(enum.Enum):
    """What CTRL_CMD_GETPOLICY can do."""

    ABSENT = "EOPNOTSUPP"
    FAMILY = "the family's policy"
    PER_OP = "the policy of each operation"


class DoneExtack(enum.Enum):
    """What NLMSG_DONE of a dump that failed says beside the errno."""

    NONE = "nothing"
    MSG = "the message"
    ALL = "all of an extended ack"


@dataclass(frozen=True, slots=True)
class Arch:
    """What of the processor shows in messages: arch/*/Kconfig and its C ABI.

    ``u64_align`` is the alignment of a u64 inside a struct in bytes (4 on i386).
    ``efficient_unaligned_access`` is HAVE_EFFICIENT_UNALIGNED_ACCESS of the newest kernels;
    where it came late, :mod:`netlink_emu.kernel.releases` knows since when.
    ``smp_cache_bytes`` is the cache line, which sizes of socket buffers are multiples of.
    """

    name: str
    order: ByteOrder
    bits: int
    u64_align: int
    efficient_unaligned_access: bool
    page_size: int = 4096
    smp_cache_bytes: int = 64


ARCHS: Final = {
    arch.name: arch
    for arch in (
        Arch("x86_64", LITTLE, 64, 8, efficient_unaligned_access=True),
        Arch("i386", LITTLE, 32, 4, efficient_unaligned_access=True),
        Arch("arm", LITTLE, 32, 8, efficient_unaligned_access=True),
        Arch("aarch64", LITTLE, 64, 8, efficient_unaligned_access=True),
        Arch("ppc", BIG, 32, 8, efficient_unaligned_access=True, smp_cache_bytes=32),
        Arch("ppc64", BIG, 64, 8, efficient_unaligned_access=True, smp_cache_bytes=128),
        Arch("ppc64le", LITTLE, 64, 8, efficient_unaligned_access=True, smp_cache_bytes=128),
        Arch("s390x", BIG, 64, 8, efficient_unaligned_access=True, smp_cache_bytes=256),
        Arch("um", LITTLE, 64, 8, efficient_unaligned_access=True),  # user mode Linux on x86-64
        Arch("riscv64", LITTLE, 64, 8, efficient_unaligned_access=False),
        Arch(
            "ia64",
            LITTLE,
            64,
            8,
            efficient_unaligned_access=False,
            page_size=16384,
            smp_cache_bytes=128,
        ),
        Arch("alpha", LITTLE, 64, 8, efficient_unaligned_access=False, page_size=8192),
        Arch("loongarch64", LITTLE, 64, 8, efficient_unaligned_access=False, page_size=16384),
        Arch("mips", BIG, 32, 8, efficient_unaligned_access=False),
        Arch("mipsel", LITTLE, 32, 8, efficient_unaligned_access=False),
        Arch("mips64", BIG, 64, 8, efficient_unaligned_access=False),
        Arch("mips64el", LITTLE, 64, 8, efficient_unaligned_access=False),
        Arch("parisc64", BIG, 64, 8, efficient_unaligned_access=False, smp_cache_bytes=16),
        Arch("sparc64", BIG, 64, 8, efficient_unaligned_access=False, page_size=8192),
    )
}
X86_64: Final = ARCHS["x86_64"]


# MAX_HEADER, the longest header below IP: include/linux/netdevice.h. LL_MAX_HEADER is 32, with
# wireless 96, with mesh networks or Hyper-V 128; tunnels add 48.
MAX_HEADERS: Final = (32, 80, 96, 128, 144, 176)

# include/linux/threads.h, net/core/sysctl_net_core.c (buffers of one datagram and int's range),
# include/uapi/linux/genetlink.h (0x10 is nlctrl's).
_BOUNDS: Final = {
    "nr_cpus": (1, 8192),
    "rmem_default": (2304, 0x7FFFFFFF),
    "rmem_max": (2304, 0x7FFFFFFF),
    "wmem_default": (4608, 0x7FFFFFFF),
    "wmem_max": (4608, 0x7FFFFFFF),
    "pid_max": (2, 4194304),
    "taskstats_family_id": (0x11, 0x3FF),
    "hz": (12, 1024),
    "max_header": (MAX_HEADERS[0], MAX_HEADERS[-1]),
}


@dataclass(frozen=True, slots=True)
class KernelConfig:
    """What the builder and the administrator of a kernel chose, not its release.

    ``task_delayacct`` None takes the release's default. ``cpumask_offstack`` shows up to 6.0
    only; kernels with few CPUs (here ``nr_cpus``) are built without.
    ``efficient_unaligned_access`` None takes the architecture's: on some it is up to who builds
    the kernel (riscv64, arm). ``max_header`` is MAX_HEADER, which decides what a small datagram
    costs. Sizes are bytes.
    """

    taskstats: bool = True
    task_delay_acct: bool = True
    task_xacct: bool = True
    task_io_accounting: bool = True
    net_rx_busy_poll: bool = True
    task_delayacct: bool | None = None
    cpumask_offstack: bool = False
    efficient_unaligned_access: bool | None = None
    nr_cpus: int = 256
    rmem_default: int = 212992
    rmem_max: int = 4194304
    wmem_default: int = 212992
    wmem_max: int = 4194304
    pid_max: int = 32768
    taskstats_family_id: int = 0x1F
    max_header: int = 32
    hz: int = 250

    def __post_init__(self) -> None:
        """Raise ValueError for what no kernel could be configured to."""
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name} is between {least} and {most}, not {value}")


@dataclass(frozen=True, slots=True)
class Profile:
    """A row of capabilities. A bool is named for the newer behaviour, True being the newer."""

    release: str = "6.18"
    arch: Arch = X86_64
    config: KernelConfig = field(default_factory=KernelConfig)

    # --- struct taskstats: include/uapi/linux/taskstats.h, kernel/tsacct.c, kernel/delayacct.c
    taskstats_version: int = 16  # each release's layout
    taskstats_pad: TaskstatsPad = TaskstatsPad.NEVER  # 2.6.37, 2.6.38, 4.7
    cgroupstats: bool = True  # 2.6.24: CGROUPSTATS_CMD_GET exists
    tgid_ctxsw: bool = True  # 2.6.23: TGID sums nvcsw, nivcsw of live threads
    tgid_times: bool = True  # 4.12: ... and ac_etime, ac_utime, ac_stime
    tgid_exit_version: bool = True  # 7.1, stable 6.18.35: AGGR_TGID of events has its version
    dead_threads_keep_times: bool = True  # 7.1, stable 6.18.44: times, ctxsw of dead threads
    dead_threads_always_kept: bool = True  # 2.6.19: their delays, also while nobody listens
    delayacct_default_on: bool = False  # 5.14 turned it off
    cpu_delay_always: bool = True  # 5.14: cpu_* without delay accounting, too
    io_rounding: bool = True  # 3.1, stable 3.0.x: I/O counters are multiples of 1024
    times_in_usec: bool = True  # 2.6.37: ac_utime, ac_stime finer than 1 ms
    mem_integral: MemIntegral = MemIntegral.CPU_TICKS  # 2.6.27, 4.9: coremem, virtmem
    capable_when_needed: bool = True  # 6.1: sched_setscheduler() uses CAP_SYS_NICE only then (ASU)
    zero_delay_ignored: bool = True  # 3.18: a wait of 0 ns counts nothing
    exitcode_every_thread: bool = True  # 5.17: not of the leader alone
    last_thread_decides_status: bool = True  # 6.0: wait(2) after a leader that ended first
    agroup: bool = True  # 5.19: AGROUP marks the last task of a group
    kernel_uses_namespaces: bool = True  # 3.7: ids in the requester's namespaces
    vpid_lookup: bool = True  # 2.6.26: GET looks in the sender's pid namespace

    # --- requests of TASKSTATS: kernel/taskstats.c
    get_needs_admin: bool = True  # 3.1: GENL_ADMIN_PERM on TASKSTATS_CMD_GET
    register_needs_init_ns: bool = True  # 3.7: user and pid namespace, else EINVAL
    duplicate_register_ignored: bool = True  # 3.0
    register_enomem: bool = True  # 3.13: an allocation failure is reported
    cpulist_dialect: CpulistDialect = CpulistDialect.E5  # lib/bitmap.c
    cpulist_nr_cpu_ids_wide: bool = True  # 6.1, or CPUMASK_OFFSTACK
    cpulist_whole_string: bool = False  # 7.2: no NUL needed at the end
    cgroup_bad_fd_ebadf: bool = False  # 7.3: silent 0 before
    task_freezable: bool = True  # 6.1: TASK_FREEZABLE, a sleep that CGROUPSTATS does not count
    cgroup_removed_enoent: bool = True  # 4.0: counted, as empty, before

    # --- generic netlink: net/netlink/genetlink.c, lib/nlattr.c
    getfamily_attrs: GetfamilyAttrs = GetfamilyAttrs.FULL  # 2.6.19, 2.6.20
    notify_group: bool = True  # 2.6.23: nlctrl's multicast group
    families_announced_whole: bool = True  # 3.13: with operations and groups
    group_capabilities: bool = True  # 5.12: a group may demand CAP_NET_ADMIN
    group_sys_admin: bool = True  # 6.7: or for CAP_SYS_ADMIN
    nlctrl_version: int = 2  # 2.6.20
    ctrl_attr_max: int = 10  # the highest CTRL_ATTR; reported as maxattr up to 5.9
    per_op_policy: bool = True  # 5.10: maxattr is 0
    family_ids: FamilyIds = FamilyIds.CYCLIC  # 4.10, 5.2
    reserved_family_ids: bool = True  # 3.13: 0x11 and 0x12 are kept free
    families_dumped_by_id: bool = True  # 4.10: by hash bucket before
    getpolicy: Getpolicy = Getpolicy.PER_OP  # 5.8, 5.10
    getpolicy_dump_only_cmd: bool = False  # 5.10-6.1, 7.3: 0 stands for the command in between
    policy_u64_pad: bool = False  # 5.8: NL_POLICY_TYPE_ATTR_PAD on machines that align u64
    genl_all_netns: bool = True  # 5.19: TASKSTATS in every network namespace
    lookup_before_permission: bool = True  # 6.2: EOPNOTSUPP of a dump before EPERM
    strict_families: bool = True  # 5.2: unless they say GENL_DONT_VALIDATE_*
    strict_headers: bool = True  # 6.1: resv_start_op
    rejects_without_policy: bool = True  # 6.1: an operation without a policy takes no attribute
    dump_policy_apart: bool = True  # 6.2: no HASPOL for the policy of a dump that is not validated
    split_ops_reject: bool = False  # 7.1: also one half of a split operation
    uint_policies: bool = True  # 6.7: NLA_UINT, NLA_SINT
    getfamily_dump_validated: bool = True  # 6.2
    dump_needs_both_bits: bool = True  # 3.10: NLM_F_ROOT alone is no dump
    attr_type_mask: int = 0x3FFF  # 2.6.24; 0xffff before
    nul_string: bool = True  # 2.6.19: CTRL_ATTR_FAMILY_NAME must end in NUL
    extack_policy_msg: bool = True  # 4.19: "Attribute failed policy validation"
    extack_policy: bool = True  # 5.10: NLMSGERR_ATTR_POLICY
    log_leftover_comm: bool = True  # 3.16: whose bytes are left over
    log_attr_length: bool = True  # 4.15: an integer that is too long or short
    extack_leftover_msg: bool = True  # 4.20: "bytes leftover after parsing attributes"
    extack_done: DoneExtack = DoneExtack.ALL  # 4.20, 6.10: of a dump that fails
    extack_dump_start: bool = True  # 6.5: what a dump's start says of its error
    extack_cookie_before_offs: bool = True  # 6.1: behind NLMSGERR_ATTR_OFFS before

    # --- af_netlink: net/netlink/af_netlink.c
    protocol_must_exist: bool = True  # 2.6.19: EPROTONOSUPPORT for one that nobody serves
    cap_ack: bool = True  # 4.3
    ext_ack: bool = True  # 4.12
    acks_capped: bool = True  # 4.12: NLM_F_CAPPED, and the outer nlmsg_len is rounded up
    strict_chk: bool = True  # 4.20: NETLINK_GET_STRICT_CHK exists
    no_enobufs: bool = True  # 2.6.30: NETLINK_NO_ENOBUFS, NETLINK_BROADCAST_ERROR
    list_memberships: bool = True  # 4.2: also NETLINK_LISTEN_ALL_NSID
    listen_all_nsid_readable: bool = True  # 6.9: getsockopt() of NETLINK_LISTEN_ALL_NSID
    options_read_whole: bool = True  # 6.4: getsockopt() writes an int, one byte of it before
    mmap_rings: bool = False  # 3.10-4.3: NETLINK_RX_RING, NETLINK_TX_RING
    opener_capability: bool = True  # 3.15: whoever opened the socket needs it, too
    filter_a_without_device: bool = True  # 3.15: a socket filter that asks for one ends with A
    creds_effective: bool = False  # 2.6.36-3.8: SCM_CREDENTIALS has the effective ids
    creds_omitted: bool = False  # 3.2-3.5: SCM_CREDENTIALS of who gives none are zeros
    creds_translated: bool = True  # 3.7: ids of SCM_CREDENTIALS in the reader's user namespace
    unicast_needs_admin: bool = True  # 3.6: sending to a portid
    connect_needs_admin: bool = True  # 3.14: connecting to a portid
    bind_checks_length: bool = True  # 3.8
    send_checks_length: bool = True  # 4.16: of the address, also in connect()
    zero_send_enodata: bool = True  # 5.16
    autobind_random: bool = True  # 4.2: from a random negative portid on
    msg_trunc_returns_length: bool = True  # 2.6.22
    ioctl_enotty: bool = True  # 4.9
    dump_grows_with_reads: bool = True  # 3.15: up to 32 KiB
    dump_resume_loses_family: bool = False  # 4.10 alone
    done_shares_datagram: bool = True  # 6.10
    newest_so: int = 83  # the youngest option of SOL_SOCKET: asm-generic/socket.h, net/core/sock.c
    so_by_family: bool = True  # 6.16: SO_PASSPIDFD, SO_TXREHASH are refused
    zerocopy_eopnotsupp: bool = True  # 5.18: SO_ZEROCOPY is refused with a number of errno.h
    reuseport_inet_only: bool = True  # 6.13: SO_REUSEPORT is refused
    timestamping_flags: int = 19  # how many flags SO_TIMESTAMPING has
    timestamping_phc: bool = True  # 5.14: it is read with the clock it is bound to
    timestamping_new_readable: bool = True  # 6.8: getsockopt() of SO_TIMESTAMPING_NEW
    busy_poll_for_anyone: bool = True  # 6.7: a higher SO_BUSY_POLL needed CAP_NET_ADMIN
    net_raw_marks: bool = True  # 5.17: CAP_NET_RAW is enough for SO_MARK and SO_PRIORITY
    passsec_truncates: bool = True  # 6.4: MSG_CTRUNC without room for what SO_PASSSEC asks for
    group_mask_bounded: bool = True  # 5.18: of a group above 32 nl_groups is 0
    min_buffers: MinBuffers = MinBuffers.BOTH  # 3.2, 3.12
    truesize_whole: bool = True  # 3.2: the whole allocation is charged
    large_sends_exact: bool = True  # 3.11: what is sent beyond a page is not rounded up
    trimmed_anew: bool = True  # 4.11: a trimmed buffer is charged what it then takes
    dumps_of_32k: bool = True  # 4.9: as far as dumps grow; 16 KiB before
    skb_small_head: bool = True  # 6.3: small datagrams have a cache of their own
    skb_small_head_fits_gro: bool = True  # 6.14: whose buffers hold GRO's headers, too
    rmem_sum_rule: bool = True  # 6.16: queue + truesize must fit
