"""A client that is recorded, and one that is replayed: what a request and its answer cost."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import real_kernel
from bench.commands import NETLINK_EMU
from bench.figure import Effort, Relation, Result, compared
from bench.measure import by_turns
from bench.messages import ANSWER_SIZE, FAMILY, get_pid
from bench.processes import asked
from bench.traps import command, natively, stopped_for_nothing
from netlink_emu.cassettes import (
    Answer,
    Bound,
    Cassette,
    Head,
    RecordedFamily,
    Request,
    Stream,
    write_cassette,
)

PID = 3
PORTID = 777


def figures(effort: Effort) -> list[Result]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, count = Path(name), effort.times(1000)
        empty = stack.enter_context(asked(stopped_for_nothing))
        file = folder / "played"
        file.write_text(write_cassette(played()))
        client = [NETLINK_EMU, "replay", "--repeat", "--patience", "0", str(file), "--"]
        replayed = stack.enter_context(
            asked(partial(natively, [*client, *command("netlink", FAMILY, PID)]))
        )
        found = by_turns(lambda: replayed(count), lambda: empty(count), effort.rounds)
        return [
            *(recorded(folder, effort) if real_kernel.available() else ()),
            compared(
                "replayed sendmsg + recvmsg with names",
                "two empty traps (RECV and CONTINUE) in a plain loop",
                "µs", Relation.AT_MOST_TIMES, None, found,
            ),
        ]  # fmt: skip


def recorded(folder: Path, effort: Effort) -> list[Result]:
    with ExitStack() as stack:
        count = effort.times(1000)
        asks = command("netlink", real_kernel.family_id(), os.getpid())
        noted = [NETLINK_EMU, "record", "-o", str(folder / "recorded"), "--"]
        ours = stack.enter_context(asked(partial(natively, [*noted, *asks])))
        plain = stack.enter_context(asked(partial(natively, asks)))
        found = by_turns(lambda: ours(count), lambda: plain(count), effort.rounds)
    return [
        compared(
            "recorded sendmsg + recvmsg with names", "the same, not recorded",
            "µs", Relation.AT_MOST_TIMES, None, found, found.limit,
        )
    ]  # fmt: skip


def played() -> Cassette:
    """The client's request, with an answer of the size that a kernel gives."""
    answer = bytearray(ANSWER_SIZE)
    answer[:4] = ANSWER_SIZE.to_bytes(4, sys.byteorder)
    answer[4:6] = FAMILY.to_bytes(2, sys.byteorder)
    events = (Bound(PORTID), Request(get_pid(PID)), Answer(bytes(answer)))
    head = Head(families={"TASKSTATS": RecordedFamily(FAMILY)})
    return Cassette(head, (Stream(16, 3, "client", events),))
