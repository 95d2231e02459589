"""Families of one's own in a kernel that runs elsewhere: what a test does to its Family."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from netlink_emu.protocol.errors import errno_number
from netlink_emu.protocol.ours.control import FAMILY, attr_prefix, c_name
from netlink_emu.protocol.ours.control_values import Row

if TYPE_CHECKING:
    from netlink_emu.protocol.reading.decode import Message


class Asker(Protocol):
    """Who asks NETLINK_EMU: a Remote."""

    def do(self, name: str, values: Row | None = None) -> Message | None: ...
    def dump(self, name: str, values: Row | None = None) -> list[Message]: ...


class RemoteFamily:
    """A family that was added to a kernel that runs elsewhere.

    Methods and values are those of :class:`netlink_emu.testing.Family`, but bytes are hex, as in
    JSON. ``store`` is that of a family from a spec. Every method raises ControlError for what the
    kernel refuses: ENOENT for an unknown family or object, EEXIST for an object whose
    key is taken, EOPNOTSUPP where there is no store, EINVAL for unknown names and wrong values.
    """

    def __init__(self, remote: Asker, name: str) -> None:
        self._remote: Final = remote
        self.name: Final = name
        self.store: Final = RemoteStore(self)

    def do(self, operation: str, values: Row) -> None:
        """Have NETLINK_EMU change something of this family."""
        self._remote.do(operation, {"name": self.name, **values})

    def rows(self, operation: str, values: Row) -> list[dict[str, Any]]:
        """Ask NETLINK_EMU for something of this family."""
        asked = {"name": self.name, **values}
        return [named(message) for message in self._remote.dump(operation, asked)]

    def notify(self, name: str, values: Mapping[str, Any], *, group: str = "") -> None:
        """Send a notification to a multicast group; see Family.notify."""
        said = {"operation": name, "json": json.dumps(values), "group": group or None}
        self.do("family-notify", said)

    def reply(self, name: str, values: Any, *, times: int | None = None) -> None:
        """Answer an operation with these values; see Family.reply."""
        said = {"operation": name, "json": json.dumps(values), "times": times}
        self.do("family-reply", said)

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
        """Fail an operation; see Family.fail. Raises ValueError for an errno without a name."""
        number = errno if isinstance(errno, int) else errno_number(errno)
        said = {
            "operation": name, "errno": number, "text": message or None, "attribute": attr,
            "missing": missing, "times": times,
        }  # fmt: skip
        self.do("family-fail", said)

    def forget(self, name: str) -> None:
        """Answer an operation as before; see Family.forget."""
        self.do("family-forget", {"operation": name})


class RemoteStore:
    """The objects of a family by kind: see the store of a Family."""

    def __init__(self, family: RemoteFamily) -> None:
        self._family: Final = family

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """The objects of a kind, in the order in which they were made."""
        return [json.loads(row["json"]) for row in self._family.rows("object-get", {"kind": kind})]

    def add(self, kind: str, values: Mapping[str, Any]) -> None:
        """Make an object, and notify the groups."""
        self._family.do("object-new", {"kind": kind, "json": json.dumps(values)})

    def change(self, kind: str, values: Mapping[str, Any]) -> None:
        """Change the object with the key in ``values``, and notify the groups."""
        self._family.do("object-set", {"kind": kind, "json": json.dumps(values)})

    def remove(self, kind: str, values: Mapping[str, Any]) -> None:
        """Remove the object with that key, and notify the groups."""
        self._family.do("object-del", {"kind": kind, "json": json.dumps(values)})


def named(message: Message) -> dict[str, Any]:
    """A message about families by the names of its attributes."""
    prefix = c_name(attr_prefix(FAMILY))
    return {attr.name.removeprefix(prefix).lower(): attr.value for attr in message.attrs}
