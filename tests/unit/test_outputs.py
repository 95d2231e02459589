"""What the site shows where a page has placeholders: an output as it really was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from manual import outputs
from manual.outputs import (
    StaleError,
    align,
    has_placeholder,
    pages,
    recorded,
    wanted,
    with_outputs,
)

PAGE = """# A page

```console
$ first
a * b
...
$ second \\
> third
plain
```
"""


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in pages()])
def test_every_placeholder_has_its_output(page: Path) -> None:
    """Or else: scripts/write-docs --outputs."""
    text = page.read_text("utf-8")
    asked = list(wanted(text))
    kept = recorded(page.name)
    assert [command for command, _ in kept] == [command for command, _ in asked]
    for (_, lines), (_, expected) in zip(kept, asked, strict=True):
        assert align(lines, expected) is not None
    shown = with_outputs(page.name, text)
    for _, expected in asked:
        for line in expected:
            assert not has_placeholder([line]) or f"\n{line}\n" not in shown


def test_nothing_is_kept_for_other_pages() -> None:
    assert set(json.loads(outputs.FILE.read_text("utf-8"))) == {p.name for p in pages()}


def test_a_page_with_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [("first", ["a 12 b", "..."])]
    monkeypatch.setattr(outputs, "recorded", lambda _name: list(kept))
    assert with_outputs("x.md", PAGE) == PAGE.replace("a * b", "a 12 b")
    kept[0] = ("first", ["c"])
    with pytest.raises(StaleError, match="write-docs --outputs"):
        with_outputs("x.md", PAGE)
    kept.clear()
    with pytest.raises(StaleError, match="first"):
        with_outputs("x.md", PAGE)
