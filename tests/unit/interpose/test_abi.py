"""System call numbers, against the headers of the C library's kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netlink_emu.interpose.abi import AARCH64, X86_64, Abi, native
from netlink_emu.interpose.errors import Unsupported

INCLUDE = Path("/usr/include")


def numbers(*candidates: str) -> dict[str, int]:
    for name in candidates:
        header = INCLUDE / name
        if header.exists():
            found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
            return {call: int(number) for call, number in found}
    pytest.skip(f"none of {candidates} is installed in {INCLUDE}")


@pytest.mark.parametrize(
    ("abi", "headers"),
    [
        pytest.param(
            X86_64,
            ("x86_64-linux-gnu/asm/unistd_64.h", "asm/unistd_64.h"),
            id="x86_64",
        ),
        pytest.param(AARCH64, ("asm-generic/unistd.h",), id="aarch64"),
    ],
)
def test_native_numbers(abi: Abi, headers: tuple[str, ...]) -> None:
    header = numbers(*headers)
    assert {name: header[name] for name in abi.numbers} == dict(abi.numbers)


def test_numbers_of_i386() -> None:
    header = numbers("x86_64-linux-gnu/asm/unistd_32.h", "asm/unistd_32.h")
    foreign = X86_64.foreign
    assert foreign.socket == header["socket"]
    assert foreign.socketcall == header["socketcall"]
    assert foreign.io_uring_setup == header["io_uring_setup"]


def test_both_know_the_same_calls() -> None:
    assert set(X86_64.numbers) == set(AARCH64.numbers)


def test_an_unknown_machine_is_named() -> None:
    with pytest.raises(Unsupported, match="this machine is sparc64"):
        native("sparc64")
