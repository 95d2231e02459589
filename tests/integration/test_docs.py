"""What the documentation shows does what it says."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from helpers.nets import SECONDS
from helpers.serving import hello, request, serving

from netlink_emu.machine.scenario import parse_scenario

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
NETLINK_EMU = [sys.executable, "-m", "netlink_emu.cli.main"]


def _blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["docs/scenario.md"])
def test_scenarios_in_the_pages_can_be_read(page: str) -> None:
    blocks = _blocks(page, "toml")
    assert blocks
    for block in blocks:
        scenario = parse_scenario(block)
        assert scenario.tasks or scenario.changes


def test_every_key_of_a_scenario_is_described() -> None:
    """The reader's own list of keys is what its error names."""
    page = (ROOT / "docs/scenario.md").read_text(encoding="utf-8")
    family = '[[family]]\nname = "t"\ntimeline = []\nnosuch = 1'
    for text in ("nosuch = 1", '[[task]]\ncomm = "t"\nnosuch = 1', family):
        with pytest.raises(ValueError, match="unknown key") as caught:
            parse_scenario(text)
        keys = str(caught.value).partition("known are ")[2].split(", ")
        ways = ("`{}`", "`[{}]`", "[[{}]]", "[[task.{}]]")
        missing = [key for key in keys if not any(way.format(key) in page for way in ways)]
        assert missing == []


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_and_modules_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for script in re.findall(r"scripts/[a-z][a-z-]*", text):
        assert (ROOT / script).is_file(), script
    for module in re.findall(r"python3? -m (netlink_emu[\w.]*)", text):
        assert importlib.util.find_spec(module) is not None, module


def test_the_client_of_the_servers_page_gets_its_answer(tmp_path: Path) -> None:
    client, channel = _blocks("docs/server.md", "python")
    with serving(tmp_path / "sandbox" / "nl"):
        done = subprocess.run(
            [sys.executable, "-c", client],
            cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=True,
        )  # fmt: skip
        assert len(bytes.fromhex(done.stdout)) == 112
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(tmp_path / "sandbox" / "nl"))
            names: dict[str, object] = {
                "socket": socket,
                "sock": sock,
                "hello": hello(portid=9),
                "request": request(9, 1, b"\1\0\0\0"),
            }
            exec(textwrap.dedent(channel), names)
            mine = names["mine"]
            assert isinstance(mine, socket.socket)
            with mine:
                assert len(mine.recv(4096)) == 48  # EOPNOTSUPP, with the request


def _can_interpose() -> bool:
    done = subprocess.run([*NETLINK_EMU, "run", "--", "true"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("late", [0, 1])
def test_the_demonstration_shows_ten_exits(late: int) -> None:
    """scripts/run, as its first user sees it: the same text on every machine, however slow."""
    if not _can_interpose():
        pytest.skip("seccomp user notification does not work here: netlink-emu doctor")
    examples = ROOT / "docs" / "examples"
    command = ["run", "--tasks", "none", "--scenario", str(examples / "exits.toml"), "--"]
    client = ["sh", "-c", f'sleep {late}; exec "$@"', "sh"]
    client += [sys.executable, str(examples / "exits.py"), "0-3", "10"]
    done = subprocess.run(
        [*NETLINK_EMU, *command, *client],
        capture_output=True, text=True, timeout=SECONDS, check=False,
        env=os.environ | {"LANG": "C"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ROOT / "tests" / "data" / "demonstration.txt").read_text()
