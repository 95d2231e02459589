"""What is found out of the machine that records."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import pytest

from netlink_emu.conformance.targets.real import here
from netlink_emu.host import release as host_release
from netlink_emu.host.release import release_number, upstream_release


def named(monkeypatch: pytest.MonkeyPatch, release: str, version: str, machine: str) -> None:
    uname = os.uname_result(("Linux", "host", release, version, machine))
    monkeypatch.setattr(os, "uname", lambda: uname)


@pytest.mark.parametrize(
    ("release", "version", "upstream"),
    [
        (
            "6.1.0-50-cloud-amd64",
            "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)",
            "6.1.176",
        ),
        ("7.3-s390x", "#1 SMP PREEMPT Debian 7.3~rc7-1~exp1 (2026-10-16)", "7.3"),
        ("5.10.0-0.deb10.16-amd64", "#1 SMP Debian 5.10.127-2~bpo10+1 (2022-07-28)", "5.10.127"),
        ("6.18.44", "#1 SMP @0", "6.18.44"),
        ("6.19.0-rc3-next", "#1", "6.19.0"),
    ],
)
def test_the_number_that_mainline_knows(
    monkeypatch: pytest.MonkeyPatch, release: str, version: str, upstream: str
) -> None:
    named(monkeypatch, release, version, "x86_64")
    monkeypatch.setattr(host_release, "_signature", lambda: "")
    assert upstream_release() == release_number() == upstream


def test_ubuntu_has_it_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "6.8.0-31-generic", "#31-Ubuntu SMP", "x86_64")
    signature = "Ubuntu 6.8.0-31.31-generic 6.8.1"
    monkeypatch.setattr(host_release, "_signature", lambda: signature)
    assert upstream_release() == "6.8.1"


@pytest.mark.parametrize(
    ("machine", "order", "name"),
    [
        ("x86_64", "little", "x86_64"),
        ("mips64", "little", "mips64el"),
        ("mips64", "big", "mips64"),
        ("s390x", "big", "s390x"),
    ],
)
def test_the_architecture(
    monkeypatch: pytest.MonkeyPatch, machine: str, order: str, name: str
) -> None:
    named(monkeypatch, "6.1", "", machine)
    monkeypatch.setattr(sys, "byteorder", order)
    assert here.arch_name() == name


def test_the_configuration_is_read_where_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = b"CONFIG_NR_CPUS=64\n# CONFIG_SMP is not set\nCONFIG_TASKSTATS=y\n"
    packed, plain = tmp_path / "config.gz", tmp_path / "config"
    plain.write_bytes(text)
    expected = {"NR_CPUS": "64", "TASKSTATS": "y"}
    monkeypatch.setattr(here, "_config_files", lambda: [packed, plain])
    assert here.kernel_config() == expected
    packed.write_bytes(gzip.compress(text)[:20])
    assert here.kernel_config() == expected  # a damaged one tells nothing
    packed.write_bytes(gzip.compress(b"CONFIG_HZ=1000\n"))
    assert here.kernel_config() == {"HZ": "1000"}
    monkeypatch.setattr(here, "_config_files", lambda: [tmp_path / "absent"])
    assert here.kernel_config() == {}
