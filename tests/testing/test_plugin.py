"""The pytest plugin, in a pytest of its own: fixtures, marker, reports, and what it costs."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from helpers.interposed import needs_interposer, what_is_missing
from helpers.plugin import project, run

pytest_plugins = ["pytester"]
__all__ = ["project"]

LISTENER = Path(__file__).parents[1] / "helpers" / "listener.py"


def test_fixtures_and_marker(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def netlink_emu_defaults():
            return {"release": "5.10", "cpus": 8, "arch": "x86_64", "allow_unused": True}

        @pytest.fixture(scope="module")
        def shared(netlink_emu_module):
            return netlink_emu_module(tasks=["shared"])

        @pytest.fixture(scope="session")
        def lasting(netlink_emu_session):
            return netlink_emu_session("6.1")
        """
    )
    project.makepyfile(
        """
        import pytest
        from ask import ask

        def test_the_conftests_defaults(netlink_emu):
            kernel = netlink_emu()
            assert (kernel.profile.release, len(kernel.cpus)) == ("5.10", 8)

        @pytest.mark.netlink_emu("6.1", cpus=4, tasks=["cron", {"comm": "sshd", "pid": 22}])
        def test_a_marker_comes_before_them(netlink_emu_kernel):
            assert (netlink_emu_kernel.profile.release, len(netlink_emu_kernel.cpus)) == ("6.1", 4)
            assert netlink_emu_kernel.tasks[22].comm == "sshd"

        @pytest.mark.netlink_emu(release="6.1")
        def test_and_the_call_before_that(netlink_emu):
            kernels = [netlink_emu("2.6.35"), netlink_emu(cpus=1), netlink_emu(release="7.2")]
            assert [k.profile.release for k in kernels] == ["2.6.35", "6.1", "7.2"]
            assert [len(ask(k)) for k in kernels] == [364, 452, 724]

        @pytest.mark.netlink_emu(cpus=2)
        class TestNested:
            @pytest.mark.netlink_emu("6.18")
            def test_the_nearest_marker_wins(self, netlink_emu_kernel):
                kernel = netlink_emu_kernel
                assert (kernel.profile.release, len(kernel.cpus)) == ("6.18", 2)

        def test_a_kernel_of_the_module(shared):
            shared.tasks.spawn("left", pid=300)

        def test_and_its_reset(shared, lasting):
            assert shared.tasks[300].comm == "left"
            shared.reset()
            assert [task.comm for task in shared.tasks] == ["init", "shared"]
            assert lasting.profile.release == "6.1"
        """
    )
    run(project).assert_outcomes(passed=6)


def test_a_failure_shows_the_exchange(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from ask import ask

        @pytest.fixture(scope="module")
        def shared(netlink_emu_module):
            return netlink_emu_module("6.18", arch="x86_64")

        def test_before(shared):
            ask(shared, pid=777)

        def test_broken(netlink_emu, shared):
            kernel = netlink_emu("6.18", arch="x86_64")
            ask(kernel, pid=4242)
            shared.journal.note("only this")
            assert kernel.journal.requests(TASKSTATS_CMD_ATTR_PID=4243)

        def test_fine(shared):
            ask(shared, pid=778)
        """
    )
    result = run(project)
    result.assert_outcomes(passed=2, failed=1)
    out = result.stdout
    out.fnmatch_lines(
        [
            "E  *no requests with TASKSTATS_CMD_ATTR_PID=4243; similar is #3 *, "
            "but TASKSTATS_CMD_ATTR_PID is 4242*",
        ]
    )
    out.fnmatch_lines(
        [
            "*netlink-emu: Linux 6.18*",
            "*→ kernel, 28 bytes",
            "*TASKSTATS TASKSTATS_CMD_GET REQUEST seq 1 pid 0",
            "*TASKSTATS_CMD_ATTR_PID 4242",
            "*NLMSG_ERROR ESRCH seq 1 pid *",
        ]
    )
    assert "777" not in str(out)  # the other test's
    assert "778" not in str(out)
    assert str(out).count("only this") == 2  # the source line, and the section


def test_a_mistake_of_ours_fails_the_test_that_met_it(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from ask import ask

        def test_meets_it(netlink_emu):
            kernel = netlink_emu()
            kernel.kernel.genl.families = None
            sock = kernel.connect()
            sock.send(bytes.fromhex("14000000100001000100000000000000" "03010000"))
            kernel.wait_for_listener(timeout=300)

        def test_leaves_it(netlink_emu):
            kernel = netlink_emu()
            kernel.kernel.genl.families = None
            sock = kernel.connect()
            sock.send(bytes.fromhex("14000000100001000100000000000000" "03010000"))
            assert sock.recv(10) == b""

        def test_after(netlink_emu):
            assert ask(netlink_emu())
        """
    )
    result = run(project)
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*EmulatorError: netlink-emu itself failed: *"])


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        (
            'release="6.1", cpu=4',
            "*netlink_emu has no cpu; it has allow_unused, arch, cassette*; did you mean cpus?",
        ),
        ('"6.1", 4', "*netlink_emu takes one argument by position, the release*"),
    ],
)
def test_a_marker_with_a_mistake(project: pytest.Pytester, marker: str, said: str) -> None:
    project.makepyfile(
        f"""
        import pytest

        @pytest.mark.netlink_emu({marker})
        def test_it(netlink_emu):
            pass
        """
    )
    result = run(project)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([said])


def test_the_marker_is_known(project: pytest.Pytester) -> None:
    run(project, "--markers").stdout.fnmatch_lines(
        ["@pytest.mark.netlink_emu(release, arch, cpus, *"]
    )


def test_the_factory_of_every_scope_is_listed(project: pytest.Pytester) -> None:
    out = run(project, "--fixtures").stdout
    for name in (
        "netlink_emu_defaults [[]session scope[]]*",
        "netlink_emu -- *",
        "netlink_emu_kernel -- *",
        "netlink_emu_module [[]module scope[]]*",
        "netlink_emu_session [[]session scope[]]*",
    ):
        out.fnmatch_lines([name])


def test_journals_of_all_tests(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from ask import ask

        @pytest.mark.parametrize("name", ["a/b"])
        def test_it(netlink_emu, name):
            ask(netlink_emu())
            ask(netlink_emu())
        """
    )
    run(project, "--netlink-emu-journal", "out/journals").assert_outcomes(passed=1)
    files = sorted(path.name for path in (project.path / "out/journals").iterdir())
    stem = "test_journals_of_all_tests.py-test_it-a-b"
    assert files == [f"{stem}-2.pcapng", f"{stem}.pcapng"]


def test_a_page_of_a_test_that_fails(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from ask import ask

        def test_fails(netlink_emu):
            ask(netlink_emu())
            ask(netlink_emu())
            assert False

        def test_passes(netlink_emu):
            ask(netlink_emu())
        """
    )
    result = run(project, "--netlink-emu-html=out/pages", "--junitxml=out/junit.xml")
    result.assert_outcomes(failed=1, passed=1)
    stem = "test_a_page_of_a_test_that_fails.py-test_fails"
    files = sorted(path.name for path in (project.path / "out/pages").iterdir())
    assert files == [f"{stem}-2.html", f"{stem}.html"]
    result.stdout.fnmatch_lines([f"as a page: out/pages/{stem}.html"])
    assert f'name="netlink_emu_html" value="out/pages/{stem}.html"' in (
        project.path / "out/junit.xml"
    ).read_text("utf-8")
    text = (project.path / "out/pages" / f"{stem}.html").read_text("utf-8")
    assert "TASKSTATS_CMD_GET" in text
    assert "::test_fails: Linux" in text


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["here", "xdist"])
def test_a_page_is_linked_in_the_report_of_pytest_html(
    project: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    project.makepyfile(
        """
        from ask import ask

        def test_fails(netlink_emu):
            ask(netlink_emu())
            assert False

        def test_passes(netlink_emu):
            ask(netlink_emu())
        """
    )
    (project.path / "a # b").mkdir()
    report = "a # b/report.html"
    args = ("--netlink-emu-html=a # b/pages", f"--html={report}", *workers)
    result = run(project, *args, others=True)
    result.assert_outcomes(failed=1, passed=1)
    blob = re.search(r'data-jsonblob="(.*?)"></', (project.path / report).read_text("utf-8"))
    assert blob
    tests = json.loads(html.unescape(blob[1]))["tests"]
    linked = {
        name: [extra["content"] for one in runs for extra in one["extras"]]
        for name, runs in tests.items()
    }
    [(failed, [link])] = [(name, links) for name, links in linked.items() if links]
    assert failed.endswith("::test_fails")
    page = project.path / "a # b" / unquote(link)
    assert "TASKSTATS_CMD_GET" in page.read_text("utf-8")


def test_a_projects_defaults(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.netlink_emu(allow_unused="kernel")

        def test_settings(netlink_emu):
            kernel = netlink_emu()
            assert kernel.profile.release == "6.1"
            assert len(kernel.kernel.machine.cpus.possible) == 3

        @pytest.mark.netlink_emu("5.10")
        def test_marker(netlink_emu):
            assert netlink_emu().profile.release == "5.10"
        """
    )
    (project.path / "pyproject.toml").write_text('[tool.netlink-emu]\nrelease = "5.4"\ncpus = 3\n')
    run(project, "-o", "netlink_emu_release=6.1").assert_outcomes(passed=2)
    result = run(project, "-o", "netlink_emu_cpus=many")
    result.stdout.fnmatch_lines(["*netlink_emu_cpus takes a number, not 'many'*"])


def test_a_page_that_cannot_be_written(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from ask import ask

        def test_fails(netlink_emu):
            ask(netlink_emu())
            assert False
        """
    )
    (project.path / "file").touch()
    result = run(project, "--netlink-emu-html=file")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["(no page of it in file: *)"])


ASYNC = (
    f"INTERPOSER = {not what_is_missing()}\n"
    + """
import pytest
from ask import ask

async def exchange(kernel):
    ask(kernel)
    request = await kernel.aio.wait_for_request(cmd="TASKSTATS_CMD_GET")
    assert request.attrs == {"TASKSTATS_CMD_ATTR_PID": 1}
    with pytest.raises(AssertionError):
        await kernel.aio.wait_for_listener(cpu=0, timeout=0.01)
    assert await kernel.aio.wait_until(lambda k: len(k.tasks)) == 1
    if INTERPOSER:
        assert await kernel.aio.result(kernel.thread(int, "7")) == 7
"""
)


def test_with_trio(project: pytest.Pytester) -> None:
    pytest.importorskip("pytest_trio")
    project.makepyfile(
        ASYNC
        + """
@pytest.mark.trio
async def test_it(netlink_emu_kernel, autojump_clock):
    await exchange(netlink_emu_kernel)
"""
    )
    run(project, others=True).assert_outcomes(passed=1)


def test_with_asyncio(project: pytest.Pytester) -> None:
    pytest.importorskip("pytest_asyncio")
    project.makepyfile(
        ASYNC
        + """
@pytest.mark.asyncio
async def test_it(netlink_emu_kernel):
    await exchange(netlink_emu_kernel)
"""
    )
    run(project, others=True).assert_outcomes(passed=1)


def test_with_xdist(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    project.makepyfile(
        """
        import pytest
        from ask import ask

        @pytest.mark.parametrize("pid", range(8))
        def test_it(netlink_emu, pid):
            kernel = netlink_emu(tasks="any")
            assert len(ask(kernel, pid=pid + 100)) > 400
            assert len(kernel.journal.requests()) == 1
        """
    )
    run(project, "-n", "2", others=True).assert_outcomes(passed=8)


@needs_interposer
def test_the_example_of_the_readme_in_short(project: pytest.Pytester) -> None:
    project.makepyfile(
        f"""
        import sys

        def test_monitor_reports_exit(netlink_emu):
            kernel = netlink_emu(release="6.1", cpus=4)
            task = kernel.tasks.spawn("postgres", pid=4242, cpu=2)
            client = kernel.popen([sys.executable, {str(LISTENER)!r}, "0-3"])
            kernel.wait_for_listener(cpu=2)
            task.charge(utime=1.5, blkio_delay=0.3)
            task.exit(code=3)
            assert b"4242" in client.read_until(b"code 3")
        """
    )
    run(project).assert_outcomes(passed=1)


class TestCost:
    """What a session pays that does not use it."""

    def test_nothing_heavy_is_imported(self, project: pytest.Pytester) -> None:
        """Nothing that pytest does not import itself: with Python 3.14 its pdb has asyncio."""
        project.makepyfile(
            """
            import sys
            from pathlib import Path

            def test_it():
                loaded = "netlink_emu.testing.plugin" in sys.modules
                Path("with" if loaded else "without").write_text("\\n".join(sys.modules))
            """
        )
        run(project).assert_outcomes(passed=1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
            project.runpytest_subprocess("-q").assert_outcomes(passed=1)
        ours, theirs = ((project.path / name).read_text().split() for name in ("with", "without"))
        heavy = {"trio", "construct", "typer", "sniffio", "netlink_emu.protocol",
                 "netlink_emu.testing.kernel", "subprocess_", "asyncio"}  # fmt: skip
        assert not heavy & (set(ours) - set(theirs))
