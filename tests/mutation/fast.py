"""The first look: functions are changed in a process that has all tests collected.

Nothing is imported anew, so that a mutant takes as long as the tests that reach its line, the
quickest first. What was computed at import is not computed anew: who survives here is looked at
once more (slow.py).
"""

from __future__ import annotations

import functools
import gc
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

import coverage
import pytest
from _pytest.runner import runtestprotocol

from mutation.forks import survives
from mutation.mutants import Mutant

# Seconds beyond what the tests take without a mutant.
PATIENCE: Final = 3.0

Tell = Callable[[Path, Mutant, bool], None]


class FirstLook:
    """A pytest plugin that runs mutants instead of the tests; ``tell`` hears who survived."""

    def __init__(self, mutants: dict[Path, list[Mutant]], tell: Tell) -> None:
        self._mutants: Final = mutants
        self._tell: Final = tell
        self._reached: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        self._seconds: dict[str, float] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run all tests once, then each mutant against those that reach it."""
        self._measure(session.items)
        if not survives(functools.partial(_all_pass, session.items, lambda: None), 600.0):
            pytest.exit("tests fail in a fork that is no mutant", 3)
        items = {item.nodeid: item for item in session.items}
        functions = _functions()
        caches = [o for o in gc.get_objects() if isinstance(o, functools._lru_cache_wrapper)]
        for file, mutants in self._mutants.items():
            for mutant in mutants:
                names = set[str]().union(*(self._reached[str(file), n] for n in mutant.lines))
                chosen = [items[name] for name in sorted(names, key=self._seconds.__getitem__)]
                patience = PATIENCE + 2 * sum(self._seconds[name] for name in names)
                become = functools.partial(_become, functions, caches, file, mutant)
                tests = functools.partial(_all_pass, chosen, become)
                self._tell(file, mutant, survives(tests, patience))
        return True

    def _measure(self, items: Sequence[pytest.Item]) -> None:
        """Which tests reach which lines, and how many seconds each takes."""
        measured = coverage.Coverage(
            data_file=None,
            branch=False,
            config_file=False,
            include=[str(f) for f in self._mutants],
        )
        measured.start()
        for item in items:
            measured.switch_context(item.nodeid)
            reports = runtestprotocol(item, log=False, nextitem=None)
            if any(report.failed for report in reports):
                pytest.exit(f"without any mutant this fails: {item.nodeid}", 3)
            self._seconds[item.nodeid] = sum(report.duration for report in reports)
        measured.stop()
        data = measured.get_data()
        for file in self._mutants:
            for line, names in data.contexts_by_lineno(str(file)).items():
                self._reached[str(file), line] = set(names) - {""}


def _all_pass(items: Sequence[pytest.Item], first: Callable[[], None]) -> bool:
    first()
    for item in items:
        reports = runtestprotocol(item, log=False, nextitem=None)
        if any(report.failed for report in reports):
            return False
    return True


Key = tuple[str, str, int]
# The link netlink_emu/protocol leads to the files.
_real = functools.cache(os.path.realpath)


def _functions() -> dict[Key, list[FunctionType]]:
    """All functions by file, name and line."""
    found: defaultdict[Key, list[FunctionType]] = defaultdict(list)
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType):
            code = thing.__code__
            found[_real(code.co_filename), code.co_name, code.co_firstlineno].append(thing)
    return found


def _become(
    functions: dict[Key, list[FunctionType]], caches: Sequence[Any], file: Path, mutant: Mutant
) -> None:
    assert mutant.function is not None
    code = _code(compile(mutant.apply(), str(file), "exec"), mutant.function)
    for function in functions[(str(file), *mutant.function)]:
        function.__code__ = code
    for cached in caches:
        cached.cache_clear()


def _code(module: CodeType, function: tuple[str, int]) -> CodeType:
    return next(code for code in _codes(module) if (code.co_name, code.co_firstlineno) == function)


def _codes(code: CodeType) -> Iterator[CodeType]:
    inner: Any
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _codes(inner)
