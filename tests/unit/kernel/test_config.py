"""Configurations from text, and what no kernel can be configured to."""

from __future__ import annotations

from typing import Any

import pytest

from netlink_emu.kernel.config import KEYS, ConfigError, configure, parse_settings
from netlink_emu.kernel.profile import KernelConfig


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        ([], {}),
        (["nr_cpus=64"], {"nr_cpus": 64}),
        (["nr_cpus=0x40"], {"nr_cpus": 64}),
        ([" NR_CPUS = 64 "], {"nr_cpus": 64}),
        (["task_delayacct=on", "taskstats=no"], {"task_delayacct": True, "taskstats": False}),
        (["task_delayacct=1", "task_delayacct=off"], {"task_delayacct": False}),
        (["taskstats_family_id=0x2a"], {"taskstats_family_id": 42}),
    ],
)
def test_settings(settings: list[str], values: dict[str, Any]) -> None:
    assert parse_settings(settings) == values
    config = configure(values)
    assert {key: getattr(config, key) for key in values} == values


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("nr_cpus", "'nr_cpus' is not of the form key=value"),
        ("cpus=4", "a kernel has no 'cpus' to configure; it has taskstats, task_delay_acct, "),
        ("nr_cpus=many", "nr_cpus is a number, not 'many'"),
        ("task_delayacct=maybe", "task_delayacct is on or off, not 'maybe'"),
        ("taskstats=2", "taskstats is on or off, not '2'"),
    ],
)
def test_wrong_settings(setting: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings([setting])
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("nr_cpus", 0, "nr_cpus is between 1 and 8192, not 0"),
        ("pid_max", 4194305, "pid_max is between 2 and 4194304, not 4194305"),
        ("rmem_default", 100, "rmem_default is between 2304 and 2147483647, not 100"),
        ("wmem_max", -1, "wmem_max is between 4608 and 2147483647, not -1"),
        ("taskstats_family_id", 0x10, "taskstats_family_id is between 17 and 1023, not 16"),
    ],
)
def test_what_no_kernel_has(key: str, value: int, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configure({key: value})
    assert str(caught.value) == problem
    values: dict[str, Any] = {key: value}
    with pytest.raises(ValueError, match=key):
        KernelConfig(**values)


def test_every_member_can_be_set() -> None:
    values = {
        key: not current if isinstance(current := getattr(KernelConfig(), key), bool) else 5000
        for key in KEYS
    } | {
        "task_delayacct": True,
        "efficient_unaligned_access": True,
        "taskstats_family_id": 99,
        "max_header": 80,
        "hz": 100,
    }
    texts = [
        f"{key}={'on' if value is True else 'off' if value is False else value}"
        for key, value in values.items()
    ]
    config = configure(parse_settings(texts))
    for key, value in values.items():
        assert getattr(config, key) == value != getattr(KernelConfig(), key)


def test_the_base_is_kept() -> None:
    base = KernelConfig(nr_cpus=8)
    assert configure({"pid_max": 500}, base) == KernelConfig(nr_cpus=8, pid_max=500)
