"""Random sequences on this machine's kernel and on the emulator: a bounded run.

The long one: scripts/differential --requests 20000 --seed N
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from differential.fuzz import Fuzzer
from differential.report import figures_text
from differential.sequences import CPUS, Sequences
from helpers.broken import boot_with

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.targets.kernel import KernelTarget
from netlink_emu.conformance.targets.premises import missing_for_anything

pytestmark = pytest.mark.real_kernel


@pytest.fixture(scope="module")
def kernel() -> Iterator[KernelTarget]:
    with KernelTarget() as target:
        reason = missing_for_anything(target.family_id, CPUS)
        if reason is not None:
            pytest.skip(f"nothing to compare with: {reason}")
        yield target


def test_no_difference(kernel: KernelTarget, request: pytest.FixtureRequest) -> None:
    with Fuzzer(kernel) as fuzzer:
        figures = fuzzer.run(requests=1000, seed=1, stop_after=1)
    text = "\n".join(figures_text(figures, kernel.family_id))
    assert not figures.differences, text
    assert figures.requests >= 1000
    assert figures.datagrams > 500


def test_a_broken_emulator_is_found_and_the_sequence_cut_down(kernel: KernelTarget) -> None:
    def clear_agroup(data: bytearray) -> None:
        if len(data) == 596 and not any(data[12:16]):  # an exit event
            data[44] &= ~0x20

    with Fuzzer(kernel, boot=boot_with(clear_agroup)) as fuzzer:
        figures = fuzzer.run(requests=3000, seed=1, stop_after=1)
    (difference,) = figures.differences
    names = [step.op.ACTION or step.op.NAME for step in difference.steps]
    # What it takes: a listener, a task, its end, and a look.
    assert {"socket", "send", "spawn", "exit", "recv"} <= set(names)
    assert len(names) < 15, names
    text = "\n".join(figures_text(figures, kernel.family_id))
    assert "!  44      ac_flag" in text
    assert '"op": "task", "action": "exit"' in text


def test_sequences_reach_every_sort_of_operation() -> None:
    seen = {type(step.op) for seed in range(60) for step in Sequences(seed).make(40)}
    assert {
        ops.Socket, ops.Bind, ops.Connect, ops.Close, ops.SetSockOpt, ops.GetSockOpt, ops.Send,
        ops.Recv, ops.Spawn, ops.Thread, ops.Exit, ops.Reap, ops.Open, ops.Poll,
        ops.GetSockName, ops.GetPeerName, ops.ListMemberships, ops.ProcNetlink,
    } <= seen  # fmt: skip
