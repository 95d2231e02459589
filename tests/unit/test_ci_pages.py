"""The examples for CI: they are YAML, and what they run exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.installed import copy_package
from helpers.interposed import needs_interposer
from helpers.nets import SECONDS

from netlink_emu.cli.main import COMMANDS

PAGE = Path(__file__).parents[2] / "docs/howto-ci.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def lines_of(text: str) -> list[str]:
    """The command lines of a workflow of GitHub's or a pipeline of GitLab's."""
    [job] = [
        job
        for part in yaml.safe_load(text).values()
        if isinstance(part, dict)
        for job in ([part] if "script" in part else part.values())
    ]
    return job.get("script") or [step["run"] for step in job["steps"] if "run" in step]


def commands_of(text: str) -> list[list[str]]:
    """Their words."""
    return [shlex.split(line, comments=True) for line in lines_of(text)]


@pytest.mark.parametrize("text", BLOCKS, ids=["github", "gitlab"])
def test_what_they_run_exists(text: str, request: pytest.FixtureRequest) -> None:
    programs = {command[0] for command in commands_of(text)}
    assert programs == {"pip", "netlink-emu", "pytest"}
    for program, *args in commands_of(text):
        if program == "netlink-emu":
            assert args[0] in COMMANDS
        for option in args if program == "pytest" else ():
            if option.startswith("--netlink-emu"):
                request.config.getoption(option)  # raises ValueError if there is none


def folders(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*map(str, [value["path"]] if "path" in value else value.get("paths", []))] + [
            name for inner in value.values() for name in folders(inner)
        ]
    return [name for inner in value for name in folders(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize("text", BLOCKS, ids=["github", "gitlab"])
def test_what_they_keep_is_written(text: str) -> None:
    written = [arg for command in commands_of(text) for arg in command]
    kept = folders(yaml.safe_load(text))
    assert kept
    assert set(kept) <= set(written)


FAILING = """
import struct


def ask(kernel):
    sock = kernel.connect()
    sock.send(struct.pack("=IHHIIBBHHHI", 28, kernel.family_id, 1, 1, 0, 1, 1, 0, 8, 1, 4242))
    return sock.recv(4096)


def test_passes(netlink_emu):
    assert len(ask(netlink_emu(tasks=[{"pid": 4242}]))) > 300


def test_fails(netlink_emu):
    assert len(ask(netlink_emu())) > 300
"""


@needs_interposer
@pytest.mark.slow
@pytest.mark.parametrize("text", BLOCKS, ids=["github", "gitlab"])
def test_they_run(text: str, tmp_path: Path) -> None:
    """Each line, by sh, in a project with a test that passes and one that fails.

    pip says only what it would install: all is there, and nothing is fetched.
    """
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_mine.py").write_text(FAILING)
    copy_package(tmp_path / "netlink-emu")
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIP_DRY_RUN": "1", "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # sic: pip reads it as the option's value
        "PYTEST_XDIST_AUTO_NUM_WORKERS": "2", "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }  # fmt: skip
    # As a worker of pytest-xdist sees it, the inner pytest would take itself for one.
    env = {
        name: value for name, value in env.items() if not name.startswith("PYTEST_XDIST_WORKER")
    }
    for line in lines_of(text):
        done = subprocess.run(
            ["sh", "-c", line], cwd=tmp_path, env=env,
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        told = f"{line}\n{done.stdout}\n{done.stderr}"
        if line.startswith("pytest"):
            assert done.returncode == 1, told
            assert "1 failed, 1 passed" in done.stdout, told
        else:
            assert done.returncode == 0, told
    for kept in folders(yaml.safe_load(text)):
        path = tmp_path / kept
        assert path.is_file() or any(path.glob("*test_fails*.html")), kept
