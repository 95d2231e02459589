"""Write all that is made from the program itself: see scripts/write-docs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from manual import (
    complete,
    dissector,
    man,
    package,
    reference,
    releases,
    spec,
    specs,
    terminal,
    watching,
)

ROOT = Path(__file__).parents[2]
_COMPLETIONS = ROOT / "netlink_emu/cli/completion-scripts"
FILES: dict[Path, Callable[[], str]] = {
    ROOT / "docs/reference-commands.md": reference.page,
    ROOT / "docs/man/netlink-emu.1": man.page,
    ROOT / "docs/releases.md": releases.page,
    specs.PAGE: specs.page,
    package.PAGE: package.page,
    spec.YAML: spec.yaml,
    spec.HEADER: spec.header,
    spec.PAGE: spec.page,
    dissector.LUA: dissector.lua,
    _COMPLETIONS / "netlink-emu": complete.bash,
    _COMPLETIONS / "_netlink-emu": complete.zsh,
    _COMPLETIONS / "netlink-emu.fish": complete.fish,
}


def main(args: Sequence[str]) -> int:
    """Write the files, or with --check say which are not as they would be written."""
    check = "--check" in args
    return write(check=check) + draw(check=check) + watch(check=check)


def write(*, check: bool) -> int:
    """Write what is made from the program alone; how many files are not current."""
    stale = 0
    for path, text in FILES.items():
        if path.exists() and path.read_text() == text():
            continue
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
        if check:
            stale += 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text())
    return stale


def draw(*, check: bool) -> int:
    """Draw the terminal anew if other things happen there now; 1 if it is not current."""
    missing = [program for program in terminal.PROGRAMS if shutil.which(program) is None]
    if missing:
        sys.stdout.write(f"{terminal.PICTURE.relative_to(ROOT)} is left as it is: no {missing}\n")
        return 0
    lines = terminal.record()
    if terminal.masked(lines) == terminal.masked(terminal.shown()):
        return 0
    sys.stdout.write(f"{terminal.PICTURE.relative_to(ROOT)}\n")
    if not check:
        terminal.PICTURE.write_text(terminal.svg(lines))
    return int(check)


def watch(*, check: bool) -> int:
    """Write the picture of ``netlink-emu watch`` anew if it shows other things now."""
    missing = [program for program in watching.PROGRAMS if shutil.which(program) is None]
    if missing:
        sys.stdout.write(f"{watching.PAGE.relative_to(ROOT)} is left as it is: no {missing}\n")
        return 0
    lines = watching.record()
    if watching.masked(lines) == watching.masked(watching.shown()):
        return 0
    sys.stdout.write(f"{watching.PAGE.relative_to(ROOT)}\n")
    if not check:
        watching.PAGE.write_text(watching.page(lines))
    return int(check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
