"""The documentation site, built and looked at in a browser: its search, what its buttons copy."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from helpers.browser import Browser, browser, modules
from helpers.nets import SECONDS
from manual.outputs import pages, recorded, wanted

__all__ = ["browser", "modules"]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

ROOT = Path(__file__).parents[2]
# What somebody looks for who has got this from a client, and the section that is for them.
ERRORS = {
    "ENOBUFS": "ENOBUFS",
    "EPERM": "EPERM",
    "version mismatch": "Version mismatch",
    "ECONNREFUSED": "ECONNREFUSED",
    "ENOENT": "ENOENT",
}
DONE = """() => !/Searching|Preparing/.test(document.getElementById("search-results").innerText)
  && document.querySelector("#search-results ul.search a")"""
SECTION = """(() => {
  const from = document.getElementById(location.hash.slice(1));
  const heads = [...document.querySelectorAll("h1, h2")];
  return heads.find((h) => from.contains(h)
    || from.compareDocumentPosition(h) & Node.DOCUMENT_POSITION_FOLLOWING).innerText;
})()"""


class Quiet(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        """As a host of pages does it, but for the icon that every browser asks for."""
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site; it is built as scripts/docs does."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet"]
    done = subprocess.run(
        [*command, ROOT / "docs", folder],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_error_is_found_first(site: str, browser: Browser) -> None:
    steps: list[list[Any]] = []
    for text in ERRORS:
        steps += [
            ["goto", f"{site}search.html?q={text.replace(' ', '+')}"],
            ["wait", DONE],
            ["click", "#search-results ul.search a >> nth=0"],
            ["wait", "() => !location.pathname.includes('search')"],
            ["run", "location.pathname"],
            ["run", SECTION],
        ]
    found = browser.visit(site, *steps)
    assert found[4::6] == ["/howto-errors.html"] * len(ERRORS)
    sections = [section.rstrip("#¶\ue157") for section in found[5::6]]
    assert sections == list(ERRORS.values())


def test_every_block_can_be_copied(site: str, browser: Browser) -> None:
    """Of a session the commands alone are copied, without prompts and outputs."""
    block = "div.highlight-console"
    found = browser.visit(
        site,
        ["goto", f"{site}howto-ci.html"],
        ["wait", "() => document.querySelector('button.copybtn')"],
        ["run", "document.querySelectorAll('div.highlight pre').length"],
        ["run", "document.querySelectorAll('button.copybtn').length"],
        ["texts", f"{block} pre >> nth=0"],
        ["hover", f"{block} >> nth=0"],
        ["click", f"{block} button.copybtn >> nth=0"],
        ["wait", f"() => document.querySelector('{block} button.copybtn.success')"],
        ["run", "navigator.clipboard.readText()"],
    )
    assert found[2] == found[3] > 3
    assert found[8] == "netlink-emu doctor > /dev/null && echo it works"


def test_outputs_are_real(site: str, browser: Browser) -> None:
    """No page shows the placeholders that its source has for the tests."""
    steps: list[list[Any]] = []
    for page in pages():
        steps += [
            ["goto", f"{site}{page.stem}.html"],
            ["texts", "div.highlight-console pre"],
        ]
    found = browser.visit(site, *steps)
    for page, texts in zip(pages(), found[1::2], strict=True):
        lines = [line.strip() for text in texts for line in text.splitlines()]
        assert {line.strip() for _, real in recorded(page.name) for line in real} <= set(lines)
        placeholders = {line for _, lines in wanted(page.read_text("utf-8")) for line in lines}
        assert not {line for line in placeholders if "*" in line} & set(lines)
