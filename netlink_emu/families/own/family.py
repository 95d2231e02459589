"""Your own family: operations are functions that take and return values by name."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from netlink_emu.families.own.answers import Answers
from netlink_emu.families.own.bind import (
    KEYWORDS,
    Handlers,
    aligned,
    bind,
    check_name,
    flags_of,
    unvalidated,
)
from netlink_emu.families.own.store import Store
from netlink_emu.protocol.family import (
    AttributeSet,
    Exchange,
    FamilyDeclaration,
    McastGroup,
    Operation,
    encode,
)
from netlink_emu.protocol.genetlink import GENL_HDRLEN
from netlink_emu.protocol.netlink import NETLINK_GENERIC, NLMSG_HDRLEN

if TYPE_CHECKING:
    from netlink_emu.families.own.request import Request
    from netlink_emu.kernel.genetlink import GenlFamily
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.machine.namespaces import NetNamespace

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def _directly(function: Callable[[], T]) -> T:
    return function()


class Family(Answers):
    """A generic netlink family whose operations are Python functions.

    ``attributes`` are the attributes of its messages, ``groups`` its multicast groups. ``state``
    is for the functions: each boot starts with a copy of the state before the first boot. The
    family serves one kernel at a time: the one that was booted with it last.

    An operation is a function that takes the family and the :class:`Request`. It returns the
    answer: values by name, several of these, or None for an ack only. It raises NetlinkError for a
    client's mistake. Any other exception fails the test, and the client gets EIO.
    """

    def __init__(
        self,
        name: str,
        *,
        version: int = 1,
        attributes: AttributeSet | None = None,
        groups: Iterable[str | McastGroup] = (),
        state: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(groups, str):
            raise ValueError(f"groups are a list of names, not {groups!r}")
        if not isinstance(attributes, AttributeSet | None):
            raise ValueError(f"attributes are an AttributeSet, not {attributes!r}")
        self._take(
            FamilyDeclaration(
                name,
                version,
                groups=tuple(g if isinstance(g, McastGroup) else McastGroup(g) for g in groups),
            ),
            AttributeSet(name) if attributes is None else attributes,
            state,
        )

    @classmethod
    def from_declaration(
        cls, declaration: FamilyDeclaration, *, state: Mapping[str, Any] | None = None
    ) -> Family:
        """Make a family whose operations are already declared, as those of a spec are."""
        family = cls.__new__(cls)
        family._take(declaration, AttributeSet(declaration.name), state)
        family._handlers.closed = True
        return family

    @classmethod
    def from_spec(
        cls,
        spec: str | Path,
        *,
        state: Mapping[str, Any] | str | Path | None = None,
        recording: str | Path | None = None,
    ) -> Family:
        """Make a family from one of the kernel's YAML specs: a path, or the text itself.

        It needs no functions: its :attr:`store` answers. ``state`` has the initial objects by
        kind, ``{"device": [{"ifname": "wg0"}]}``, or is a TOML, YAML or JSON file of them.
        ``recording`` is a file of ``netlink-emu family record``: operations, flags, groups and
        policies are then those of the recorded kernel. Raises ValueError, with file, line and
        column, for a mistake, and OSError for a file that cannot be read.
        """
        # Imports yaml: not for those who have no such family.
        from netlink_emu.families.own.files import load

        loaded = load(spec, state, recording)
        family = cls.from_declaration(loaded.declaration)
        family._store = Store(family)
        loaded.seed(family)
        return family

    def _take(
        self,
        declaration: FamilyDeclaration,
        attributes: AttributeSet,
        state: Mapping[str, Any] | None,
    ) -> None:
        self._declaration = declaration
        self._attributes = attributes
        self._handlers = Handlers()
        self._store = None
        self.state: dict[str, Any] = dict(state or {})
        self._first_state: dict[str, Any] | None = None
        self._kernel: Kernel | None = None
        self._genl: GenlFamily | None = None
        self._call: Callable[[Callable[[], Any]], Any] = _directly

    def __repr__(self) -> str:
        names = ", ".join(op.name for op in self._declaration.operations)
        return f"<family {self.name}: {names or 'no operations'}>"

    @property
    def name(self) -> str:
        return self._declaration.name

    @property
    def declaration(self) -> FamilyDeclaration:
        """The declaration of its attributes and operations."""
        return self._declaration

    @property
    def kernel(self) -> Kernel:
        """The kernel that the family serves; raises LookupError before one is booted with it."""
        if self._kernel is None:
            raise LookupError(f"no kernel has {self.name} yet: netlink_emu(families=[...])")
        return self._kernel

    @property
    def genl(self) -> GenlFamily:
        """The kernel's struct genl_family, with its number and its groups' numbers."""
        if self._genl is None:
            raise LookupError(f"no kernel has {self.name} yet: netlink_emu(families=[...])")
        return self._genl

    # --- operations

    def do(self, name: str, **declare: Any) -> Callable[[F], F]:
        """Decorate a function that answers a do: ``function(family, request)``.

        This declares the operation if it is new: ``cmd`` is its number (by default the next one),
        ``reply_cmd`` that of the answer (``cmd``), ``attributes`` its attribute set (the
        family's), ``request`` the names of the attributes that it takes (all), ``flags`` are
        "admin-perm" or "uns-admin-perm", ``validate`` its GENL_DONT_VALIDATE_* ("strict", "dump",
        "dump-strict"). Raises ValueError for a second declaration, and for unknown names.
        """
        return self._decorator("do", name, declare)

    def dump(self, name: str, **declare: Any) -> Callable[[F], F]:
        """Decorate a function that answers a dump, most easily a generator; see :meth:`do`.

        Each value that it yields is a message. NetlinkError ends the dump, with its errno in
        NLMSG_DONE. If the function is not a generator, an error that it raises answers at once.
        """
        return self._decorator("dump", name, declare)

    def start(self, name: str) -> Callable[[F], F]:
        """Decorate a function to call before a dump begins; its NetlinkError answers at once."""
        return self._decorator("start", name, None)

    def _decorator(self, how: str, name: str, declare: Any) -> Callable[[F], F]:
        check_name(how, name)

        def decorate(function: F) -> F:
            if declare is None:
                self._declaration.operation(name)
            else:
                self._declare(name, how, declare)
            getattr(self._handlers, how)[name] = function
            return function

        return decorate

    def event(
        self,
        name: str,
        *,
        group: str = "",
        cmd: int | None = None,
        attributes: AttributeSet | None = None,
    ) -> None:
        """Declare a notification for :meth:`notify`: its command, attributes and group.

        ``group`` is by default the family's first.
        """
        if any(op.name == name for op in self._declaration.operations):
            raise ValueError(f"{self.name} has {name!r} already")
        if not group:
            if not self._declaration.groups:
                raise ValueError(f"{self.name} has no multicast group for the event {name!r}")
            group = self._declaration.groups[0].name
        number = self._next() if cmd is None else cmd
        told = Exchange(reply=(), cmd=number, reply_cmd=number)
        self._add(Operation(name, attributes or self._attributes, event=told, mcgrp=group))

    def pre_doit(self, function: F) -> F:
        """Decorate a function to call before each do; its NetlinkError answers instead."""
        self._handlers.pre_doit = function
        return function

    def post_doit(self, function: F) -> F:
        """Decorate a function to call after each do, whether it failed or not."""
        self._handlers.post_doit = function
        return function

    def otherwise(
        self,
        *,
        do: Callable[[Any, Request], Any],
        dump: Callable[[Any, Request], Any],
    ) -> None:
        """Set the functions that answer declared operations without their own function."""
        self._handlers.otherwise_do, self._handlers.otherwise_dump = do, dump

    def _next(self) -> int:
        exchanges = [
            exchange
            for op in self._declaration.operations
            for exchange in (op.do, op.dump, op.event)
            if exchange is not None
        ]
        return max((max(e.cmd, e.reply_cmd) for e in exchanges), default=0) + 1

    def _declare(self, name: str, how: str, declare: Mapping[str, Any]) -> None:
        """Declare the do or the dump of an operation."""
        unknown = declare.keys() - KEYWORDS
        if unknown:
            raise ValueError(f"an operation has no {sorted(unknown)[0]!r}")
        declared = {op.name: op for op in self._declaration.operations}
        op = declared.get(name)
        if op is not None and getattr(op, how) is not None:
            if declare:
                raise ValueError(f"{name!r} of {self.name} is declared already")
            return
        if op is None:
            if self._handlers.closed:
                self._declaration.operation(name)  # which says that there is none
            op = Operation(name, declare.get("attributes") or self._attributes)
        other = op.do or op.dump
        number = declare.get("cmd", other.cmd if other is not None else None)
        number = self._next() if number is None else number
        request = declare.get("request")
        exchange = Exchange(
            tuple(attribute.name for attribute in op.attributes if attribute.type != "unused")
            if request is None
            else tuple(request),
            (),
            number,
            declare.get("reply_cmd", other.reply_cmd if other is not None else number),
        )
        self._add(
            replace(
                op,
                do=exchange if how == "do" else op.do,
                dump=exchange if how == "dump" else op.dump,
                flags=op.flags | flags_of(declare.get("flags", ())),
                validate=op.validate | unvalidated(declare.get("validate", ())),
            )
        )

    def _add(self, op: Operation) -> None:
        others = tuple(o for o in self._declaration.operations if o.name != op.name)
        for other in others:
            for mine, its in ((op.do, other.do), (op.dump, other.dump)):
                if mine is not None and its is not None and mine.cmd == its.cmd:
                    raise ValueError(
                        f"{op.name!r} and {other.name!r} of {self.name} have one command, "
                        f"{mine.cmd}"
                    )
        self._declaration = replace(self._declaration, operations=(*others, op))

    # --- what it tells

    def notify(
        self,
        name: str,
        values: Mapping[Any, Any],
        *,
        group: str = "",
        net: NetNamespace | None = None,
        header: Mapping[str, Any] | None = None,
    ) -> None:
        """Send a notification to a multicast group: genlmsg_multicast_netns().

        ``group`` is by default the event's own, ``net`` the initial network namespace. As with a
        kernel, a member whose buffer is full loses the message and gets ENOBUFS. Raises
        ValueError for an unknown event or group, and LookupError before a kernel has the family.
        You can call it from any thread.
        """
        self.tell(self.telling(name, values, group, header, net))

    def tell(self, telling: Callable[[], None]) -> None:
        """Send what :meth:`telling` has made."""
        self._call(telling)

    def telling(
        self,
        name: str,
        values: Mapping[Any, Any],
        group: str = "",
        header: Mapping[str, Any] | None = None,
        net: NetNamespace | None = None,
    ) -> Callable[[], None]:
        """Check a notification as :meth:`notify` does; the result sends it."""
        op = self._declaration.operation(name)
        told = op.event
        if told is None:
            raise ValueError(f"{name!r} of {self.name} is not an event")
        wanted = group or op.mcgrp
        names = [known.name for known in self._declaration.groups]
        if wanted not in names:
            raise ValueError(f"{self.name} has no group {wanted!r}; it has {', '.join(names)}")
        kernel, genl = self.kernel, self.genl
        order = kernel.profile.arch.order
        fixed = b"" if op.fixed_header is None else op.fixed_header.encode(header or {}, order)
        start = NLMSG_HDRLEN + GENL_HDRLEN + len(fixed)
        payload = fixed + aligned(kernel.profile, op, encode(op.attributes, values, order), start)

        def tell() -> None:
            message = genl.message(kernel, told.reply_cmd or told.cmd, payload, 0, 0)
            number = genl.mcgrp_offset + names.index(wanted)
            where = kernel.machine.init_net if net is None else net
            kernel.netlink.broadcast_from_kernel(where, NETLINK_GENERIC, message, number)

        return tell

    def listeners(self, group: str = "", *, net: NetNamespace | None = None) -> int:
        """Return the number of sockets in a group (by default the first).

        To wait for a client that joins: ``kernel.wait_until(lambda _: family.listeners())``. You
        can call it from any thread. Raises ValueError for an unknown group, and LookupError before
        a kernel has the family.
        """
        names = [known.name for known in self._declaration.groups]
        wanted = group or (names[0] if names else "")
        if wanted not in names:
            raise ValueError(f"{self.name} has no group {wanted!r}; it has {', '.join(names)}")
        kernel, number = self.kernel, self.genl.mcgrp_offset + names.index(wanted)

        def count() -> int:
            where = kernel.machine.init_net if net is None else net
            sockets = kernel.netlink.sockets(where, NETLINK_GENERIC).values()
            return sum(sk.groups >> (number - 1) & 1 for sk in sockets)

        found: int = self._call(count)
        return found

    # --- a kernel

    def attach(
        self,
        kernel: Kernel,
        *,
        call: Callable[[Callable[[], Any]], Any] = _directly,
        failed: Callable[[BaseException], None] | None = None,
    ) -> GenlFamily:
        """Register with a kernel, which the family serves from now on.

        ``call`` runs a function in the kernel's thread. ``failed`` gets every exception of an
        operation except NetlinkError; without it, the exception is raised.
        """
        if self._first_state is None:
            self._first_state = copy.deepcopy(self.state)
        else:
            self.state = copy.deepcopy(self._first_state)
        self._handlers.remember()
        genl = bind(self, self._declaration, self._handlers)
        genl.failed = failed
        self._kernel, self._genl, self._call = kernel, genl, call
        kernel.genl.register_family(genl)
        return genl

    def restart(self) -> None:
        """Return to the state, and to the canned answers, with which the kernel was booted."""
        self.state = copy.deepcopy(self._first_state or {})
        self._handlers.restore()
