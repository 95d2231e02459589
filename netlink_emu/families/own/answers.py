"""What answers a family's operations besides your own functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from netlink_emu.families.own.bind import Handlers
from netlink_emu.families.own.canned import Canned, failure
from netlink_emu.families.own.plain import from_plain
from netlink_emu.protocol.family import AttributeSet, FamilyDeclaration, encode

if TYPE_CHECKING:
    from netlink_emu.families.own.store import Store
    from netlink_emu.machine.namespaces import NetNamespace


class Answers:
    """The store of a family from a spec, and canned answers and errors."""

    _declaration: FamilyDeclaration
    _handlers: Handlers
    _store: Store | None

    if TYPE_CHECKING:

        def notify(
            self,
            name: str,
            values: Mapping[Any, Any],
            *,
            group: str = "",
            net: NetNamespace | None = None,
            header: Mapping[str, Any] | None = None,
        ) -> None: ...

    @property
    def has_store(self) -> bool:
        """Whether this is a family from a spec."""
        return self._store is not None

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
        self.put(name, self._canned(name, values, times))

    def _canned(
        self,
        name: str,
        values: Mapping[Any, Any] | Iterable[Mapping[Any, Any]] | None,
        times: int | None,
    ) -> Canned:
        op = self._declaration.operation(name)
        answers = [values] if isinstance(values, Mapping) else values or ()
        if isinstance(answers, str) or not isinstance(answers, Iterable):
            raise ValueError(f"answers are values by name, or a list of them, not {values!r}")
        answers = list(answers)
        members = {member.name for member in op.fixed_header.members} if op.fixed_header else set()
        for each in answers:
            if not isinstance(each, Mapping):
                raise ValueError(f"answers are values by name, or a list of them, not {each!r}")
            encode(op.attributes, {n: v for n, v in each.items() if n not in members})
        return Canned(answers, None, times)

    def put(self, name: str, canned: Canned) -> None:
        """Answer an operation with this from now on."""
        self._handlers.canned.setdefault(name, []).append(canned)

    def reply_plain(self, name: str, values: Any, *, times: int | None = None) -> None:
        """Like :meth:`reply`, with values as in JSON: bytes are hex."""
        self.put(name, self.canned_plain(name, values, times))

    def canned_plain(self, name: str, values: Any, times: int | None) -> Canned:
        """What :meth:`reply_plain` would answer with, for :meth:`put`."""
        op = self._declaration.operation(name)
        many = values if isinstance(values, list) else [] if values is None else [values]
        return self._canned(name, [from_plain(op.attributes, each) for each in many], times)

    def notify_plain(self, name: str, values: Any, *, group: str = "") -> None:
        """Like :meth:`Family.notify`, with values as in JSON: bytes are hex.

        Members of the family's own header are values like the attributes.
        """
        rest, header = self.news_plain(name, values)
        self.notify(name, rest, group=group, header=header)

    def news_plain(self, name: str, values: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """The attributes and the header of a notification, of values as in JSON."""
        op = self._declaration.operation(name)
        given = from_plain(op.attributes, values)
        members = {member.name for member in op.fixed_header.members} if op.fixed_header else set()
        header = {member: part for member, part in given.items() if member in members}
        return {n: part for n, part in given.items() if n not in members}, header

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
        """Fail an operation, with an extended ack: see NetlinkError and :meth:`reply`.

        Raises ValueError for names that there are not.
        """
        self.put(name, self.canned_failure(name, errno, message, attr, missing, times))

    def canned_failure(
        self,
        name: str,
        errno: str | int,
        message: str,
        attr: str | None,
        missing: str | None,
        times: int | None,
    ) -> Canned:
        """What :meth:`fail` would answer with, for :meth:`put`."""
        op = self._declaration.operation(name)
        for path in filter(None, (attr, missing)):
            _check_path(op.attributes, path)
        return Canned([], failure(errno, message, attr=attr, missing=missing), times)

    def forget(self, name: str) -> None:
        """Answer an operation as before any :meth:`reply` and :meth:`fail`."""
        self._declaration.operation(name)
        self._handlers.canned.pop(name, None)


def _check_path(attributes: AttributeSet, path: str) -> None:
    """Raise ValueError unless "colour.red" names an attribute."""
    known: AttributeSet | None = attributes
    for name in path.split("."):
        if known is None:
            raise ValueError(f"{path} is not an attribute: {name!r} has no nest")
        known = known[name].nested
