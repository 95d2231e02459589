"""Architectures: arch/*/Kconfig, and the rule of kernel/taskstats.c of the time."""

from __future__ import annotations

import pytest

from netlink_emu.kernel.profile import ARCHS, KernelConfig, TaskstatsPad
from netlink_emu.kernel.releases import UnknownArchError, profile_for


@pytest.mark.parametrize(
    ("arch", "rows"),
    [
        ("x86_64", [("2.6.18", "7.3", TaskstatsPad.NEVER)]),
        ("i386", [("2.6.18", "7.3", TaskstatsPad.NEVER)]),
        ("ppc64", [("2.6.18", "7.3", TaskstatsPad.NEVER)]),
        (
            "ia64",
            [
                ("2.6.18", "2.6.36", TaskstatsPad.NEVER),
                ("2.6.37", "4.6", TaskstatsPad.BEFORE_AGGR),
                ("4.7", "6.6", TaskstatsPad.BEFORE_STATS),
            ],
        ),
        (
            "mips64",
            [
                ("2.6.18", "2.6.37", TaskstatsPad.NEVER),
                ("2.6.39", "4.6", TaskstatsPad.BEFORE_AGGR),
                ("4.7", "7.3", TaskstatsPad.BEFORE_STATS),
            ],
        ),
        (
            "mips",  # 32-bit: the rule before 4.7 asked for CONFIG_64BIT
            [
                ("2.6.18", "4.6", TaskstatsPad.NEVER),
                ("4.7", "7.3", TaskstatsPad.BEFORE_STATS),
            ],
        ),
        (
            "aarch64",  # HAVE_EFFICIENT_UNALIGNED_ACCESS is in 3.14, not in 3.11
            [
                ("3.7", "3.13", TaskstatsPad.BEFORE_AGGR),
                ("3.14", "4.6", TaskstatsPad.NEVER),
                ("4.7", "7.3", TaskstatsPad.NEVER),
            ],
        ),
        (
            "s390x",  # in 4.9, not in 4.4
            [
                ("2.6.39", "4.4", TaskstatsPad.BEFORE_AGGR),
                ("4.9", "7.3", TaskstatsPad.NEVER),
            ],
        ),
        ("arm", [("2.6.18", "7.3", TaskstatsPad.NEVER)]),
        ("riscv64", [("4.15", "7.3", TaskstatsPad.BEFORE_STATS)]),
    ],
)
def test_padding_by_architecture(arch: str, rows: list[tuple[str, str, TaskstatsPad]]) -> None:
    for first, last, value in rows:
        assert profile_for(first, arch=arch).taskstats_pad is value
        assert profile_for(last, arch=arch).taskstats_pad is value


def test_an_architecture_brings_its_abi() -> None:
    sparc = profile_for("3.10", arch="sparc64").arch
    assert (sparc.order.name, sparc.bits, sparc.page_size) == ("big", 64, 8192)
    i386 = profile_for("2.6.20", arch="i386").arch
    assert (i386.bits, i386.u64_align) == (32, 4)
    assert profile_for("6.1", arch="arm64").arch is ARCHS["aarch64"]
    assert profile_for("3.11", arch="aarch64").arch.efficient_unaligned_access is False
    assert profile_for("2.6.35", arch="i686").arch.name == "i386"


def test_unknown_architecture() -> None:
    with pytest.raises(UnknownArchError, match=r"^unknown architecture 'vax'; known are x86_64, "):
        profile_for("6.1", arch="vax")


def test_the_configuration_is_kept() -> None:
    config = KernelConfig(nr_cpus=8, task_delayacct=True)
    assert profile_for("5.10", config=config).config is config
    assert profile_for("5.10").config == KernelConfig()
