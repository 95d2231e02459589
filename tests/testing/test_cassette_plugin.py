"""Cassettes of tests in a project of their own, with the pytest plugin."""

from __future__ import annotations

import pytest
from helpers.interposed import needs_interposer
from helpers.played import CLIENT, dump, request, write
from helpers.plugin import project, run

from netlink_emu.cassettes import (
    Bound,
)

pytest_plugins = ["pytester"]
__all__ = ["project"]


TESTS = """
import sys
import pytest
from client import addresses

@pytest.mark.netlink_cassette
def test_program(netlink_emu):
    kernel = netlink_emu()
    assert kernel.run([sys.executable, "client.py"]).stdout == "fe800001\\n"
    assert kernel.cassette.path.name == "test_program.cassette"
    second = netlink_emu()
    assert second.run([sys.executable, "client.py"]).stdout == "00000002\\n"

@pytest.mark.netlink_cassette("shared")
@pytest.mark.parametrize("n", [1, 2])
def test_thread(netlink_emu_kernel, n):
    assert netlink_emu_kernel.thread(addresses).result() == "fe800001"

@pytest.mark.netlink_cassette("shared", repeat=True)
@pytest.mark.netlink_emu(here=True)
class TestHere:
    def test_here(self):
        assert addresses(count=2) == "fe800001 fe800001"

@pytest.mark.netlink_cassette
class TestNames:
    @pytest.mark.parametrize("path", ["/a/b", "x"])
    def test_of_parameters(self, netlink_emu_kernel, path):
        assert netlink_emu_kernel.thread(addresses).result() == "fe800001"
"""


@pytest.fixture
def taped(project: pytest.Pytester) -> pytest.Pytester:
    project.makepyfile(client=CLIENT, test_them=TESTS)
    folder = project.path / "cassettes"
    for name in (
        "shared", "test_them/test_program", "test_them/TestNames.test_of_parameters-a-b",
        "test_them/TestNames.test_of_parameters-x",
    ):  # fmt: skip
        write(folder / f"{name}.cassette")
    write(folder / "test_them/test_program-2.cassette", Bound(777), request(), *dump(b"\0\0\0\2"))
    return project


@needs_interposer
class TestPlugin:
    def test_cassettes_lie_beside_the_test(self, taped: pytest.Pytester) -> None:
        run(taped).assert_outcomes(passed=6)

    def test_each_test_has_a_cassette_of_its_own(self, project: pytest.Pytester) -> None:
        """Also if its name is long, unlike those of others in signs alone, or in a group."""
        project.makepyfile(
            client=CLIENT,
            test_new="""
            import pytest
            from client import addresses

            pytestmark = [pytest.mark.netlink_cassette, pytest.mark.xdist_group("one")]

            @pytest.mark.parametrize("name", ["y" * 300, "y" * 299, "a/b", "a b"])
            def test_it(netlink_emu_kernel, name):
                assert netlink_emu_kernel.thread(addresses, 0).result() != "refused"

            class TestIt:
                def test_it(self, netlink_emu_kernel):
                    assert netlink_emu_kernel.thread(addresses, 0).result() != "refused"

            @pytest.mark.netlink_cassette("")
            def test_nothing(netlink_emu_kernel):
                pass
            """,
        )
        result = run(project, "--netlink-record=once")
        result.assert_outcomes(passed=4, errors=2)
        result.stdout.fnmatch_lines_random(
            ["*test_new.py::test_it[[]a/b[]] has the same cassette, */test_it-a-b.cassette: *",
             "*netlink_cassette takes one name, as a string"]
        )  # fmt: skip
        names = sorted(path.name for path in project.path.glob("cassettes/test_new/*"))
        assert names[:2] == ["TestIt.test_it.cassette", "test_it-a-b.cassette"]
        assert len({*names}) == 4
        assert all(len(name) < 255 for name in names)
        pytest.importorskip("xdist")
        workers = ("-p", "xdist.plugin", "-n", "1", "--dist", "loadgroup", "-k", "yyy or TestIt")
        run(project, *workers).assert_outcomes(passed=3)

    def test_recorded_by_two_workers_at_once(self, project: pytest.Pytester) -> None:
        pytest.importorskip("xdist")
        project.makepyfile(
            client=CLIENT,
            test_new="""
            import pytest
            from client import addresses

            @pytest.mark.netlink_cassette
            @pytest.mark.parametrize("family", [0, 2])
            def test_it(netlink_emu_kernel, family):
                assert netlink_emu_kernel.thread(addresses, family).result() != "refused"
            """,
        )
        workers = ("-p", "xdist.plugin", "-n", "2")
        run(project, *workers).assert_outcomes(errors=2)
        run(project, *workers, "--netlink-record=once").assert_outcomes(passed=2)
        names = [path.name for path in project.path.glob("cassettes/test_new/*")]
        assert sorted(names) == ["test_it-0.cassette", "test_it-2.cassette"]
        run(project, *workers).assert_outcomes(passed=2)

    def test_a_test_that_fails_tells_where_the_tape_is(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            client=CLIENT,
            test_it="""
            import pytest
            from client import addresses

            @pytest.mark.netlink_cassette
            def test_it(netlink_emu_kernel):
                assert netlink_emu_kernel.thread(addresses, 10).result() == "fe800001"

            @pytest.mark.netlink_cassette(name="test_it/test_it")
            def test_quiet(netlink_emu_kernel):
                netlink_emu_kernel.thread(addresses, 10).result()

            @pytest.mark.netlink_cassette
            def test_not_there(netlink_emu_kernel):
                pass

            @pytest.mark.netlink_cassette(nome="x")
            def test_slip(netlink_emu_kernel):
                pass
            """,
        )
        write(project.path / "cassettes/test_it/test_it.cassette")
        result = run(project)
        result.assert_outcomes(failed=2, errors=2)
        result.stdout.fnmatch_lines(
            [
                "*there is no cassette */test_not_there.cassette: make it with netlink-emu rec*",
                "*netlink_cassette has no nome; it has name, ignore, repeat, news, patience*",
                "the cassette */test_it.cassette: 0 of 1 requests were played; next is request 1 "
                "of socket 1: RTM_GETADDR REQUEST|DUMP",
                "*nearest is request 1 of socket 1: header is 0a000000, recorded is 02000000*",
                "*--netlink-record=new_episodes adds it*",
                "*request 1 of socket 1: RTM_GETADDR REQUEST|DUMP was not made.*",
            ]
        )
