"""What the capabilities of netlink mean to a client, in a sentence for each value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from netlink_emu.eras.words import Area, Words, switch
from netlink_emu.kernel.profile import DoneExtack, FamilyIds, GetfamilyAttrs, Getpolicy

_G: Final = Area.GENL
_A: Final = Area.ACKS

NETLINK_WORDS: Final[Mapping[str, Words]] = {
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
    "notify_group": switch(
        _G,
        "multicast group of nlctrl",
        "GETFAMILY of nlctrl reports no multicast group.",
        "nlctrl has the multicast group 'notify', reported in MCAST_GROUPS.",
    ),
    "families_announced_whole": switch(
        _G,
        "families that come and go",
        "NEWFAMILY and DELFAMILY to the group 'notify' have neither operations nor groups.",
        "NEWFAMILY and DELFAMILY to the group 'notify' have operations and groups.",
    ),
    "group_capabilities": switch(
        _G,
        "joining groups",
        "Anybody may join a multicast group of a generic netlink family.",
        "A family may demand CAP_NET_ADMIN from clients that join a group (EPERM).",
    ),
    "group_sys_admin": switch(
        _G,
        "joining groups of administrators",
        "No family demands CAP_SYS_ADMIN from clients that join a group.",
        "A family may demand CAP_SYS_ADMIN from clients that join a group (EPERM).",
    ),
    "nlctrl_version": Words(_G, "version of nlctrl", {}),
    "ctrl_attr_max": Words(_G, "highest CTRL_ATTR", {}),
    "per_op_policy": switch(
        _G,
        "MAXATTR",
        "GETFAMILY's MAXATTR is the highest attribute of the family (TASKSTATS: 4).",
        "GETFAMILY's MAXATTR is 0: each operation has its own policy.",
    ),
    "family_ids": Words(
        _G,
        "family ids",
        {
            FamilyIds.SEQUENTIAL: "Family ids are handed out counting up; if the last one's "
            "family has gone, the next gets it again.",
            FamilyIds.LOWEST_FREE: "A family gets the lowest free id, also one that was used.",
            FamilyIds.CYCLIC: "Family ids are handed out counting up; after 1023 from the "
            "lowest free one on.",
        },
    ),
    "reserved_family_ids": switch(
        _G,
        "lowest family id",
        "The first family gets 0x11.",
        "The first family gets 0x13: 0x11 and 0x12 are reserved.",
    ),
    "families_dumped_by_id": switch(
        _G,
        "order of a family dump",
        "Families are dumped by hash bucket (id & 15).",
        "Families are dumped by id.",
    ),
    "dump_resume_loses_family": switch(
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
    "getpolicy_dump_only_cmd": switch(
        _G,
        "dump-only operations in CTRL_CMD_GETPOLICY",
        "CTRL_CMD_GETPOLICY shows 0 for the command of an operation that can dump alone.",
        "CTRL_CMD_GETPOLICY shows an operation that can dump alone by its command.",
    ),
    "strict_families": switch(
        _G,
        "validation of attributes",
        "Attributes of every family are validated liberally, those of dumps not at all.",
        "Attributes of a family are validated strictly, also of dumps, unless its operations say "
        "GENL_DONT_VALIDATE_* (those of TASKSTATS do).",
    ),
    "rejects_without_policy": switch(
        _G,
        "operations without a policy",
        "An operation without a policy takes any attribute.",
        "An operation without a policy takes no attribute, and reports GENL_CMD_CAP_HASPOL.",
    ),
    "dump_policy_apart": switch(
        _G,
        "policies of dumps that are not validated",
        "A dump-only operation that is not validated reports GENL_CMD_CAP_HASPOL if it has a "
        "policy.",
        "A dump-only operation that is not validated does not report GENL_CMD_CAP_HASPOL.",
    ),
    "split_ops_reject": switch(
        _G,
        "split operations without a policy",
        "A split operation without a policy takes any attribute, though it reports that it has "
        "one.",
        "A split operation without a policy takes no attribute.",
    ),
    "uint_policies": switch(
        _G,
        "NLA_UINT and NLA_SINT",
        "NL_ATTR_TYPE_UINT and NL_ATTR_TYPE_SINT do not exist.",
        "A policy can be NL_ATTR_TYPE_UINT or NL_ATTR_TYPE_SINT, of 4 or 8 bytes.",
    ),
    "policy_u64_pad": switch(
        _G,
        "NL_POLICY_TYPE_ATTR_PAD",
        "Nothing stands before the limits of a number in a policy.",
        "An empty NL_POLICY_TYPE_ATTR_PAD stands before a limit of a number in a policy where it "
        "would be misaligned without.",
    ),
    "genl_all_netns": switch(
        _G,
        "network namespaces",
        "TASKSTATS exists in the initial network namespace only (ENOENT), but for "
        "CTRL_CMD_GETPOLICY, which does not look at that.",
        "TASKSTATS exists in every network namespace; events stay in the initial one.",
    ),
    "lookup_before_permission": switch(
        _G,
        "a dump nobody offers",
        "Who may not ask gets EPERM also for a dump, which TASKSTATS does not have.",
        "A dump, which TASKSTATS does not have, is EOPNOTSUPP for everybody.",
    ),
    "strict_headers": switch(
        _G,
        "header checks",
        "Reserved fields and unknown flags are ignored in every command.",
        "Commands newer than 6.1's reject reserved fields and unknown flags (EINVAL).",
    ),
    "getfamily_dump_validated": switch(
        _G,
        "attributes of a family dump",
        "Attributes in a request for a family dump are not looked at.",
        "An unknown attribute in a request for a family dump is EINVAL.",
    ),
    "dump_needs_both_bits": switch(
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
    "nul_string": switch(
        _G,
        "family names in requests",
        "A family name in a request need not end in NUL.",
        "A family name in a request must end in NUL (EINVAL).",
    ),
    # --- errors and acks
    "cap_ack": switch(
        _A,
        "NETLINK_CAP_ACK",
        "An error echoes the whole request; NETLINK_CAP_ACK is ENOPROTOOPT.",
        "With NETLINK_CAP_ACK an error echoes the request's header only.",
    ),
    "acks_capped": switch(
        _A,
        "flags and length of NLMSG_ERROR",
        "nlmsg_flags of acks and errors is 0; nlmsg_len is not rounded up.",
        "Acks and capped errors have NLM_F_CAPPED (0x100); nlmsg_len is rounded up to 4.",
    ),
    "ext_ack": switch(
        _A,
        "NETLINK_EXT_ACK",
        "NETLINK_EXT_ACK is ENOPROTOOPT.",
        "With NETLINK_EXT_ACK an error says where in the request it is (NLMSGERR_ATTR_OFFS).",
    ),
    "extack_policy_msg": switch(
        _A,
        "text of validation errors",
        "An attribute that fails its policy is reported without a text.",
        "An attribute that fails its policy is reported with a text (NLMSGERR_ATTR_MSG).",
    ),
    "extack_policy": switch(
        _A,
        "policy in errors",
        "Errors do not say what a policy wants.",
        "An attribute that fails its policy is reported with it (NLMSGERR_ATTR_POLICY).",
    ),
    "log_leftover_comm": switch(
        _A,
        "left over bytes in the kernel's log",
        "A line of the kernel's log tells of bytes after the last attribute.",
        "A line of the kernel's log tells of bytes after the last attribute, and whose they are.",
    ),
    "log_attr_length": switch(
        _A,
        "lengths of integers in the kernel's log",
        "An integer that is too long is taken without a word.",
        "An integer that is too long or too short leaves a line in the kernel's log.",
    ),
    "extack_leftover_msg": switch(
        _A,
        "left over bytes",
        "Bytes after the last attribute go unmentioned.",
        "Bytes after the last attribute leave a text, even in the ack of a success.",
    ),
    "extack_done": Words(
        _A,
        "errors of a dump that has begun",
        {
            DoneExtack.NONE: "NLMSG_DONE of a dump that failed has the errno alone.",
            DoneExtack.MSG: "NLMSG_DONE of a dump that failed has a text beside the errno.",
            DoneExtack.ALL: "NLMSG_DONE of a dump that failed has extended acks as any error.",
        },
    ),
    "extack_dump_start": switch(
        _A,
        "errors of a dump's start",
        "An error of a dump's start other than of its attributes says nothing beside its errno.",
        "An error of a dump's start has extended acks as any other.",
    ),
    "extack_cookie_before_offs": switch(
        _A,
        "place of the cookie",
        "NLMSGERR_ATTR_COOKIE stands behind OFFS.",
        "NLMSGERR_ATTR_COOKIE stands before OFFS.",
    ),
    "strict_chk": switch(
        _A,
        "NETLINK_GET_STRICT_CHK",
        "NETLINK_GET_STRICT_CHK is ENOPROTOOPT.",
        "NETLINK_GET_STRICT_CHK exists; TASKSTATS does not mind it.",
    ),
}
