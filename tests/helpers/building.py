"""Client programs in C and Go, built with what Debian has: nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from helpers.nets import SECONDS

GOPATH: Final = Path("/usr/share/gocode")


def go_program(source: Path, directory: Path) -> Path:
    """A static program that uses mdlayher's genetlink, built in ``directory``."""
    if shutil.which("go") is None:
        pytest.skip("needs golang-go")
    if not (GOPATH / "src/github.com/mdlayher/genetlink").exists():
        pytest.skip("needs golang-github-mdlayher-genetlink-dev")
    program = directory / source.stem
    own = {
        "GO111MODULE": "off",
        "GOPATH": str(GOPATH),
        "CGO_ENABLED": "0",
        "GOCACHE": str(directory / "cache"),
    }
    subprocess.run(
        ["go", "build", "-o", program, source], env=os.environ | own, check=True, timeout=SECONDS
    )
    return program


def libmnl_program(source: Path, directory: Path) -> Path:
    """A program that uses libmnl, built in ``directory``."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    if not Path("/usr/include/libmnl/libmnl.h").exists():
        pytest.skip("needs libmnl-dev")
    program = directory / source.stem
    command = [compiler, "-Wall", "-Wextra", "-o", str(program), str(source), "-lmnl"]
    subprocess.run(command, check=True, timeout=SECONDS)
    return program
