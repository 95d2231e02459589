"""Carries out a page of the documentation: writes its files, runs its tests and its commands.

A fenced block whose first line is a comment that names a file is that file. A block of Python
with tests is a test file of its own; other Python is run with ``kernel`` at hand. A ``console``
block has commands after ``$ ``, and what they print: ``...`` stands for any lines, ``*`` for
anything within one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.nets import SECONDS
from manual.outputs import align, has_placeholder, sessions

from netlink_emu.testing import EmulatedKernel

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"^(?:#|//|/\*|--) ([\w./-]+\.[a-z]+)(?:[:\s].*)?$")
NOT_RUN = {"dockerfile", "yaml", "text", "toml"}


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        named = _NAMED.match(self.text.partition("\n")[0])
        return named[1] if named else None


def blocks(page: Path) -> Iterator[Block]:
    for language, text in _FENCE.findall(page.read_text(encoding="utf-8")):
        yield Block(language, text)


class Page:
    """A page under way in a directory of its own."""

    def __init__(self, page: Path, directory: Path) -> None:
        self.directory = directory
        self.outputs: list[tuple[str, list[str]]] = []  # of commands with placeholders
        self.blocks = list(blocks(page))
        self._tests = 0
        self._names: dict[str, object] = {}
        self._kernel: EmulatedKernel | None = None

    def run(self) -> None:
        try:
            for block in self.blocks:
                self._run(block)
        finally:
            if self._kernel is not None:
                self._kernel.close()

    def _run(self, block: Block) -> None:
        if block.file is not None:
            path = self.directory / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.language == "console":
            for command, expected in sessions(block.text):
                self.command(command, expected)
        elif block.language == "python" and "def test_" in block.text:
            self._tests += 1
            (self.directory / f"test_block_{self._tests}.py").write_text(block.text)
        elif block.language == "python":
            self._exec(block.text)
        elif block.language == "c":
            suite = (ROOT / "docs/examples/c/suite.c").read_text()
            assert " ".join(block.text.split()) in " ".join(suite.split()), "not in suite.c"
        elif block.language not in NOT_RUN:
            raise AssertionError(f"nobody runs a block of {block.language}")

    def _exec(self, text: str) -> None:
        if self._kernel is None:
            self._kernel = EmulatedKernel("6.18", arch="x86_64", cpus=4)
            self._names["kernel"] = self._kernel
        before = Path.cwd()
        os.chdir(self.directory)
        try:
            exec(compile(text, "a block of the page", "exec"), self._names)
        finally:
            os.chdir(before)

    def command(self, command: str, expected: list[str]) -> None:
        """Run one command, and hold its output to what the page shows."""
        if command.startswith("pip install"):
            return  # this is how it is run here: see test_fixture_project.py
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.directory, env=environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        got = [line.rstrip() for line in done.stdout.splitlines()]
        if expected:
            shown = align(got, expected)
            assert shown is not None, f"$ {command}\n{done.stdout}\n--- but the page has\n" + (
                "\n".join(expected)
            )
            if has_placeholder(expected):
                self.outputs.append((command, shown))
        else:
            assert done.returncode == 0, f"$ {command}\n{done.stdout}"


def environment() -> dict[str, str]:
    """Ours, with ``netlink-emu`` and ``pytest`` on the path, and the plugin but no others."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # pytest writes other summaries where CI is set.
    ours = {name: value for name, value in os.environ.items() if name != "CI"}
    return ours | {
        "PATH": path,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "-p netlink_emu.testing.plugin -p pytest_trio.plugin "
        "-p no:cacheprovider",
        "NETLINK_EMU_SOURCE": str(ROOT),
        "COLUMNS": "80",
        "LANG": "C.UTF-8",
    }


def like(got: list[str], expected: list[str]) -> bool:
    """Whether lines are as expected, ``...`` being any number of any lines."""
    return align(got, expected) is not None
