"""The second look: a module is imported with its mutant, and all tests are collected anew."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from mutation.forks import survives
from mutation.mutants import Mutant

PATIENCE: Final = 120.0  # seconds


def module_of(file: Path) -> str:
    """The name by which a file of protocol/ is imported."""
    inside = file.relative_to(Path(__file__).parents[2]).with_suffix("").parts
    return ".".join(("netlink_emu", *inside)).removesuffix(".__init__")


class _Import(MetaPathFinder, Loader):
    """A pytest plugin: finds one module, and gives it the code of a mutant."""

    def __init__(self, file: Path, mutant: Mutant) -> None:
        self._file: Final = file
        self._mutant: Final = mutant
        self._name: Final = module_of(file)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return spec_from_loader(name, self, origin=str(self._file)) if name == self._name else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        """Come before pytest's finder, which wants to rewrite what has plugins of pytest."""
        sys.meta_path.insert(0, self)

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self._file)
        exec(compile(self._mutant.apply(), str(self._file), "exec"), module.__dict__)


def survives_import(file: Path, mutant: Mutant, stages: Sequence[Sequence[str]]) -> bool:
    """Whether each of these lists of tests passes, one after the other."""
    return all(survives(lambda: _pass(file, mutant, tests), PATIENCE) for tests in stages)  # noqa: B023


def _pass(file: Path, mutant: Mutant, tests: Sequence[str]) -> bool:
    return run(tests, [_Import(file, mutant)]) == 0


def run(tests: Sequence[str], plugins: Sequence[object], *, quiet: bool = True) -> int:
    """pytest, without our own plugin: that would import what is to be imported later."""
    if quiet:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    options = [
        "-x",
        "-q",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
        "-p",
        "no:netlink_emu",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    return int(pytest.main(options, plugins=list(plugins)))
