"""survivors.toml: mutants that no test can find, or need not, each with the reason."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("survivors.toml")


def explained(file: str) -> dict[str, str]:
    """The reasons for mutants of a file of protocol/, by the mutant's name."""
    groups = tomllib.loads(FILE.read_text("utf-8")).get(file, []) if FILE.exists() else []
    return {name: group["reason"] for group in groups for name in group["mutants"]}
