"""What can be configured of a kernel, and what cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from helpers.kernel import Bench, make_bench

from netlink_emu.families import boot
from netlink_emu.kernel.profile import KernelConfig, Profile
from netlink_emu.machine.machine import Machine


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nr_cpus", 0), ("nr_cpus", 8193), ("rmem_default", 2303), ("wmem_max", 1 << 31),
        ("pid_max", 1), ("taskstats_family_id", 16),
    ],
)  # fmt: skip
def test_what_no_kernel_could_be_configured_to(name: str, value: int) -> None:
    changed: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"{name} is between .* and .*, not {value}"):
        replace(KernelConfig(), **changed)


def test_a_kernel_without_taskstats() -> None:
    kernel = boot(Machine(), Profile(config=KernelConfig(taskstats=False)))
    assert kernel.taskstats is None
    assert kernel.genl.by_name("TASKSTATS") is None


@pytest.mark.parametrize(
    ("configured", "default", "accounted"),
    [(None, False, False), (None, True, True), (True, False, True), (False, True, False)],
)
def test_delay_accounting(configured: bool | None, default: bool, accounted: bool) -> None:
    config = KernelConfig(task_delayacct=configured)
    bench = make_bench(Profile(config=config, delayacct_default_on=default))
    assert bench.machine.tasks.fork().delayacct is accounted
    bench.kernel.sysctl_task_delayacct(on=not accounted)
    assert bench.machine.tasks.fork().delayacct is not accounted


def test_any_protocol_before_2_6_19() -> None:
    bench = make_bench(Profile(protocol_must_exist=False))
    sock = bench.kernel.socket(bench.current, 3, 31)
    assert sock.ngroups == 0


def test_buffers_begin_as_configured(bench: Bench) -> None:
    config = KernelConfig(rmem_default=5000, wmem_default=6000)
    sock = make_bench(Profile(config=config)).sock()
    assert (sock.rcvbuf, sock.sndbuf) == (5000, 6000)
    assert (bench.sock().rcvbuf, bench.sock().sndbuf) == (212992, 212992)
