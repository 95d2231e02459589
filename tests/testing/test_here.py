"""Tests that run in an emulated kernel as a whole: ``here=True``."""

from __future__ import annotations

import pytest
from helpers.interposed import needs_interposer
from helpers.plugin import CLIENT, project, run

pytest_plugins = ["pytester"]
__all__ = ["project"]


@needs_interposer
class TestHere:
    """Tests that run in a kernel as a whole."""

    @pytest.fixture
    def here(self, project: pytest.Pytester) -> pytest.Pytester:
        project.makepyfile(client=CLIENT)
        return project

    def test_plain_functions(self, here: pytest.Pytester) -> None:
        here.makepyfile(
            """
            import contextvars, os, subprocess, sys, warnings
            import pytest
            from client import my_client

            VAR = contextvars.ContextVar("VAR", default=0)

            @pytest.fixture
            def setting():
                VAR.set(7)

            pytestmark = pytest.mark.netlink_emu("6.1", here=True, tasks=["cron"])

            def test_its_own_code_is_in_the_kernel(netlink_emu_kernel):
                portid = my_client()
                (request,) = netlink_emu_kernel.journal.requests()
                assert (request.portid, request.pid) == (portid, os.getpid())
                assert netlink_emu_kernel.tasks.find(2).comm == "cron"

            def test_without_a_fixture():
                my_client()

            @pytest.mark.parametrize("number", [1, 2])
            def test_with_others(number, tmp_path, capsys, monkeypatch, setting):
                monkeypatch.setenv("HERE", "1")
                assert VAR.get() == 7
                my_client()
                print("said", number)
                assert capsys.readouterr().out == f"said {number}\\n"

            class TestMethods:
                def test_it(self, netlink_emu_kernel):
                    my_client()
                    assert len(netlink_emu_kernel.journal.requests()) == 1

            def test_raises():
                my_client()
                with pytest.raises(ZeroDivisionError), pytest.warns(UserWarning):
                    warnings.warn("mine", stacklevel=1)
                    1 / 0

            def test_skips():
                pytest.skip("not today")

            @pytest.mark.xfail(strict=True, raises=ZeroDivisionError)
            def test_fails_as_it_should():
                1 / 0

            def test_asyncio_and_programs():
                import asyncio

                async def main():
                    process = await asyncio.create_subprocess_exec(
                        sys.executable, "-c", "from client import my_client; my_client()"
                    )
                    return await process.wait(), await asyncio.to_thread(my_client)

                assert asyncio.run(main())[0] == 0

            def test_nobody_asks():
                pass

            def test_fails(netlink_emu_kernel):
                my_client()
                assert netlink_emu_kernel.journal.requests() == []
            """
        )
        result = run(here)
        result.assert_outcomes(passed=7, skipped=1, xfailed=1, failed=2)
        out = str(result.stdout)
        assert "run_here" not in out
        assert "threads.py" not in out
        result.stdout.fnmatch_lines(
            ["*no client talked to the emulated kernel*", "*CTRL_CMD_GETFAMILY*"]
        )

    def test_trio_and_asyncio_plugins(self, here: pytest.Pytester) -> None:
        pytest.importorskip("pytest_trio")
        pytest.importorskip("pytest_asyncio")
        here.makepyfile(
            """
            import asyncio, pytest, trio
            from client import my_client

            pytestmark = pytest.mark.netlink_emu(here=True)

            @pytest.mark.trio
            async def test_trio(netlink_emu_kernel):
                await trio.to_thread.run_sync(my_client)
                my_client()
                assert len(netlink_emu_kernel.journal.requests()) == 2

            @pytest.mark.asyncio
            async def test_asyncio(netlink_emu_kernel):
                await asyncio.to_thread(my_client)
                my_client()
                assert len(netlink_emu_kernel.journal.requests()) == 2
            """
        )
        run(here, others=True).assert_outcomes(passed=2)

    def test_the_kernel_of_a_fixture(self, here: pytest.Pytester) -> None:
        here.makepyfile(
            """
            import pytest
            from client import my_client

            @pytest.fixture
            def kernel(netlink_emu):
                return netlink_emu("2.6.35")

            @pytest.fixture
            def another(netlink_emu):
                return netlink_emu("2.6.39")

            @pytest.fixture(scope="module")
            def shared(netlink_emu_module):
                return netlink_emu_module("5.10")

            pytestmark = pytest.mark.netlink_emu(here=True)

            def test_its_own(kernel):
                my_client()
                assert kernel.journal.requests()

            def test_a_shared_one(shared):
                my_client()
                assert shared.journal.requests()

            def test_which(kernel, another):
                pass
            """
        )
        result = run(here)
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(["*here=True: the fixtures of this test have made 2 kernels*"])

    def test_where_it_cannot_work_it_says_so(self, here: pytest.Pytester) -> None:
        here.makepyfile(
            """
            import unittest
            import pytest

            @pytest.mark.netlink_emu(here=True)
            class TestIt(unittest.TestCase):
                def test_it(self):
                    pass

            @pytest.mark.netlink_emu(here=True)
            async def test_async_without_a_plugin():
                pass
            """
        )
        result = run(here)
        result.assert_outcomes(failed=2)
        result.stdout.fnmatch_lines(["here=True had no effect*", "*async def functions are not *"])

    def test_what_ends_the_wait_ends_the_test(self, here: pytest.Pytester) -> None:
        """Ctrl-C is for the main thread, which waits; the test's own thread hears of it, too."""
        here.makeconftest(
            """
            import threading

            def pytest_unconfigure():
                for thread in threading.enumerate():
                    if thread.name.startswith("netlink-emu client"):
                        thread.join()
                        print("it has ended")
            """
        )
        here.makepyfile(
            """
            import signal, socket, threading
            import pytest

            @pytest.mark.netlink_emu(here=True)
            def test_waits():
                sock = socket.socket(16, 3, 16)
                sock.bind((0, 0))
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                while True:
                    try:
                        sock.recv(9)
                    except OSError:  # the kernel is closed
                        pass
            """
        )
        result = run(here)
        assert result.ret == pytest.ExitCode.INTERRUPTED

    def test_a_time_out_ends_it_and_the_next_is_fine(self, here: pytest.Pytester) -> None:
        pytest.importorskip("pytest_timeout")
        here.makepyfile(
            """
            import pytest
            from client import my_client

            pytestmark = pytest.mark.netlink_emu(here=True)

            def test_before():  # a time-out in the midst of an import leaves half a module
                my_client()

            @pytest.mark.timeout(1, method="signal")
            def test_too_long():
                my_client()
                while True:
                    pass

            def test_next():
                my_client()
            """
        )
        result = run(here, "-p", "pytest_timeout")
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(["*Timeout*"])
