"""The wheel: what is in it, and that it works beside a user's own ``protocol`` package."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.installed import ROOT, build_sdist, run_pytest
from helpers.nets import SECONDS

pytestmark = pytest.mark.xdist_group("installed")  # the wheel is built once
LINK = ROOT / "netlink_emu" / "protocol"

USER_TEST = """
import protocol
from protocol import wire

import netlink_emu
import netlink_emu.protocol.netlink


def test_the_project_has_its_own_protocol():
    assert protocol.OWNER == wire.OWNER == "the user"


def test_netlink_emu_has_its_own():
    assert netlink_emu.protocol.__name__ == "netlink_emu.protocol"
    assert netlink_emu.protocol is not protocol
    assert netlink_emu.protocol.netlink.NLMSGHDR.size == 16


def test_the_plugin_is_there(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("netlink_emu")
"""


def _tree() -> Iterator[str]:
    """The files below netlink_emu/ and protocol/, as they should be named in the wheel."""
    for top, name in (("netlink_emu", "netlink_emu"), ("protocol", "netlink_emu/protocol")):
        for directory, children, files in os.walk(ROOT / top):
            children[:] = [child for child in children if child != "__pycache__"]
            inside = Path(directory).relative_to(ROOT / top)
            yield from (str(name / inside / file) for file in files)


def _packages() -> set[str]:
    return {
        str(Path(file).parent).replace("/", ".")
        for file in _tree()
        if Path(file).name == "__init__.py"
    }


def test_the_link_leads_to_protocol() -> None:
    assert LINK.is_symlink()
    assert LINK.readlink() == Path("../protocol")
    assert (LINK / "netlink.py").samefile(ROOT / "protocol" / "netlink.py")


def test_every_package_is_listed() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = pyproject["tool"]["setuptools"]["packages"]
    assert listed == sorted(listed)
    assert set(listed) == _packages()


def test_the_wheel_holds_the_tree(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        (top_level,) = (name for name in names if name.endswith(".dist-info/top_level.txt"))
        imports = archive.read(top_level).decode().split()
    metadata = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    data = {name for name in names if name.split("/")[0].endswith(".data")}
    assert names - metadata - data == set(_tree())
    assert {name.partition("/data/")[2] for name in data} == {
        "share/bash-completion/completions/netlink-emu",
        "share/fish/vendor_completions.d/netlink-emu.fish",
        "share/man/man1/netlink-emu.1",
        "share/zsh/site-functions/_netlink-emu",
    }
    assert imports == ["netlink_emu"]
    assert {name.split("/")[-1] for name in metadata} >= {"LICENSE", "entry_points.txt"}


def test_the_sdist_is_the_checkout(tmp_path: Path) -> None:
    sdist = build_sdist(tmp_path / "copy", tmp_path / "dist")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {
        "CHANGELOG.md", "LICENSE", "README.md", "docs/index.md", "docs/man/netlink-emu.1",
        "protocol/netlink.py", "scripts/_env", "scripts/test", "tests/conftest.py", ".ci/run",
        "tests/clients/programs/genl.go", "tests/eras/boundaries.toml",
    }  # fmt: skip
    tested = {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("*.py")}
    assert names >= tested
    (wheel,) = (tmp_path / "dist").glob("*.whl")  # built from the sdist
    with zipfile.ZipFile(wheel) as archive_:
        assert set(_tree()) <= set(archive_.namelist())


def test_an_index_gets_no_link_that_leads_nowhere(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    assert "# netlink-emu" in metadata
    assert re.findall(r"\]\((?!https://)[^)]*\)", metadata) == []
    assert "Project-URL" not in metadata  # none is invented


def test_a_user_may_have_a_package_called_protocol(user_python: Path, tmp_path: Path) -> None:
    package = tmp_path / "protocol"
    package.mkdir()
    (package / "__init__.py").write_text('OWNER = "the user"\n')
    (package / "wire.py").write_text("from protocol import OWNER\n")
    (tmp_path / "test_user.py").write_text(USER_TEST)
    run = run_pytest(user_python, tmp_path, ["-v"])
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed" in run.stdout


def test_the_command_is_installed(user_python: Path) -> None:
    where = "import netlink_emu, pathlib; print(pathlib.Path(netlink_emu.__file__).parents[1])"
    run = subprocess.run(
        [str(user_python), "-c", where],
        cwd="/", capture_output=True, text=True, check=True, timeout=SECONDS,
    )  # fmt: skip
    assert Path(run.stdout.strip()) != ROOT
    command = user_python.parent / "netlink-emu"
    help_ = subprocess.run(
        [str(command), "--help"], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert help_.returncode == 0, help_.stdout + help_.stderr
    assert "netlink-emu" in help_.stdout
