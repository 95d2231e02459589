"""The test programs, compiled once for a session."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.interposed import Compile, compile_c

PROGRAMS = Path(__file__).with_name("programs")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """``program(name)`` compiles programs/name.c; further arguments are the compiler's."""
    built: dict[tuple[str, ...], Path] = {}

    def build(name: str, *options: str) -> Path:
        key = (name, *options)
        if key not in built:
            directory = tmp_path_factory.mktemp(name)
            directory.chmod(0o755)
            directory.parent.chmod(0o755)  # other users run them, too
            built[key] = compile_c(PROGRAMS / f"{name}.c", directory, *options)
        return built[key]

    return build
