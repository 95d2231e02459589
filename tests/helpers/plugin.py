"""A user's project for the plugin's tests, run in a pytest of its own."""

from __future__ import annotations

import pytest

ASK = """
import struct

def ask(kernel, pid=1):
    sock = kernel.connect()
    sock.settimeout(300)
    attr = struct.pack("=HHI", 8, 1, pid)
    sock.send(struct.pack("=IHHIIBBH", 28, kernel.family_id, 1, 1, 0, 1, 1, 0) + attr)
    return sock.recv(65536)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project that knows nothing of ours but the fixtures."""
    pytester.makeini(
        "[pytest]\naddopts = -p no:cacheprovider\nasyncio_default_fixture_loop_scope = function\n"
    )
    pytester.makepyfile(ask=ASK)
    return pytester


def run(project: pytest.Pytester, *args: str, others: bool = False) -> pytest.RunResult:
    """Run the project's tests with our plugin; loading ``others`` takes a while."""
    if others:
        return project.runpytest_subprocess("-q", *args)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        return project.runpytest_subprocess("-q", "-p", "netlink_emu.testing.plugin", *args)
