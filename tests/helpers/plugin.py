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
