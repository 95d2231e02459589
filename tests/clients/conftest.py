"""The two sides that clients here are run on."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.building import kernel_sources, kernel_tools
from helpers.interposed import what_is_missing
from helpers.sides import Side, has_taskstats


@pytest.fixture(
    params=[
        pytest.param("emulated"),
        pytest.param("real", marks=pytest.mark.real_kernel),
    ]
)
def side(request: pytest.FixtureRequest) -> Side:
    side = Side(request.param)
    if side.emulated:
        if what_is_missing():
            pytest.skip(f"no interposer here: {what_is_missing()}")
    elif not has_taskstats():
        pytest.skip("no real TASKSTATS, or no right to ask it")
    return side


@pytest.fixture
def emulated() -> Side:
    """The emulated side alone, for what the real kernel lacks."""
    if what_is_missing():
        pytest.skip(f"no interposer here: {what_is_missing()}")
    return Side("emulated")


@pytest.fixture(scope="session")
def tools(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where getdelays and procacct are, the kernel's own examples."""
    cache = request.config.cache
    assert cache is not None
    sources = kernel_sources(cache)
    directory = tmp_path_factory.mktemp("tools")
    kernel_tools(sources, directory)
    return directory
