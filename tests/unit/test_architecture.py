"""docs/architecture.md names what is there: files, packages, and all modules that it lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "netlink_emu"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def section(title: str) -> str:
    """The text of a section, without its heading."""
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[str]:
    """The first cells of the tables in a text."""
    return re.findall(r"^\| ([^|]*) \|", text, re.MULTILINE)


def named(text: str) -> set[str]:
    """What stands in backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


def modules(package: str) -> set[str]:
    return {path.stem for path in (SOURCE / package).glob("*.py")} - {"__init__"}


def test_files_and_folders_exist() -> None:
    paths = {name for name in named(PAGE) if re.fullmatch(r"[a-z_*/]+(\.py|/)", name)}
    assert len(paths) > 40
    places = [ROOT, SOURCE, *(path.parent for path in SOURCE.glob("*/**/__init__.py"))]
    missing = [name for name in paths if not any([*place.glob(name)] for place in places)]
    assert missing == []


def test_every_package_is_in_the_picture() -> None:
    picture = section("The picture").partition("```\n")[2].partition("```")[0]
    packages = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    shown = set(re.findall(r"\b([a-z]+)/", picture))
    assert packages <= shown


def test_every_room_of_a_large_package_is_listed() -> None:
    table = section("The picture").partition("| package | rooms |")[2]
    large = {path.parent.parent.name for path in SOURCE.glob("*/*/__init__.py")}
    assert large >= {"cli", "conformance", "families", "interpose", "protocol", "testing"}
    for package in large:
        row = next(line for line in table.splitlines() if line.startswith(f"| `{package}/` |"))
        rooms = {path.parent.name for path in (SOURCE / package).glob("*/__init__.py")}
        assert rooms <= {name.rstrip("/") for name in named(row)}


@pytest.mark.parametrize(
    ("title", "package", "others"),
    [
        # serve is what the section is about; errors are a section of their own.
        ("The server", "server", {"serve", "errors"}),
    ],
)
def test_every_module_of_a_table_is_listed(title: str, package: str, others: set[str]) -> None:
    listed = set().union(*(named(cell) for cell in rows(section(title))))
    assert listed == modules(package) - others


def test_the_parts_of_af_netlink_c_are_modules() -> None:
    text = section("The emulated kernel")
    cells = re.findall(r"^\| `netlink_[^|]*\| ([^|]*) \|", text, re.MULTILINE)
    found = set().union(*(named(cell.partition(":")[0]) for cell in cells)) - {"NetlinkSock"}
    assert len(found) >= 8
    assert found <= modules("kernel")


def test_the_parts_of_a_handle_are_modules() -> None:
    cells = [name for cell in rows(section("The handle of a test")) for name in named(cell)]
    parts = {name for name in cells if "/" in name.rstrip("/")}
    assert len(parts) >= 6
    assert [name for name in parts if not (SOURCE / "testing" / f"{name}.py").is_file()] == []
