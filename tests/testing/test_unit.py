"""The mixin for unittest: kernels, the exchange of failures, and tests that ask nobody."""

from __future__ import annotations

import asyncio
import io
import socket
import unittest
from typing import Any, ClassVar

import pytest
from helpers.interposed import needs_interposer
from helpers.messages import get, receive

from netlink_emu.journal.entries import Bound
from netlink_emu.testing import EmulatedKernel, EmulatedKernelMixin
from netlink_emu.testing.settings.options import KernelDefaults

made: list[EmulatedKernel] = []


def ask(kernel: EmulatedKernel, pid: int = 1) -> None:
    made.append(kernel)
    sock = kernel.connect()
    sock.send(get(pid))
    receive(sock)


class Cases(EmulatedKernelMixin, unittest.TestCase):
    __test__ = False  # run by hand below
    netlink_emu_options: ClassVar[KernelDefaults] = {"release": "6.1", "cpus": 3}

    def passes(self) -> None:
        assert (self.kernel.release, len(self.kernel.cpus)) == ("6.1", 3)
        ask(self.kernel)
        other = self.netlink_emu("5.10", cpus=1)
        assert (other.release, len(other.cpus)) == ("5.10", 1)
        ask(other)

    def fails(self) -> None:
        ask(self.kernel, pid=4242)
        self.assertEqual(1, 2)  # noqa: PT009 - it is unittest that is tested

    def asks_nobody(self) -> None:
        self.kernel  # noqa: B018 - it is made

    def has_none(self) -> None:
        pass

    def skips(self) -> None:
        self.kernel  # noqa: B018 - it is made
        self.skipTest("not today")


class Async(EmulatedKernelMixin, unittest.IsolatedAsyncioTestCase):
    __test__ = False

    async def passes(self) -> None:
        ask(self.kernel)
        await asyncio.sleep(0)
        await self.kernel.aio.wait_for_request(cmd="TASKSTATS_CMD_GET")

    async def asks_nobody(self) -> None:
        self.kernel  # noqa: B018 - it is made


class Here(EmulatedKernelMixin, unittest.TestCase):
    __test__ = False
    netlink_emu_here = True

    def passes(self) -> None:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
            sock.bind((77, 0))
        (bound,) = self.kernel.journal.of(Bound)
        assert bound.peer.portid == 77

    def asks_nobody(self) -> None:
        pass


def run(case: type[Any], name: str) -> tuple[unittest.TestResult, str]:
    made.clear()
    stream = io.StringIO()
    result = unittest.TextTestRunner(stream=stream, verbosity=0).run(case(name))
    assert all(kernel.closed for kernel in made)
    return result, stream.getvalue()


@pytest.mark.parametrize(
    ("case", "name"), [(Cases, "passes"), (Cases, "has_none"), (Async, "passes")]
)
def test_what_passes(case: type[Any], name: str) -> None:
    result, said = run(case, name)
    assert (result.testsRun, result.wasSuccessful()) == (1, True), said


def test_twice_the_same_case() -> None:
    case = Cases("passes")
    for _ in range(2):
        result = unittest.TestResult()
        case.run(result)
        assert result.wasSuccessful()


def test_a_failure_has_the_exchange() -> None:
    result, said = run(Cases, "fails")
    assert len(result.failures) == 1
    assert "AssertionError: 1 != 2\n--- netlink-emu: Linux 6.1\n" in said
    assert "TASKSTATS_CMD_ATTR_PID 4242" in said


@pytest.mark.parametrize("case", [Cases, Async])
def test_a_test_that_asks_nobody(case: type[Any]) -> None:
    result, said = run(case, "asks_nobody")
    assert len(result.failures) == 1
    assert "NotUsed: no client talked to the emulated kernel" in said


def test_a_skipped_one() -> None:
    result, _ = run(Cases, "skips")
    assert [reason for _, reason in result.skipped] == ["not today"]


@needs_interposer
class TestHere:
    def test_it_runs_in_its_kernel(self) -> None:
        result, said = run(Here, "passes")
        assert result.wasSuccessful(), said

    def test_and_has_to_ask_it(self) -> None:
        result, said = run(Here, "asks_nobody")
        assert len(result.failures) == 1, said
