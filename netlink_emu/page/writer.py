"""Write the page around a session's lines, entry by entry or all at once."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import Final

from netlink_emu.journal.entries import Entry
from netlink_emu.page.records import Records, line

# In the order in which they need each other.
_SCRIPTS: Final = ("session", "filter", "list", "diagram", "marks", "fields", "difference", "main")


class PageWriter:
    """Writes a page entry by entry: see :mod:`netlink_emu.journal.writers`.

    A file that ends early is also a page, as browsers close open elements at its end.
    """

    def __init__(self, title: str, started_ns: int, epoch_ns: int) -> None:
        self._title = title
        self._began = (started_ns + epoch_ns) / 1e9
        self._records = Records(started_ns)

    def header(self) -> bytes:
        meta = {"title": self._title, "began": self._began}
        return page_before(self._title) + line({"meta": meta})

    def entry(self, entry: Entry) -> bytes:
        return b"".join(self._records.lines(entry))

    def footer(self) -> bytes:
        return b"</script>\n"


def write_page(title: str, entries: Iterable[Entry], *, epoch_ns: int = 0) -> bytes:
    """Return the page of a complete session; its time begins with its first entry."""
    entries = list(entries)
    started = min((entry.time_ns for entry in entries), default=0)
    writer = PageWriter(title, started, epoch_ns)
    return writer.header() + b"".join(map(writer.entry, entries)) + writer.footer()


@cache
def _asset(name: str) -> str:
    return (files("netlink_emu.page") / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def page_before(title: str) -> bytes:
    """Return the page up to the session's lines.

    Its policy allows no scripts but ours, and no requests.
    """
    script = "\n".join(_asset(f"{name}.js") for name in _SCRIPTS)
    script = f'(() => {{\n"use strict";\n{script}\n}})();\n'
    style = _asset("page.css")
    page = Template(_asset("page.html")).substitute(
        title=html.escape(title),
        policy=f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}",
        style=style,
        script=script,
    )
    return page.encode("utf-8", "backslashreplace")
