"""What tests of the installed package share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers import examples
from helpers.dispositions import let_children_hear_signals
from helpers.groups import check_group
from helpers.installed import build_wheel, make_environment

examples.settle()


def pytest_configure() -> None:
    let_children_hear_signals()
    # pytest says more where it is set: what tests run, and read, says the same everywhere.
    for name in ("CI", "BUILD_NUMBER"):
        os.environ.pop(name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what is slow, lest one worker be left alone with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    check_group(item)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the tree."""
    return build_wheel(tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def user_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel; what it depends on is lent by ours."""
    return make_environment(wheel, tmp_path_factory.mktemp("environment"))
