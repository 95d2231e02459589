"""What the steps of a scenario do to families of one's own; see docs/scenario.md."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from netlink_emu.families.own.registered import Families, UnknownFamily

if TYPE_CHECKING:
    from netlink_emu.families.own.family import Family
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.machine.scenario_families import FamilyStep

Do = Callable[[], object]


def changes_in(kernel: Kernel) -> Callable[[str, FamilyStep], Do]:
    """Return a function that prepares a step for the family of that name.

    It returns what carries the step out. Both raise ValueError: the first for names and values
    that there cannot be, the second if there is no such object by then, or one already.
    """
    families = Families(kernel)

    def prepare(name: str, step: FamilyStep) -> Do:
        try:
            family = families[name]
        except UnknownFamily as exc:
            raise ValueError(str(exc)) from None
        return _prepared(family, step)

    return prepare


def _prepared(family: Family, step: FamilyStep) -> Do:
    if step.verb in ("add", "change", "remove"):
        return _of_store(family, step)
    if step.verb == "notify":
        values, header = family.news_plain(step.what, step.values)
        return partial(family.tell, family.telling(step.what, values, step.group, header))
    if step.verb == "forget":
        family.declaration.operation(step.what)
        return partial(family.forget, step.what)
    if step.verb == "reply":
        canned = family.canned_plain(step.what, step.values, step.times)
    else:
        canned = family.canned_failure(
            step.what, step.errno, step.message, step.attr, step.missing, step.times
        )
    return partial(family.put, step.what, canned)


def _of_store(family: Family, step: FamilyStep) -> Do:
    try:
        store = family.store
    except LookupError as exc:
        raise ValueError(str(exc)) from None
    store.check(step.what, step.values)
    change = {"add": store.add, "change": store.change, "remove": store.remove}[step.verb]

    def do() -> None:
        try:
            change(step.what, step.values)
        except LookupError as exc:
            raise ValueError(str(exc)) from None

    return do
