"""An operation as requests find it: what each asks for is looked up once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.genl_family import GenlCmd, GenlFamily, GenlSplitOp, validation
from netlink_emu.protocol.genetlink import GenlOpFlags
from netlink_emu.protocol.policy import Parser, ParseRules

if TYPE_CHECKING:
    from netlink_emu.kernel.profile import Profile


def _rules(profile: Profile) -> ParseRules:
    return ParseRules(
        attr_type_mask=profile.attr_type_mask,
        extack_policy_msg=profile.extack_policy_msg,
        extack_policy=profile.extack_policy,
        extack_leftover_msg=profile.extack_leftover_msg,
        nul_string=profile.nul_string,
        uint_policies=profile.uint_policies,
        log_attr_length=profile.log_attr_length,
        log_leftover_comm=profile.log_leftover_comm,
    )


class GenlOperation:
    """What of a :class:`GenlCmd` each request asks for, looked up once.

    Python's IntFlag takes 0.4 us for an "and", as long as an attribute takes to parse.
    """

    __slots__ = (
        "admin_perm", "doit", "dump_parser", "dumpit", "op", "parser", "simple", "uns_admin_perm",
    )  # fmt: skip

    def __init__(self, family: GenlFamily, op: GenlCmd, profile: Profile) -> None:
        # A family that no real kernel has is parsed alike in every release.
        rules = ParseRules() if family.always_strict else _rules(profile)

        def parser(split: GenlSplitOp | None) -> Parser | None:
            validate = None if split is None else validation(family, split, profile)
            if split is None or validate is None or not split.maxattr:
                return None
            return Parser(
                split.policy,
                maxtype=split.maxattr,
                validate=validate,
                order=profile.arch.order,
                rules=rules,
            )

        self.op: Final = op
        self.doit: Final = op.doit
        self.dumpit: Final = op.dumpit
        self.admin_perm: Final = GenlOpFlags.GENL_ADMIN_PERM in op.flags
        self.uns_admin_perm: Final = GenlOpFlags.GENL_UNS_ADMIN_PERM in op.flags
        self.parser: Final = parser(op.doit)
        self.dump_parser: Final = parser(op.dumpit)
        # The doit, where nothing is to be called around it and nobody is to be told of its slips.
        doit = op.doit
        alone = doit is not None and doit.pre_doit is None and doit.post_doit is None
        alone = alone and family.failed is None
        self.simple: Final = doit.doit if doit is not None and alone else None
