"""The test programs, compiled once for a session."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.interposed import Compile, compile_c

PROGRAMS = Path(__file__).with_name("programs")


@pytest.fixture(scope="session")
def taskstats() -> Iterator[Path]:
    """A client that asks for its own statistics, in a place where every user may run it."""
    source = Path(__file__).parents[2] / "clients" / "programs" / "taskstats.c"
    with tempfile.TemporaryDirectory(prefix="netlink-emu-test-") as name:
        Path(name).chmod(0o755)
        yield compile_c(source, Path(name))


@pytest.fixture(scope="session")
def program() -> Iterator[Compile]:
    """``program(name)`` compiles programs/name.c; further arguments are the compiler's."""
    built: dict[tuple[str, ...], Path] = {}

    def build(name: str, *options: str) -> Path:
        key = (name, *options)
        if key not in built:
            into = directory / str(len(built))
            into.mkdir(exist_ok=True)  # without a compiler each test comes here, and is skipped
            built[key] = compile_c(PROGRAMS / f"{name}.c", into, *options)
        return built[key]

    # pytest's own directories are closed to other users, who run these programs, too.
    with tempfile.TemporaryDirectory(prefix="netlink-emu-test-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield build
