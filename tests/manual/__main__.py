"""Write all that is made from the program itself: see scripts/write-docs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from manual import complete, man, reference, spec

ROOT = Path(__file__).parents[2]
_COMPLETIONS = ROOT / "netlink_emu/cli/completions"
FILES: dict[Path, Callable[[], str]] = {
    ROOT / "docs/reference-commands.md": reference.page,
    ROOT / "docs/man/netlink-emu.1": man.page,
    spec.YAML: spec.yaml,
    spec.HEADER: spec.header,
    spec.PAGE: spec.page,
    _COMPLETIONS / "netlink-emu": complete.bash,
    _COMPLETIONS / "_netlink-emu": complete.zsh,
    _COMPLETIONS / "netlink-emu.fish": complete.fish,
}


def main(args: Sequence[str]) -> int:
    """Write the files, or with --check say which are not as they would be written."""
    stale = 0
    for path, text in FILES.items():
        if path.exists() and path.read_text() == text():
            continue
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
        if "--check" in args:
            stale += 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text())
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
