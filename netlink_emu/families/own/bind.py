"""Make a struct genl_family, which the kernel calls, from declarations and functions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from netlink_emu.families.own.canned import Canned
from netlink_emu.families.own.request import Request
from netlink_emu.kernel.dump import Part
from netlink_emu.kernel.genetlink import (
    GENL_DONT_VALIDATE_DUMP,
    GENL_DONT_VALIDATE_DUMP_STRICT,
    GENL_DONT_VALIDATE_STRICT,
    GenlFamily,
    GenlInfo,
    GenlOp,
    GenlSplitOp,
    GenlValidate,
)
from netlink_emu.kernel.profile import Profile
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.family import Exchange, FamilyDeclaration, Operation, encode, pad_64bit
from netlink_emu.protocol.genetlink import GENL_HDRLEN, GENLMSGHDR, GenlOpFlags
from netlink_emu.protocol.netlink import NLMSG_HDRLEN, nlmsg_align
from netlink_emu.protocol.policy import Policy

Function = Callable[..., Any]
# What @family.do and @family.dump take beside a name.
KEYWORDS: Final = frozenset({"cmd", "reply_cmd", "attributes", "request", "flags", "validate"})
_FLAGS: Final = {
    "admin-perm": GenlOpFlags.GENL_ADMIN_PERM,
    "uns-admin-perm": GenlOpFlags.GENL_UNS_ADMIN_PERM,
}
_VALIDATE: Final = {
    "strict": GENL_DONT_VALIDATE_STRICT,
    "dump": GENL_DONT_VALIDATE_DUMP,
    "dump-strict": GENL_DONT_VALIDATE_DUMP_STRICT,
}


@dataclass(slots=True)
class Handlers:
    """The functions of a family, which is their first argument, by the names of its operations.

    ``closed``: all operations are declared, none can be added.
    """

    do: dict[str, Function] = field(default_factory=dict)
    dump: dict[str, Function] = field(default_factory=dict)
    start: dict[str, Function] = field(default_factory=dict)
    pre_doit: Function | None = None
    post_doit: Function | None = None
    otherwise_do: Function | None = None
    otherwise_dump: Function | None = None
    canned: dict[str, list[Canned]] = field(default_factory=dict)
    closed: bool = False
    _first_canned: dict[str, list[Canned]] = field(default_factory=dict)

    def remember(self) -> None:
        """Remember the present canned answers for :meth:`restore`."""
        self._first_canned = copy.deepcopy(self.canned)

    def restore(self) -> None:
        """Return to the canned answers of :meth:`remember`, with their counts."""
        self.canned = copy.deepcopy(self._first_canned)

    def doing(self, name: str) -> Function | None:
        """What answers a do: a canned answer, the operation's function, or the common one."""
        return self._canned(name) or self.do.get(name) or self.otherwise_do

    def dumping(self, name: str) -> Function | None:
        """What answers a dump."""
        return self._canned(name) or self.dump.get(name) or self.otherwise_dump

    def _canned(self, name: str) -> Function | None:
        for canned in reversed(self.canned.get(name, ())):
            if canned.wanted():
                return canned
        return None


def bind(family: object, declaration: FamilyDeclaration, handlers: Handlers) -> GenlFamily:
    """The family as genl_register_family() takes it."""
    ops: list[GenlOp | GenlSplitOp] = []
    operations = declaration.operations
    headers = [op.fixed_header for op in declaration.operations if op.fixed_header is not None]
    for op in sorted(operations, key=_command) if declaration.split else operations:
        ops += _split(family, op, handlers, split=declaration.split)
    return GenlFamily(
        declaration.name,
        declaration.version,
        tuple(ops),
        hdrsize=max((nlmsg_align(header.size) for header in headers), default=0),
        maxattr=declaration.maxattr,
        mcgrps=tuple(group.name for group in declaration.groups),
        mcgrp_caps={g.name: g.caps for g in declaration.groups if g.caps is not None},
        resv_start_op=declaration.resv_start_op,
        module=family,
    )


def check_name(how: str, name: object) -> None:
    """Raise ValueError unless it is a name: "@family.do" alone would declare nothing."""
    if not isinstance(name, str) or not name:
        raise ValueError(
            f'{how} takes the name of an operation, @family.{how}("get"), not {name!r}'
        )


def flags_of(names: str | Iterable[str]) -> GenlOpFlags:
    """GENL_* of an operation by their names in specs; raises ValueError for others."""
    flags = GenlOpFlags(0)
    for name in [names] if isinstance(names, str) else names:
        if name not in _FLAGS:
            raise ValueError(f"an operation's flags are {' and '.join(_FLAGS)}, not {name!r}")
        flags |= _FLAGS[name]
    return flags


def unvalidated(names: str | Iterable[str]) -> frozenset[str]:
    """GENL_DONT_VALIDATE_* by their names in specs; raises ValueError for others."""
    found = frozenset([names] if isinstance(names, str) else names)
    if found - _VALIDATE.keys():
        wrong = sorted(found - _VALIDATE.keys())[0]
        raise ValueError(f"{wrong!r} is not strict, dump or dump-strict")
    return found


def _command(op: Operation) -> int:
    return min((e.cmd for e in (op.do, op.dump) if e is not None), default=0)


def _split(
    family: object, op: Operation, handlers: Handlers, *, split: bool
) -> Iterator[GenlOp | GenlSplitOp]:
    validate = GenlValidate(0)
    for name in op.validate:
        validate |= _VALIDATE[name]
    pre, post = handlers.pre_doit, handlers.post_doit
    do, dump = op.do, op.dump
    doit = None if do is None else _Doit(family, op, do, handlers)
    dumpit = None if dump is None else _Dumpit(family, op, dump, handlers)
    one = do is None or dump is None or do.cmd == dump.cmd
    if one and not split and pre is None and post is None:
        exchange = do or dump
        if exchange is not None:
            policy, maxattr = _validated(op, exchange)
            yield GenlOp(exchange.cmd, op.flags, policy, maxattr, validate, doit, dumpit)
        return
    if do is not None:
        policy, maxattr = _validated(op, do)
        yield GenlSplitOp(
            do.cmd, op.flags, policy, maxattr, validate, doit=doit,
            pre_doit=None if pre is None else _Around(family, op, pre),
            post_doit=None if post is None else _Around(family, op, post),
        )  # fmt: skip
    if dump is not None:
        policy, maxattr = _validated(op, dump)
        if "dump" in op.validate:
            policy, maxattr = None, 0
        yield GenlSplitOp(dump.cmd, op.flags, policy, maxattr, validate, dumpit=dumpit)


def _validated(op: Operation, exchange: Exchange) -> tuple[Policy | None, int]:
    """The policy; None if it has no attributes."""
    policy, maxattr = exchange.validated_by(op.attributes)
    return (policy, maxattr) if policy or maxattr else (None, 0)


@dataclass(frozen=True, slots=True)
class _Around:
    """pre_doit and post_doit."""

    family: object
    op: Operation
    function: Function

    def __call__(self, _op: GenlSplitOp, info: GenlInfo) -> None:
        request = Request(info, self.op)
        with _Telling(request):
            self.function(self.family, request)


@dataclass(frozen=True, slots=True)
class _Doit:
    family: object
    op: Operation
    exchange: Exchange
    handlers: Handlers

    def __call__(self, info: GenlInfo) -> None:
        request = Request(info, self.op)
        function = self.handlers.doing(self.op.name)
        with _Telling(request):
            if function is None:
                raise _nobody(info, self.op)
            answer = function(self.family, request)
            for values in _answers(answer):
                fixed, attrs = _payload(info, self.op, values)
                start = NLMSG_HDRLEN + GENL_HDRLEN + len(fixed)
                payload = fixed + aligned(info.kernel.profile, self.op, attrs, start)
                info.reply(self.exchange.reply_cmd, payload, _room(info, payload))


@dataclass(frozen=True, slots=True)
class _Dumpit:
    family: object
    op: Operation
    exchange: Exchange
    handlers: Handlers

    def __call__(self, info: GenlInfo) -> Iterator[Part]:
        request = Request(info, self.op)
        start = self.handlers.start.get(self.op.name)
        function = self.handlers.dumping(self.op.name)
        with _Telling(request):
            if start is not None:
                start(self.family, request)
            if function is None:
                raise _nobody(info, self.op)
            parts = _answers(function(self.family, request))
        return self._parts(info, request, parts)

    def _parts(self, info: GenlInfo, request: Request, parts: Iterable[Any]) -> Iterator[Part]:
        header = GENLMSGHDR[info.kernel.profile.arch.order].pack(
            self.exchange.reply_cmd, info.family.version, 0
        )
        profile, op = info.kernel.profile, self.op
        with _Telling(request):
            for values in parts:
                fixed, attrs = _payload(info, op, values)
                if profile.arch.efficient_unaligned_access:
                    yield header + fixed + attrs
                else:
                    yield _Placed(profile, op, header + fixed, attrs)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A part of a dump that is written when its address is known."""

    profile: Profile
    op: Operation
    headers: bytes
    attrs: bytes

    def __call__(self, address: int) -> bytes:
        start = address + len(self.headers)
        return self.headers + aligned(self.profile, self.op, self.attrs, start)


class _Telling:
    """Puts what a NetlinkError names into the extended ack of the request."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, exc: BaseException | None, _tb: object) -> None:
        if isinstance(exc, NetlinkError):
            self._request.fail(exc, self._request.info.request.extack)


def _nobody(info: GenlInfo, op: Operation) -> NetlinkError:
    return NetlinkError("EOPNOTSUPP", f"nothing answers {op.name} of {info.family.name} here")


def _answers(answer: Any) -> Iterable[Any]:
    """What an operation returned, as answers: none, one, or many."""
    if answer is None:
        return ()
    if isinstance(answer, Mapping | bytes):
        return (answer,)
    if isinstance(answer, Iterable) and not isinstance(answer, str):
        return answer
    raise TypeError(f"an operation gives values by name, not {answer!r}")


def _payload(info: GenlInfo, op: Operation, values: Any) -> tuple[bytes, bytes]:
    """What follows an answer's genlmsghdr: the family's own header, and the attributes.

    Members of the header are values like the attributes. Bytes are taken as they are.
    """
    if isinstance(values, bytes):
        return values, b""
    if not isinstance(values, Mapping):
        raise TypeError(f"an operation gives values by name, not {values!r}")
    order, header = info.kernel.profile.arch.order, op.fixed_header
    if header is None:
        return b"", encode(op.attributes, values, order)
    members = {member.name for member in header.members}
    fixed = header.encode({n: v for n, v in values.items() if n in members}, order)
    rest = {name: value for name, value in values.items() if name not in members}
    return fixed.ljust(info.family.hdrsize, b"\0"), encode(op.attributes, rest, order)


def aligned(profile: Profile, op: Operation, attrs: bytes, at: int) -> bytes:
    """Attributes as this machine writes them at that address, modulo 8."""
    if profile.arch.efficient_unaligned_access:
        return attrs
    return pad_64bit(op.attributes, attrs, profile.arch.order, at)


def _room(info: GenlInfo, payload: bytes) -> int:
    """genlmsg_new(GENLMSG_DEFAULT_SIZE), or what it takes."""
    room = info.kernel.skb.goodsize - NLMSG_HDRLEN - GENL_HDRLEN
    return max(room, len(payload))
