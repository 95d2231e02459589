"""A test that never reached the emulated kernel, or prepared something in vain, is not green."""

from __future__ import annotations

import pytest
from helpers.interposed import needs_interposer
from helpers.messages import get, receive
from helpers.plugin import project, run

from netlink_emu.testing import EmulatedKernel, NotUsed

pytest_plugins = ["pytester"]
__all__ = ["project"]

SCENARIO = '[[task]]\ncomm = "cron"\npid = 300\ntimeline = [{ at = 1.0, exit = 2 }, ]\n'
# Asks whichever kernel the thread that calls it has, and is content with any answer.
CLIENT = """
import socket, struct

def my_client():
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
        sock.bind((0, 0))
        sock.send(struct.pack("=IHHIIBBHHH", 32, 16, 1, 1, 0, 3, 1, 0, 11, 2) + b"nlctrl\\0\\0")
        assert struct.unpack_from("=H", sock.recv(65536), 4) == (16,)
        return sock.getsockname()[0]
"""


def ask(kernel: EmulatedKernel) -> None:
    sock = kernel.connect()
    sock.send(get(1))
    receive(sock)


class TestTheKernel:
    """What it says of itself, without pytest."""

    def test_nobody_asked(self) -> None:
        with EmulatedKernel("6.1") as kernel:
            with pytest.raises(
                NotUsed, match=r"no client talked to the emulated kernel \(Linux 6\.1\)"
            ):
                kernel.usage.assert_used()
            ask(kernel)
            kernel.usage.assert_used()

    def test_nobody_asked_since(self, kernel: EmulatedKernel) -> None:
        ask(kernel)
        mark = kernel.usage.mark()
        assert [one.kind for one in kernel.usage.unused(mark)] == ["kernel"]
        kernel.reset()
        ask(kernel)
        assert kernel.usage.unused(mark) == []

    def test_a_fault_that_never_came_in(self, kernel: EmulatedKernel) -> None:
        rule = kernel.faults.drop(cmd="TASKSTATS_CMD_GET", TASKSTATS_CMD_ATTR_PID=7)
        ask(kernel)
        with pytest.raises(NotUsed) as raised:
            kernel.usage.assert_used()
        assert str(raised.value) == (
            "the fault 'drop cmd=TASKSTATS_CMD_GET TASKSTATS_CMD_ATTR_PID=7' never came in: "
            "no message was one that it is for.\n"
            "To allow this, set allow_unused='fault', as the kernel's or the marker's option."
        )
        kernel.faults.remove(rule)
        kernel.usage.assert_used()

    def test_a_fault_that_let_all_pass(self, kernel: EmulatedKernel) -> None:
        kernel.faults.errno("EPERM", skip=3, cmd="TASKSTATS_CMD_GET")
        ask(kernel)
        (one,) = kernel.usage.unused()
        assert one.text.endswith("never came in: skip=3 let pass all 1 that it is for.")

    def test_a_fault_left_to_chance_may_stay_away(self, kernel: EmulatedKernel) -> None:
        kernel.faults.errno("EPERM", probability=1e-9, cmd="TASKSTATS_CMD_GET")
        ask(kernel)
        kernel.usage.assert_used()

    def test_a_scenario_that_is_not_over(self, kernel: EmulatedKernel) -> None:
        ask(kernel)
        kernel.play(SCENARIO, 0.5)
        with pytest.raises(NotUsed, match=r"of a scenario never came due: task\[0\]\.timeline"):
            kernel.usage.assert_used()
        kernel.advance(0.5)
        kernel.usage.assert_used()

    def test_a_scenario_without_an_end_need_not_end(self, kernel: EmulatedKernel) -> None:
        ask(kernel)
        kernel.play(SCENARIO.replace("pid = 300", "every = 0.7"), 2)
        kernel.usage.assert_used()

    def test_something_else_to_use(self, kernel: EmulatedKernel) -> None:
        ask(kernel)
        left = {"a.cassette": "two requests of a.cassette never came"}
        kernel.usage.expect("cassette", left.items)
        with pytest.raises(NotUsed, match=r"two requests(.|\n)*allow_unused='cassette'"):
            kernel.usage.assert_used()
        left.clear()
        kernel.usage.assert_used()

    @pytest.mark.parametrize(
        ("allowed", "kinds"),
        [
            (False, ["kernel", "scenario"]),
            (True, []),
            ("kernel", ["scenario"]),
            (["kernel", "scenario"], []),
        ],
    )
    def test_what_is_meant(self, allowed: bool | str | list[str], kinds: list[str]) -> None:
        with EmulatedKernel(allow_unused=allowed) as kernel:
            kernel.faults.drop()  # nothing is said of it where nobody asked at all
            kernel.play(SCENARIO)
            assert [one.kind for one in kernel.usage.unused()] == kinds

    def test_several_at_once(self, kernel: EmulatedKernel) -> None:
        ask(kernel)
        kernel.faults.drop()
        kernel.play(SCENARIO)
        with pytest.raises(NotUsed, match=r"allow_unused=\['fault', 'scenario'\]"):
            kernel.usage.assert_used()


class TestInPytest:
    def test_who_asks_the_wrong_kernel(self, project: pytest.Pytester) -> None:
        project.makepyfile(client=CLIENT)
        project.makepyfile(
            """
            import pytest
            from client import my_client
            from ask import ask

            def test_forgotten(netlink_emu):
                netlink_emu("6.1")
                my_client()

            def test_forgotten_and_failed(netlink_emu_kernel):
                my_client()
                assert 0, "my own"

            @pytest.mark.netlink_emu(allow_unused=True)
            def test_meant(netlink_emu_kernel):
                assert len(netlink_emu_kernel.tasks) == 1

            def test_meant_of_one(netlink_emu):
                ask(netlink_emu())
                netlink_emu(allow_unused="kernel")

            def test_asked(netlink_emu):
                ask(netlink_emu())

            def test_skipped(netlink_emu_kernel):
                pytest.skip("not today")

            @pytest.mark.xfail(strict=True)
            def test_known(netlink_emu_kernel):
                pass

            def test_no_kernel(netlink_emu):
                my_client()
            """
        )
        result = run(project)
        result.assert_outcomes(passed=4, failed=2, skipped=1, xfailed=1)
        result.stdout.fnmatch_lines(
            [
                "*_ test_forgotten _*",
                "no client talked to the emulated kernel (Linux 6.1)*here=True).",
                "To allow this, set allow_unused='kernel', as *",
                "*_ test_forgotten_and_failed _*",
                "*my own*",
                "*netlink-emu: Linux 6.18*",
                "no client talked to the emulated kernel (Linux 6.18)*",
            ]
        )
        assert str(result.stdout).count("no client talked to the emulated kernel (Linux 6.1)") == 1
        result.stdout.no_fnmatch_line("*plugin.py*")

    def test_faults_and_scenarios(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            f"""
            from ask import ask

            def test_fault(netlink_emu):
                kernel = netlink_emu()
                kernel.faults.drop(cmd="TASKSTATS_CMD_NEW", kind="event")
                ask(kernel)

            def test_scenario(netlink_emu):
                kernel = netlink_emu()
                ask(kernel)
                kernel.play({SCENARIO!r})

            def test_both(netlink_emu):
                kernel = netlink_emu(allow_unused="fault")
                kernel.faults.drop(kind="event")
                ask(kernel)
                kernel.play({SCENARIO!r}, seconds=1)
            """
        )
        result = run(project)
        result.assert_outcomes(passed=1, failed=2)
        result.stdout.fnmatch_lines(["the fault 'drop *' never came in*", "of a scenario *"])

    def test_shared_kernels(self, project: pytest.Pytester) -> None:
        """Only whose fixtures give it one has to ask it."""
        project.makepyfile(
            """
            import pytest
            from ask import ask

            @pytest.fixture(scope="module")
            def shared(netlink_emu_module):
                return netlink_emu_module()

            @pytest.fixture
            def kernel(shared):
                yield shared
                shared.reset()

            def test_asks(kernel):
                ask(kernel)

            def test_does_not(kernel):
                pass

            def test_has_nothing_to_do_with_it():
                pass
            """
        )
        run(project).assert_outcomes(passed=2, failed=1)

    def test_a_unittest_case(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            """
            import unittest
            import pytest

            class TestIt(unittest.TestCase):
                @pytest.fixture(autouse=True)
                def kernel(self, netlink_emu):
                    self.kernel = netlink_emu()

                def test_it(self):
                    assert self.kernel.tasks
            """
        )
        result = run(project)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["no client talked to the emulated kernel*"])


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
