"""What a recording does not tell: which operations are lenient, and which change something."""

from __future__ import annotations

from typing import Final

from netlink_emu.kernel.genetlink import GENL_DONT_VALIDATE_STRICT, GenlValidate
from netlink_emu.protocol.policy import NlaPolicy, NlaType, nla_policy_min_len, nla_policy_reject

NAMES: Final = (
    "nlctrl", "netdev", "ethtool", "tcp_metrics", "mptcp_pm", "thermal", "SEG6", "IOAM6",
    "NLBL_MGMT", "NLBL_CIPSOv4", "NLBL_CALIPSO", "NLBL_UNLBL",
)  # fmt: skip

# struct genl_family: commands from here on have strict headers. From each family's source.
RESV_START_OP: Final = {
    "ethtool": 35, "tcp_metrics": 3, "mptcp_pm": 12, "thermal": 11, "SEG6": 5, "IOAM6": 8,
    "NLBL_MGMT": 9, "NLBL_CIPSOv4": 5, "NLBL_CALIPSO": 5, "NLBL_UNLBL": 9,
}  # fmt: skip
# Operations whose leniency does not show in a recording: all of these families.
LENIENT: Final[dict[str, GenlValidate]] = {"mptcp_pm": GENL_DONT_VALIDATE_STRICT}
# What is enforced, and GETPOLICY does not describe, by command and attributes from the outermost:
# a binary's least length (ETHTOOL_A_RSS_INDIR, ETHTOOL_A_RSS_HKEY), a rejection, a number in
# network byte order (MPTCP_PM_ADDR_ATTR_ADDR4).
UNTOLD: Final[dict[str, dict[tuple[int, ...], NlaPolicy]]] = {
    "ethtool": {
        (48, 5): nla_policy_min_len(1),
        (49, 4): nla_policy_min_len(1),
        (49, 5): nla_policy_min_len(1),
        (22, 6): nla_policy_reject(),
    },
    "mptcp_pm": {
        (cmd, nest, 3): NlaPolicy(NlaType.NLA_BE32)
        for cmd, nest in (
            *((cmd, 1) for cmd in (1, 2, 3, 4, 7, 8, 10, 11)),
            (7, 6),
            (10, 6),
            (11, 6),
        )
    },
}
# The highest attribute of a command's policy, where the last ones are not described.
HIGHEST: Final[dict[str, dict[int, int]]] = {"ethtool": {16: 18, 22: 6, 25: 9, 43: 11}}
# Families of the initial network namespace alone, and what of them only looks. Of others' every
# operation is tried in a network namespace that is thrown away.
LOOKS: Final = {
    "nlctrl": {3, 10},
    "thermal": {1, 2, 3, 4, 6, 7},
    "NLBL_MGMT": {3, 6, 7, 8},
    "NLBL_CIPSOv4": {3, 4},
    "NLBL_CALIPSO": {3, 4},
    "NLBL_UNLBL": {2, 5, 8},
}
