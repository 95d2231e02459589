"""Write all that is made from the program itself: see scripts/write-docs."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from manual import (
    complete,
    dissector,
    man,
    outputs,
    package,
    reference,
    releases,
    spec,
    specs,
    terminal,
    watching,
)
from netlink_emu.cli.output.progress import progress

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
    """Write the files, or with --check say which are not as they would be written.

    ``--outputs`` carries out the commands of the pages, and keeps what they print for the site.
    """
    if "--outputs" in args:
        keep_outputs()
        return 0
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


def keep_outputs() -> None:
    """Write docs/outputs.json."""
    from helpers.pages import Page

    found = {}
    with progress(len(outputs.pages()), "pages") as told:
        for path in outputs.pages():
            told.advance(path.name, by=0)
            with tempfile.TemporaryDirectory() as directory:
                page = Page(path, Path(directory))
                page.run()
            found[path.name] = [
                (command, [line.replace(directory, outputs.PROJECT) for line in lines])
                for command, lines in page.outputs
            ]
            told.advance()
    outputs.FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


def draw(*, check: bool) -> int:
    """Draw the terminal anew; 1 if it is not current."""
    return _draw(terminal, terminal.PICTURE, terminal.svg, check=check)


def watch(*, check: bool) -> int:
    """Write the picture of ``netlink-emu watch`` anew; 1 if it is not current."""
    return _draw(watching, watching.PAGE, watching.page, check=check)


def _draw(
    picture: ModuleType, path: Path, drawn: Callable[[list[str]], str], *, check: bool
) -> int:
    """Draw a picture anew if it shows other things now; 1 if it is not current."""
    missing = [program for program in picture.PROGRAMS if shutil.which(program) is None]
    if missing:
        sys.stdout.write(f"{path.relative_to(ROOT)} is left as it is: no {missing}\n")
        return 0
    lines = picture.record()
    if picture.masked(lines) == picture.masked(picture.shown()):
        return 0
    sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    if not check:
        path.write_text(drawn(lines))
    return int(check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
