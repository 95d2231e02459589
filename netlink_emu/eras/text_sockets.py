"""What the capabilities of netlink sockets mean to a client, in a sentence for each value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from netlink_emu.eras.words import Area, Words, switch
from netlink_emu.kernel.profile import MinBuffers

_K: Final = Area.SOCKETS
# include/uapi/asm-generic/socket.h: the youngest option of the releases that brought any.
_NEWEST_SO: Final = {
    34: "SO_PASSSEC",
    35: "SO_TIMESTAMPNS",
    36: "SO_MARK",
    37: "SO_TIMESTAMPING",
    39: "SO_DOMAIN",
    40: "SO_RXQ_OVFL",
    41: "SO_WIFI_STATUS",
    43: "SO_NOFCS",
    44: "SO_LOCK_FILTER",
    45: "SO_SELECT_ERR_QUEUE",
    46: "SO_BUSY_POLL",
    47: "SO_MAX_PACING_RATE",
    48: "SO_BPF_EXTENSIONS",
    50: "SO_ATTACH_BPF",
    52: "SO_ATTACH_REUSEPORT_EBPF",
    53: "SO_CNX_ADVICE",
    57: "SO_COOKIE",
    59: "SO_PEERGROUPS",
    60: "SO_ZEROCOPY",
    61: "SO_TXTIME",
    67: "SO_SNDTIMEO_NEW",
    68: "SO_DETACH_REUSEPORT_BPF",
    70: "SO_BUSY_POLL_BUDGET",
    71: "SO_NETNS_COOKIE",
    72: "SO_BUF_LOCK",
    73: "SO_RESERVE_MEM",
    74: "SO_TXREHASH",
    75: "SO_RCVMARK",
    77: "SO_PEERPIDFD",
    80: "SO_DEVMEM_DONTNEED",
    82: "SO_RCVPRIORITY",
    83: "SO_PASSRIGHTS",
}

SOCKET_WORDS: Final[Mapping[str, Words]] = {
    "protocol_must_exist": switch(
        _K,
        "unknown protocols",
        "A socket of a protocol that nobody serves can be made.",
        "A socket of a protocol that nobody serves is EPROTONOSUPPORT.",
    ),
    "no_enobufs": switch(
        _K,
        "NETLINK_NO_ENOBUFS",
        "NETLINK_BROADCAST_ERROR and NETLINK_NO_ENOBUFS are ENOPROTOOPT.",
        "NETLINK_NO_ENOBUFS silences overruns; lost datagrams are counted.",
    ),
    "mmap_rings": switch(
        _K,
        "NETLINK_RX_RING",
        "NETLINK_RX_RING and NETLINK_TX_RING are ENOPROTOOPT.",
        "NETLINK_RX_RING and NETLINK_TX_RING exist (here: no memory for any, ENOMEM).",
    ),
    "list_memberships": switch(
        _K,
        "NETLINK_LIST_MEMBERSHIPS",
        "NETLINK_LISTEN_ALL_NSID and NETLINK_LIST_MEMBERSHIPS are ENOPROTOOPT.",
        "NETLINK_LISTEN_ALL_NSID and NETLINK_LIST_MEMBERSHIPS exist.",
    ),
    "opener_capability": switch(
        _K,
        "whose capability counts",
        "The sender's capability counts.",
        "Who opened the socket needs the capability, too, unless the kernel is addressed "
        "explicitly; in the initial user namespace.",
    ),
    "creds_effective": switch(
        _K,
        "whose ids SCM_CREDENTIALS has",
        "SCM_CREDENTIALS has the sender's real user and group id.",
        "SCM_CREDENTIALS has the sender's effective user and group id.",
    ),
    "creds_omitted": switch(
        _K,
        "SCM_CREDENTIALS of a sender who gives none",
        "SCM_CREDENTIALS is the sender's own if it gave none.",
        "SCM_CREDENTIALS is all zeros if the sender gave none, as that of the kernel.",
    ),
    "creds_translated": switch(
        _K,
        "user namespaces and SCM_CREDENTIALS",
        "User ids in SCM_CREDENTIALS are numbers of the sender's user namespace.",
        "User ids in SCM_CREDENTIALS are numbers of the reader's user namespace; to send one "
        "that the sender's has not is EINVAL.",
    ),
    "filter_a_without_device": switch(
        _K,
        "socket filters that ask for a device",
        "A socket filter that loads SKF_AD_IFINDEX or SKF_AD_HATYPE, which no netlink message "
        "has, ends there with 0: the message is dropped.",
        "A socket filter that loads SKF_AD_IFINDEX or SKF_AD_HATYPE, which no netlink message "
        "has, ends there with what A is, as if that were returned.",
    ),
    "unicast_needs_admin": switch(
        _K,
        "sending to a portid",
        "Anybody may send to another socket's portid.",
        "Sending to a portid needs CAP_NET_ADMIN (EPERM).",
    ),
    "connect_needs_admin": switch(
        _K,
        "connecting to a portid",
        "Anybody may connect to another socket's portid.",
        "Connecting to a portid needs CAP_NET_ADMIN (EPERM).",
    ),
    "bind_checks_length": switch(
        _K,
        "length of the address in bind",
        "bind does not look at the length of the address.",
        "bind with an address of less than 12 bytes is EINVAL.",
    ),
    "send_checks_length": switch(
        _K,
        "length of the address in send and connect",
        "sendto and connect do not look at the length of the address.",
        "sendto and connect with an address of less than 12 bytes are EINVAL.",
    ),
    "zero_send_enodata": switch(
        _K,
        "sending nothing",
        "Sending 0 bytes succeeds.",
        "Sending 0 bytes is ENODATA.",
    ),
    "autobind_random": switch(
        _K,
        "portid when the process's is taken",
        "The second socket of a process gets -4097 as portid, the next ones count down.",
        "The second socket of a process gets a random negative portid.",
    ),
    "msg_trunc_returns_length": switch(
        _K,
        "MSG_TRUNC",
        "recv with MSG_TRUNC returns what was copied.",
        "recv with MSG_TRUNC returns the datagram's length.",
    ),
    "ioctl_enotty": switch(
        _K,
        "ioctl",
        "FIONREAD and its kin are EOPNOTSUPP.",
        "FIONREAD and its kin are ENOTTY.",
    ),
    "dump_grows_with_reads": switch(
        _K,
        "size of dump datagrams",
        "Datagrams of a dump hold one page at most.",
        "Datagrams of a dump grow to the largest buffer the client has read with, up to 32 KiB.",
    ),
    "done_shares_datagram": switch(
        _K,
        "NLMSG_DONE",
        "NLMSG_DONE is a datagram of its own.",
        "NLMSG_DONE shares the last datagram of a family dump if it fits.",
    ),
    "listen_all_nsid_readable": switch(
        _K,
        "reading NETLINK_LISTEN_ALL_NSID",
        "getsockopt of NETLINK_LISTEN_ALL_NSID is ENOPROTOOPT.",
        "getsockopt of NETLINK_LISTEN_ALL_NSID tells whether it is set.",
    ),
    "options_read_whole": switch(
        _K,
        "what getsockopt writes",
        "getsockopt of SOL_NETLINK writes the first byte of an int, and leaves the others as they "
        "are in the reader's memory; a big-endian reader finds a 1 in the wrong byte.",
        "getsockopt of SOL_NETLINK writes an int.",
    ),
    "newest_so": Words(
        _K,
        "options of SOL_SOCKET",
        {
            number: f"The youngest option of SOL_SOCKET is {name} ({number}); what is younger is "
            "ENOPROTOOPT."
            for number, name in _NEWEST_SO.items()
        },
    ),
    "so_by_family": switch(
        _K,
        "options of other families",
        "SO_PASSPIDFD and SO_TXREHASH can be set, and read back, where they exist.",
        "SO_PASSPIDFD and SO_TXREHASH are EOPNOTSUPP: netlink has no use for them.",
    ),
    "zerocopy_eopnotsupp": switch(
        _K,
        "SO_ZEROCOPY",
        "SO_ZEROCOPY is refused with errno 524 (ENOTSUPP), where it exists (4.14).",
        "SO_ZEROCOPY is EOPNOTSUPP: netlink has no use for it.",
    ),
    "reuseport_inet_only": switch(
        _K,
        "SO_REUSEPORT",
        "SO_REUSEPORT can be set, where it exists (3.9).",
        "SO_REUSEPORT is EOPNOTSUPP: netlink has no use for it.",
    ),
    "timestamping_flags": Words(
        _K,
        "flags of SO_TIMESTAMPING",
        {0: "SO_TIMESTAMPING does not exist (ENOPROTOOPT)."}
        | {
            number: f"SO_TIMESTAMPING has {number} flags; any other is EINVAL."
            for number in (7, 10, 11, 12, 13, 15, 16, 17, 18, 19)
        },
    ),
    "timestamping_phc": switch(
        _K,
        "reading SO_TIMESTAMPING",
        "getsockopt of SO_TIMESTAMPING gives the flags.",
        "getsockopt of SO_TIMESTAMPING gives the flags and the number of a clock.",
    ),
    "timestamping_new_readable": switch(
        _K,
        "reading SO_TIMESTAMPING_NEW",
        "getsockopt of SO_TIMESTAMPING_NEW is ENOPROTOOPT.",
        "getsockopt of SO_TIMESTAMPING_NEW gives what was set by it.",
    ),
    "busy_poll_for_anyone": switch(
        _K,
        "SO_BUSY_POLL",
        "Setting SO_BUSY_POLL higher than it is needs CAP_NET_ADMIN (EPERM).",
        "Anybody may set SO_BUSY_POLL.",
    ),
    "net_raw_marks": switch(
        _K,
        "SO_MARK and SO_PRIORITY",
        "SO_MARK, and SO_PRIORITY above 6, need CAP_NET_ADMIN (EPERM).",
        "SO_MARK, and SO_PRIORITY above 6, need CAP_NET_ADMIN or CAP_NET_RAW (EPERM).",
    ),
    "passsec_truncates": switch(
        _K,
        "SO_PASSSEC without room",
        "A recvmsg without room for control messages is not marked for SO_PASSSEC.",
        "A recvmsg without room for control messages is MSG_CTRUNC if SO_PASSSEC is set.",
    ),
    "group_mask_bounded": switch(
        _K,
        "nl_groups of a group above 32",
        "nl_groups of a message to a group above 32 is a bit of another group, or 0, as the "
        "processor shifts.",
        "nl_groups of a message to a group above 32 is 0.",
    ),
    "min_buffers": Words(
        _K,
        "smallest buffers",
        {
            MinBuffers.FIXED: "SO_RCVBUF is at least 256 bytes, SO_SNDBUF 2048.",
            MinBuffers.RECEIVER: "SO_RCVBUF is at least what a small datagram is charged, "
            "SO_SNDBUF 2048 bytes.",
            MinBuffers.BOTH: "SO_RCVBUF is at least what a small datagram is charged, SO_SNDBUF "
            "twice that.",
        },
    ),
    "truesize_whole": switch(
        _K,
        "what is charged",
        "A datagram is charged its bytes in whole cache lines, and the struct that describes it.",
        "A datagram is charged its whole allocation, and the struct that describes it.",
    ),
    "large_sends_exact": switch(
        _K,
        "what a large message of a client costs",
        "A message of more than a page to another client is charged a power of two.",
        "A message of more than a page to another client is charged its bytes.",
    ),
    "trimmed_anew": switch(
        _K,
        "what a reply of nlctrl costs",
        "A reply in too large a buffer is charged that less what was free in it.",
        "A reply in too large a buffer is charged as a small one.",
    ),
    "dumps_of_32k": switch(
        _K,
        "how far dump datagrams grow",
        "Datagrams of a dump grow to 16 KiB, if they grow at all.",
        "Datagrams of a dump grow to 32 KiB.",
    ),
    "skb_small_head": switch(
        _K,
        "what a small datagram costs",
        "A small datagram is charged a power of two, and the struct that describes it.",
        "A small datagram is charged a buffer with room for the longest headers (max_header), "
        "and the struct that describes it.",
    ),
    "skb_small_head_fits_gro": switch(
        _K,
        "the longest headers in a small datagram's buffer",
        "A small datagram's buffer has room for the headers of TCP.",
        "A small datagram's buffer has room for the headers of TCP, and for those that GRO reads.",
    ),
    "rmem_sum_rule": switch(
        _K,
        "a full receive buffer",
        "A datagram is accepted while what is queued is within SO_RCVBUF: it may overshoot.",
        "A datagram is accepted if it and what is queued are within SO_RCVBUF, or nothing is "
        "queued.",
    ),
}
