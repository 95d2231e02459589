"""What a family registers: struct genl_family and its operations, include/net/genetlink.h.

And what a release makes of them: :func:`operations` gives each command as genl_op_iter_next() of
that release sees it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.dump import Part
from netlink_emu.protocol.genetlink import GENL_HEADERS, GenlOpFlags
from netlink_emu.protocol.policy import LIBERAL, REJECT_ALL, STRICT, NlValidate, Policy

if TYPE_CHECKING:
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.genl_info import GenlInfo
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.kernel.profile import Profile

NO_FLAGS: Final = GenlOpFlags(0)
GENL_ADMIN_PERM: Final = GenlOpFlags.GENL_ADMIN_PERM
GENL_UNS_ADMIN_PERM: Final = GenlOpFlags.GENL_UNS_ADMIN_PERM


class GenlValidate(enum.IntFlag):
    """enum genl_validate_flags: what is not validated strictly, or not at all (5.2)."""

    GENL_DONT_VALIDATE_STRICT = 1  # a do is liberal
    GENL_DONT_VALIDATE_DUMP = 2  # a dump's attributes are not looked at (not of split operations)
    GENL_DONT_VALIDATE_DUMP_STRICT = 4  # a dump is liberal


VALIDATED: Final = GenlValidate(0)
GENL_DONT_VALIDATE_STRICT: Final = GenlValidate.GENL_DONT_VALIDATE_STRICT
GENL_DONT_VALIDATE_DUMP: Final = GenlValidate.GENL_DONT_VALIDATE_DUMP
GENL_DONT_VALIDATE_DUMP_STRICT: Final = GenlValidate.GENL_DONT_VALIDATE_DUMP_STRICT

Doit = Callable[["GenlInfo"], None]
# Checks a dump's request and gives the payload of each part; NetlinkError while it is called
# is an immediate error, while it is iterated one in NLMSG_DONE.
Dumpit = Callable[["GenlInfo"], Iterator[Part]]
PreDoit = Callable[["GenlSplitOp", "GenlInfo"], None]


@dataclass(frozen=True, slots=True)
class GenlOp:
    """struct genl_ops: a command with one policy for its doit and its dumpit.

    Without ``policy`` and ``maxattr`` the family's own are taken. Of the dump:
    ``dump_ends_with_zero``, ``dump_loses_unfit``, ``min_dump_alloc`` as in
    :class:`netlink_emu.kernel.dump.NetlinkDump`.
    """

    cmd: int
    flags: GenlOpFlags = NO_FLAGS
    policy: Policy | None = None
    maxattr: int = 0
    validate: GenlValidate = VALIDATED
    doit: Doit | None = None
    dumpit: Dumpit | None = None
    dump_ends_with_zero: bool = False
    dump_loses_unfit: bool = False
    min_dump_alloc: int = 0


@dataclass(frozen=True, slots=True)
class GenlSplitOp:
    """struct genl_split_ops (6.2): the doit or the dumpit of a command, with a policy of its own.

    The two of one command stand behind one another, the doit first. ``pre_doit`` and
    ``post_doit`` are called around the doit.
    """

    cmd: int
    flags: GenlOpFlags = NO_FLAGS
    policy: Policy | None = None
    maxattr: int = 0
    validate: GenlValidate = VALIDATED
    doit: Doit | None = None
    dumpit: Dumpit | None = None
    pre_doit: PreDoit | None = None
    post_doit: PreDoit | None = None
    dump_ends_with_zero: bool = False
    dump_loses_unfit: bool = False
    min_dump_alloc: int = 0

    def __post_init__(self) -> None:
        if self.doit is not None and self.dumpit is not None:
            raise ValueError("a split operation has a doit or a dumpit, not both")


@dataclass(slots=True)
class GenlFamily:
    """struct genl_family. ``id`` 0: given at registration; ``maxattr`` as GETFAMILY reports it.

    ``policy`` is that of operations which have none. ``resv_start_op``: commands from here on
    have their headers checked strictly, and without a policy take no attribute (6.1).
    ``mcgrp_caps``: the capability that joining a group of that name needs (6.8). ``module`` is
    what it belongs to: of families of one's own their Family.

    Of a family that no real kernel has: ``admits`` says who may join its groups,
    ``always_strict`` that its requests are validated strictly in every release, and parsed as by
    the newest, ``failed`` is told of what an operation raises beside NetlinkError (the client is
    then answered EIO).
    """

    name: str
    version: int
    ops: tuple[GenlOp | GenlSplitOp, ...]
    id: int = 0
    hdrsize: int = 0
    maxattr: int = 0
    policy: Policy | None = None
    pre_doit: PreDoit | None = None
    post_doit: PreDoit | None = None
    mcgrps: tuple[str, ...] = ()
    mcgrp_caps: Mapping[str, int] = field(default_factory=dict)
    admits: Callable[[Current], bool] | None = None
    resv_start_op: int = 0
    netnsok: bool = True
    always_strict: bool = False
    failed: Callable[[BaseException], None] | None = None
    mcgrp_offset: int = 0
    module: object = None

    def message(
        self, kernel: Kernel, cmd: int, attrs: bytes | bytearray, seq: int, portid: int
    ) -> bytes:
        """genlmsg_put() and its attributes: one whole message with flags 0.

        ``attrs`` begin with the family's own header, if it has one.
        """
        headers = GENL_HEADERS[kernel.profile.arch.order.char]
        length = headers.size + len(attrs)
        return headers.pack(length, self.id, 0, seq, portid, cmd, self.version, 0) + attrs


@dataclass(frozen=True, slots=True)
class GenlCmd:
    """A command as a release sees it: struct genl_op_iter.

    ``policy`` and ``dump_policy`` are what GETFAMILY and GETPOLICY tell of, with the highest
    attribute; ``doit`` and ``dumpit`` have those by which a request is validated.
    """

    cmd: int
    flags: GenlOpFlags
    doit: GenlSplitOp | None
    dumpit: GenlSplitOp | None
    policy: tuple[Policy | None, int] = (None, 0)
    dump_policy: tuple[Policy | None, int] = (None, 0)
    has_policy: bool = False

    @property
    def reported_flags(self) -> int:
        """CTRL_ATTR_OP_FLAGS."""
        flags = self.flags
        if self.doit is not None:
            flags |= GenlOpFlags.GENL_CMD_CAP_DO
        if self.dumpit is not None:
            flags |= GenlOpFlags.GENL_CMD_CAP_DUMP
        if self.has_policy:
            flags |= GenlOpFlags.GENL_CMD_CAP_HASPOL
        return int(flags)


def operations(family: GenlFamily, profile: Profile) -> tuple[GenlCmd, ...]:
    """The family's commands, in the order in which GETFAMILY reports them."""
    found: list[GenlCmd] = []
    for op in family.ops:
        if isinstance(op, GenlOp):
            found.append(_from_full(family, op, profile))
            continue
        if found and found[-1].cmd == op.cmd and found[-1].dumpit is None and op.dumpit:
            before = found.pop()
        else:
            before = GenlCmd(op.cmd, NO_FLAGS, None, None)
        found.append(_with_split(before, op, profile))
    return tuple(found)


def _from_full(family: GenlFamily, op: GenlOp, profile: Profile) -> GenlCmd:
    """genl_op_from_full() and genl_cmd_full_to_split()."""
    policy, maxattr = op.policy or family.policy, op.maxattr or family.maxattr
    asked = op.doit is not None or op.dumpit is not None
    strict = profile.rejects_without_policy and op.cmd >= family.resv_start_op
    if policy is None and asked and strict:
        policy, maxattr = REJECT_ALL, 1
    doit = dumpit = None
    if op.doit is not None:
        doit = GenlSplitOp(
            op.cmd, op.flags, policy, maxattr, op.validate, op.doit,
            pre_doit=family.pre_doit, post_doit=family.post_doit,
        )  # fmt: skip
    unseen = GENL_DONT_VALIDATE_DUMP in op.validate
    if op.dumpit is not None:
        dumpit = GenlSplitOp(
            op.cmd, op.flags, None if unseen else policy, 0 if unseen else maxattr, op.validate,
            dumpit=op.dumpit, dump_ends_with_zero=op.dump_ends_with_zero,
            dump_loses_unfit=op.dump_loses_unfit, min_dump_alloc=op.min_dump_alloc,
        )  # fmt: skip
    untold = unseen and doit is None and profile.dump_policy_apart
    return GenlCmd(
        op.cmd,
        op.flags,
        doit,
        dumpit,
        (policy, maxattr) if doit is not None else (None, 0),
        (dumpit.policy, dumpit.maxattr) if dumpit is not None else (None, 0),
        has_policy=policy is not None and not untold,
    )


def _with_split(cmd: GenlCmd, op: GenlSplitOp, profile: Profile) -> GenlCmd:
    """genl_op_iter_next(): what is reported, and since 7.1 what is done, rejects all."""
    told: tuple[Policy | None, int] = (op.policy, op.maxattr)
    if op.policy is None and profile.rejects_without_policy:
        told = REJECT_ALL, 1
        if profile.split_ops_reject:
            op = replace(op, policy=REJECT_ALL, maxattr=1)
    cmd = replace(
        cmd, flags=cmd.flags | op.flags, has_policy=cmd.has_policy or told[0] is not None
    )
    if op.doit is not None:
        return replace(cmd, doit=op, policy=told)
    return replace(cmd, dumpit=op, dump_policy=told)


def validation(family: GenlFamily, op: GenlSplitOp, profile: Profile) -> NlValidate | None:
    """How strict a request's parse is; None: its attributes are not looked at."""
    if op.dumpit is not None:
        if family.always_strict:
            return STRICT
        if not profile.strict_families:  # a dumpit parsed for itself
            return None
        return LIBERAL if GENL_DONT_VALIDATE_DUMP_STRICT in op.validate else STRICT
    if family.always_strict:
        return STRICT
    if not profile.strict_families:
        return LIBERAL
    return LIBERAL if GENL_DONT_VALIDATE_STRICT in op.validate else STRICT
