"""That tests of a group are held together, or fail."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = Path(__file__).parents[1]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini(f"[pytest]\npythonpath = {TESTS}\naddopts = -p xdist.plugin\n")
    pytester.makeconftest(
        """
        import pytest
        from helpers.groups import check_group

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_setup(item):
            check_group(item)
        """
    )
    pytester.makepyfile(
        """
        import os, pytest

        @pytest.mark.xdist_group("one")
        @pytest.mark.parametrize("number", range(4))
        def test_together(number):
            with open("workers", "a") as file:
                file.write(os.environ.get("PYTEST_XDIST_WORKER", "none") + "\\n")

        @pytest.mark.parametrize("number", range(4))
        def test_alone(number):
            pass
        """
    )
    return pytester


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    return project.runpytest_subprocess("-p", "no:cacheprovider", *args)


def test_a_group_has_one_worker(project: pytest.Pytester) -> None:
    run(project, "-n", "2", "--dist=loadgroup").assert_outcomes(passed=8)
    assert len(set((project.path / "workers").read_text().split())) == 1


def test_without_workers_there_is_nothing_to_hold(project: pytest.Pytester) -> None:
    run(project).assert_outcomes(passed=8)


def test_another_distribution_is_refused(project: pytest.Pytester) -> None:
    result = run(project, "-n", "2")
    result.assert_outcomes(passed=4, errors=4)
    result.stdout.fnmatch_lines(["*add --dist=loadgroup*"])
    assert not (project.path / "workers").exists()


def test_groups_that_do_not_take_are_refused(project: pytest.Pytester) -> None:
    """As where pytest-xdist writes the group to where this pytest does not look."""
    project.makepyfile(
        forgetful="""
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(items):
            for item in items:
                item._nodeid = item.nodeid.partition("@")[0]
        """
    )
    result = run(project, "-p", "forgetful", "-n", "2", "--dist=loadgroup")
    result.assert_outcomes(passed=4, errors=4)
    result.stdout.fnmatch_lines(["*ignores xdist_group*"])
    assert not (project.path / "workers").exists()
