"""Whether tests of one ``xdist_group`` really run one after the other.

What they share, a folder that npm fills or the one atopacctd of a machine, breaks when they do
not, now and then and elsewhere. pytest-xdist makes groups by writing them into node ids; with
pytest 9.2 that reached nobody, and nothing said so.
"""

from __future__ import annotations

import pytest


def check_group(item: pytest.Item) -> None:
    """Fail a test of a group in a worker of pytest-xdist that does not hold groups together."""
    groups = {str(mark.args[0]) for mark in item.iter_markers("xdist_group")}
    if not groups or not hasattr(item.config, "workerinput"):
        return
    if not getattr(item.config.option, "loadgroup", False):
        pytest.fail("tests of one group must not run at once: add --dist=loadgroup")
    if not item.nodeid.endswith("@" + "_".join(sorted(groups))):
        pytest.fail(
            f"pytest {pytest.__version__} with this pytest-xdist ignores xdist_group; "
            "pyproject.toml says which versions work"
        )
