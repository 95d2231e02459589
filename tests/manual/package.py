"""docs/package.md: the README as a package index shows it, where relative links lead nowhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
PAGE: Final = _ROOT / "docs/package.md"
_PICTURE: Final = re.compile(r"^!\[[^\]]*\]\([^)]*\)\n\n", re.MULTILINE)
_RELATIVE: Final = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)]+)\)")


def page() -> str:
    """Without pictures; links to files of the checkout become their names."""
    readme = _PICTURE.sub("", (_ROOT / "README.md").read_text(encoding="utf-8"))
    return _RELATIVE.sub(_named, readme)


def _named(link: re.Match[str]) -> str:
    text, file = link.groups()
    return text if text == file else f"{text} ({file})"
