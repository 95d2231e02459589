"""What answers the operations of a family beside functions of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from netlink_emu.families.own.bind import Handlers
from netlink_emu.families.own.canned import Canned, failure
from netlink_emu.families.own.plain import from_plain
from netlink_emu.protocol.family import FamilyDeclaration, encode

if TYPE_CHECKING:
    from netlink_emu.families.own.store import Store


class Answers:
    """The store of a family from a spec, and canned answers and errors."""

    _declaration: FamilyDeclaration
    _handlers: Handlers
    _store: Store | None

    @property
    def store(self) -> Store:
        """The store of a family from a spec; raises LookupError for other families."""
        if self._store is None:
            raise LookupError(f"{self._declaration.name} has no store: Family.from_spec makes one")
        return self._store

    def reply(
        self,
        name: str,
        values: Mapping[Any, Any] | Iterable[Mapping[Any, Any]] | None,
        *,
        times: int | None = None,
    ) -> None:
        """Answer an operation with these values, or with several messages of such values.

        None answers with the ack only. ``times`` limits how often (by default always); then the
        operation answers as before. The last call wins. Raises ValueError for unknown names.
        """
        op = self._declaration.operation(name)
        answers = [values] if isinstance(values, Mapping) else list(values or ())
        members = {member.name for member in op.fixed_header.members} if op.fixed_header else set()
        for each in answers:
            encode(op.attributes, {n: v for n, v in each.items() if n not in members})
        self._handlers.canned.setdefault(name, []).append(Canned(answers, None, times))

    def reply_plain(self, name: str, values: Any) -> None:
        """Like :meth:`reply`, with values as in JSON: bytes are hex."""
        op = self._declaration.operation(name)
        many = values if isinstance(values, list) else [] if values is None else [values]
        self.reply(name, [from_plain(op.attributes, each) for each in many])

    def fail(
        self,
        name: str,
        errno: str | int,
        message: str = "",
        *,
        attr: str | None = None,
        missing: str | None = None,
        times: int | None = None,
    ) -> None:
        """Fail an operation, with an extended ack: see NetlinkError and :meth:`reply`."""
        self._declaration.operation(name)
        error = failure(errno, message, attr=attr, missing=missing)
        self._handlers.canned.setdefault(name, []).append(Canned([], error, times))

    def forget(self, name: str) -> None:
        """Answer an operation as before any :meth:`reply` and :meth:`fail`."""
        self._declaration.operation(name)
        self._handlers.canned.pop(name, None)
