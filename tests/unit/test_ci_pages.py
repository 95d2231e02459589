"""The examples for CI: they are YAML, and what they run exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from netlink_emu.cli.main import COMMANDS

PAGE = Path(__file__).parents[2] / "docs/howto-ci.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def commands_of(text: str) -> list[list[str]]:
    """The command lines of a workflow of GitHub's or a pipeline of GitLab's."""
    [job] = [
        job
        for part in yaml.safe_load(text).values()
        if isinstance(part, dict)
        for job in ([part] if "script" in part else part.values())
    ]
    lines = job.get("script") or [step["run"] for step in job["steps"] if "run" in step]
    return [shlex.split(line, comments=True) for line in lines]


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
