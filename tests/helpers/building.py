"""Client programs in C and Go, built with what Debian has: nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from helpers.alone import alone
from helpers.nets import SECONDS

from netlink_emu.files import path_of

GOPATH: Final = Path("/usr/share/gocode")
_ARCHIVES: Final = sorted(Path("/usr/src").glob("linux-source-*.tar.xz"))
_WANTED: Final = (
    "tools/accounting/getdelays.c",
    "tools/accounting/procacct.c",
    "include/uapi/linux/taskstats.h",
    "include/uapi/linux/cgroupstats.h",
)


def go_program(
    source: Path, directory: Path, package: str = "github.com/mdlayher/genetlink"
) -> Path:
    """A static program that uses a package of Debian's, built in ``directory``."""
    if shutil.which("go") is None:
        pytest.skip("needs golang-go")
    if not (GOPATH / "src" / package).exists():
        pytest.skip(f"needs golang-{package.replace('.com', '').replace('/', '-')}-dev")
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
    include = f"-I{path_of('netlink_emu.h').parent}"
    command = [compiler, "-Wall", "-Wextra", include, "-o", str(program), str(source), "-lmnl"]
    subprocess.run(command, check=True, timeout=SECONDS)
    return program


def kernel_sources(cache: pytest.Cache) -> Path:
    """The files of the kernel's own clients, of the newest archive; kept in pytest's cache."""
    if not _ARCHIVES:
        pytest.skip("needs linux-source")
    archive = _ARCHIVES[-1]
    name = archive.name.removesuffix(".tar.xz")
    directory = Path(cache.mkdir("linux-source")) / name
    with alone("linux-source in a cache"):
        if not all((directory / wanted).exists() for wanted in _WANTED):
            members = [f"{name}/{wanted}" for wanted in _WANTED]
            subprocess.run(["tar", "-C", directory.parent, "-xf", archive, *members], check=True)
    return directory


def kernel_tools(sources: Path, directory: Path) -> None:
    """Build getdelays and procacct in ``directory``."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    (directory / "linux").mkdir()
    for header in ("taskstats.h", "cgroupstats.h"):
        shutil.copy(sources / "include/uapi/linux" / header, directory / "linux")
    for tool in ("getdelays", "procacct"):
        source = sources / "tools/accounting" / f"{tool}.c"
        command = [compiler, "-w", f"-I{directory}", "-o", str(directory / tool), str(source)]
        # Neither sets genlmsghdr.reserved: with what lies on the stack no two runs ask alike.
        subprocess.run([*command, "-ftrivial-auto-var-init=zero"], check=True)
