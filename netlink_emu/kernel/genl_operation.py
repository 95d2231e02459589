"""An operation as requests find it: what each asks for is looked up once."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.genl_family import GenlCmd, GenlFamily, GenlSplitOp, validation
from netlink_emu.protocol.genetlink import GenlOpFlags
from netlink_emu.protocol.policy import Parser, ParseRules

if TYPE_CHECKING:
    from netlink_emu.kernel.profile import Profile


_RULES: Final = tuple(field.name for field in fields(ParseRules))


def _rules(profile: Profile) -> ParseRules:
    """The rules are capabilities of the profile, under the same names."""
    return ParseRules(**{name: getattr(profile, name) for name in _RULES})


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
