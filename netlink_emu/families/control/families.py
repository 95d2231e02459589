"""NETLINK_EMU's operations on families of one's own: objects, notifications, answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from errno import EEXIST, ENOENT, EOPNOTSUPP
from typing import TYPE_CHECKING, Any, Final

from netlink_emu.families.control.ops import Asked, Handler, Handlers
from netlink_emu.families.own.plain import read_json, to_plain
from netlink_emu.families.own.registered import Families, UnknownFamily
from netlink_emu.families.own.store import Taken
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.ours.control_values import Row

if TYPE_CHECKING:
    from netlink_emu.families import BootedKernel
    from netlink_emu.families.own import Family
    from netlink_emu.families.own.store import Store


class FamilyOps:
    """The stores and answers of the families that were added to a kernel.

    Unknown names and wrong values are EINVAL, which says what comes close; a family or an object
    that there is not is ENOENT, and EOPNOTSUPP a family without a store.
    """

    def __init__(self, kernel: BootedKernel) -> None:
        self._families: Final = Families(kernel)

    def ops(self) -> Handlers:
        return {
            "family-get": Handler(dump=self.families),
            "object-get": Handler(dump=self.objects),
            "object-new": Handler(self.add),
            "object-set": Handler(self.change),
            "object-del": Handler(self.remove),
            "family-notify": Handler(self.notify),
            "family-reply": Handler(self.reply),
            "family-fail": Handler(self.fail),
            "family-forget": Handler(self.forget),
        }

    def families(self, _asked: Asked) -> Iterator[Row]:
        for name, family in self._families.items():
            row = {"name": name, "id": family.genl.id}
            if family.has_store:
                for kind in family.store.kinds.values():
                    key = ", ".join(".".join(path) for path in kind.keys)
                    yield {**row, "kind": kind.name, "key": key}
            else:
                yield row

    def _family(self, asked: Asked) -> Family:
        try:
            return self._families[asked.text("name")]
        except UnknownFamily as exc:
            raise NetlinkError(ENOENT, str(exc)) from None

    # --- the store

    def _store(self, asked: Asked) -> Store:
        family = self._family(asked)
        if not family.has_store:
            said = f"{family.name} has no store: its operations are functions in Python"
            raise NetlinkError(EOPNOTSUPP, said)
        return family.store

    def objects(self, asked: Asked) -> Iterator[Row]:
        store = self._store(asked)
        for each in store.objects(asked.text("kind")):
            yield {"json": json.dumps(to_plain(each), ensure_ascii=False)}

    def add(self, asked: Asked) -> None:
        self._change(asked, self._store(asked).add)

    def change(self, asked: Asked) -> None:
        self._change(asked, self._store(asked).change)

    def remove(self, asked: Asked) -> None:
        self._change(asked, self._store(asked).remove)

    def _change(self, asked: Asked, change: Callable[[str, Any], None]) -> None:
        try:
            change(asked.text("kind"), _json(asked))
        except Taken as exc:
            raise NetlinkError(EEXIST, str(exc)) from None
        except LookupError as exc:
            raise NetlinkError(ENOENT, str(exc)) from None

    # --- what it says

    def notify(self, asked: Asked) -> None:
        values = _json(asked, "{}")
        group = asked.text("group", "")
        self._family(asked).notify_plain(asked.text("operation"), values, group=group)

    def reply(self, asked: Asked) -> None:
        values = _json(asked)
        self._family(asked).reply_plain(asked.text("operation"), values, times=_times(asked))

    def fail(self, asked: Asked) -> None:
        self._family(asked).fail(
            asked.text("operation"),
            asked.number("errno"),
            asked.text("text", ""),
            attr=asked.text("attribute", "") or None,
            missing=asked.text("missing", "") or None,
            times=_times(asked),
        )

    def forget(self, asked: Asked) -> None:
        self._family(asked).forget(asked.text("operation"))


def _times(asked: Asked) -> int | None:
    return asked.number("times") if "times" in asked else None


def _json(asked: Asked, default: str | None = None) -> Any:
    return read_json(asked.text("json", default), "NLEMU_A_FAMILY_JSON")
