"""A test that never reached the emulated kernel, or prepared something in vain, is not green."""

from __future__ import annotations

import pytest
from helpers.messages import get, receive
from helpers.plugin import CLIENT, project, run

from netlink_emu.testing import EmulatedKernel, NotUsed

pytest_plugins = ["pytester"]
__all__ = ["project"]

SCENARIO = '[[task]]\ncomm = "cron"\npid = 300\ntimeline = [{ at = 1.0, exit = 2 }, ]\n'


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

    def test_a_check_of_one_s_own_that_raises(self, project: pytest.Pytester) -> None:
        """It fails its test, and no other."""
        project.makepyfile(
            """
            import pytest
            from ask import ask

            @pytest.mark.parametrize("raises", [lambda: pytest.fail("not so"), lambda: 1 / 0])
            def test_raises(netlink_emu, raises):
                kernel = netlink_emu()
                ask(kernel)
                kernel.usage.expect("mine", raises)

            def test_another(netlink_emu):
                ask(netlink_emu())
            """
        )
        result = run(project)
        result.assert_outcomes(passed=1, failed=2)

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
