"""Facts across datagrams that a transcript states, and whether they hold in a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netlink_emu.conformance.cases.case import MAIN, Case, Datagram, Outcome, Relation
from netlink_emu.conformance.cases.masked import Symbol
from netlink_emu.conformance.cases.structure import stats_blocks
from netlink_emu.conformance.targets.target import About

from .bindings import Bindings
from .compare import DISTURBED, Mismatch


class _Absent(Exception):
    """What a relation speaks of is not there.

    A datagram that did not come is reported elsewhere; a member is not in every struct.
    """


class Relations:
    """The outcomes of one run, asked by label."""

    def __init__(
        self,
        case: Case,
        outcomes: list[Outcome],
        bindings: Bindings,
        *,
        exact_sequence: bool = True,
    ) -> None:
        self._case = case
        self._order = case.order
        self._exact_sequence = exact_sequence
        self._outcomes = outcomes
        self._bindings = bindings
        self._labels = dict(case.labelled())

    def check(self) -> list[Mismatch]:
        """The relations that do not hold."""
        found = []
        for relation in self._case.relations:
            if not relation.holds:
                continue
            try:
                fault = self._fault(relation)
            except _Absent:
                continue
            if fault is not None:
                step = self._step_of(relation.args)
                what = DISTURBED if self._may_be_others(relation) else "relation"
                found.append(Mismatch(step, what, f"{relation.text}: {fault}"))
        return found

    def _may_be_others(self, relation: Relation) -> bool:
        """Whether a counter went too far, as it does where others listen or end, too."""
        if self._exact_sequence or relation.kind != "seq_delta":
            return False
        return self._seq_delta(relation.args) > int(relation.args["value"])

    def _seq_delta(self, args: Mapping[str, Any]) -> int:
        first, second = (
            int.from_bytes(self._datagram(args[k]).payload.data[8:12], self._order.name)
            for k in "ab"
        )
        return (second - first) & 0xFFFF_FFFF

    def _step_of(self, args: Mapping[str, Any]) -> int:
        where = args.get("b") or args.get("a")
        return self._labels.get(where[0], 0) if where else len(self._case.steps) - 1

    def _datagram(self, where: list[Any]) -> Datagram:
        label, number = str(where[0]), int(where[1])
        index = self._labels.get(label)
        if index is None or index >= len(self._outcomes):
            raise _Absent
        datagrams = self._outcomes[index].datagrams or ()
        if number >= len(datagrams):
            raise _Absent
        return datagrams[number]

    def _stats(self, where: list[Any]) -> dict[str, int | bytes]:
        data = self._datagram(where).payload.data
        for block in stats_blocks(data, self._order):
            return block.layout.codec(self._order).decode(data, block.offset)
        raise _Absent

    def _fault(self, relation: Relation) -> str | None:
        args = relation.args
        match relation.kind:
            case "same_bytes":
                a, b = (self._datagram(args[k]).payload.data for k in "ab")
                return None if a == b else f"{a.hex()} and {b.hex()}"
            case "seq_delta":
                delta = self._seq_delta(args)
                return None if delta == args["value"] else f"it is {delta}"
            case "field_zero":
                values = self._stats(args["a"])
                wrong = [name for name in args["fields"] if values.get(name)]
                return f"{', '.join(wrong)} are not 0" if wrong else None
            case "field_nonzero":
                values = self._stats(args["a"])
                wrong = [name for name in args["fields"] if not values.get(name, True)]
                return f"{', '.join(wrong)} are 0" if wrong else None
            case "fields_equal":
                values = self._stats(args["a"])
                x, y = _member(values, args["x"]), _member(values, args["y"])
                return None if x == y else f"{x!r} and {y!r}"
            case "field_ge":
                x, y = (_member(self._stats(args[k]), args["field"]) for k in "ab")
                assert isinstance(x, int)
                assert isinstance(y, int)
                return None if x >= y else f"{x} is less than {y}"
            case "field_equals_stat":
                return self._of_file(args)
            case "portid_is_pid":
                portid = self._bindings.value(Symbol("PORTID", args["sock"]))
                pid = self._bindings.value(Symbol("PID", args["task"]))
                return None if portid == pid else f"{portid}, the pid is {pid}"
            case "portid_in":
                portid = self._bindings.value(Symbol("PORTID", args["sock"]))
                if portid is None or args["low"] <= portid <= args["high"]:
                    return None
                return f"{portid:#x}"
        return f"there is no relation {relation.kind}"

    def _of_file(self, args: Mapping[str, Any]) -> str | None:
        """ac_exe_*: of the file that the task executes, as the target knows it."""
        value = _member(self._stats(args["a"]), args["field"])
        kind = "EXE_INODE" if args["field"] == "ac_exe_inode" else "EXE_DEV"
        expected = self._bindings.value(Symbol(kind, args["path"]), About(MAIN, path=args["path"]))
        return None if value == expected else f"{value!r}, that of {args['path']} is {expected}"


def _member(values: Mapping[str, int | bytes], name: str) -> int | bytes:
    if name not in values:
        raise _Absent
    return values[name]
