"""Files that a test leaves behind, named as the test."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from netlink_emu.journal.entries import Entry

# Pages of an earlier run are written anew, those of this one are kept.
_WRITTEN: set[Path] = set()


def stem_of(nodeid: str) -> str:
    """A file's name for a test, without what a file's name should not have."""
    return re.sub(r"[^\w.-]+", "-", nodeid).strip("-")[:200]


def link_from(report: str, path: str) -> str:
    """The address of a file in an HTML report, which may be moved together with it."""
    return quote(os.path.relpath(path, Path(report).expanduser().parent))


def write_page_file(
    directory: str, nodeid: str, title: str, entries: Iterable[Entry], epoch_ns: int
) -> str:
    """Write a page of what a test's kernel was told; its path. Raises OSError.

    A test with several kernels has a page for each.
    """
    from netlink_emu.page import write_page

    page = write_page(title, entries, epoch_ns=epoch_ns)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    number, path = 1, folder / f"{stem_of(nodeid)}.html"
    while path in _WRITTEN:
        number += 1
        path = folder / f"{stem_of(nodeid)}-{number}.html"
    path.write_bytes(page)
    _WRITTEN.add(path)
    return str(path)
