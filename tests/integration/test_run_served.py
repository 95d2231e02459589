"""``netlink-emu run --socket``: others reach the kernel of a command."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.nets import SECONDS

from netlink_emu.protocol.reading.decode import Message
from netlink_emu.testing.errors import ControlError
from netlink_emu.testing.remote.kernel import Remote

pytestmark = needs_interposer

# Listens to exits on CPU 0, and prints the pid of the first that ends.
LISTENER = """
import socket, struct
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
sock.send(struct.pack("=IHHIIBBHHH", 26, 31, 5, 1, 0, 1, 1, 0, 6, 3) + b"0\\0\\0\\0")
sock.recv(65536)
(pid,) = struct.unpack_from("=I", sock.recv(65536), 28)
print("ended", pid, flush=True)
"""


@contextmanager
def running(path: Path, *args: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*NETLINK_EMU, "run", "--control", "--tasks", "none", "--socket", str(path), *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def connected(path: Path) -> Remote:
    """A connection, as soon as there is somebody."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return Remote(path)
        except ControlError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def value(message: Message | None, name: str) -> object:
    assert message is not None
    found = message.find(name)
    assert found is not None
    return found.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "private" / "nl"


def test_what_others_do_reaches_the_command(path: Path) -> None:
    with running(path, "--", sys.executable, "-c", LISTENER) as process:
        with connected(path) as remote:
            assert value(remote.wait({"cpu": 0}), "NLEMU_A_WATCH_PORTID")
            remote.do("task-new", {"comm": "nginx", "pid": 4242, "cpu": 0})
            remote.do("task-end", {"pid": 4242})
            assert process.stdout is not None
            assert process.stdout.readline() == "ended 4242\n"
        assert process.wait(SECONDS) == 0
    assert not path.exists()


def test_a_command_that_asks_nothing_is_served_too(path: Path) -> None:
    with running(path, "--", "sleep", "1000") as process:
        with connected(path) as remote:
            assert value(remote.do("watch-get"), "NLEMU_A_WATCH_SOCKETS") == 0
        process.terminate()
        process.wait(SECONDS)
    assert not path.exists()


def test_without_stay_the_kernel_ends_with_the_command(path: Path) -> None:
    with running(path, "--", "sh", "-c", "exit 5") as process:
        assert process.wait(SECONDS) == 5
    assert not path.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_kernel_that_stays_ends_by_a_signal(path: Path, number: signal.Signals) -> None:
    with running(path, "--stay", "--", "sh", "-c", "exit 5") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == (
            "netlink-emu: the command has ended with status 5; its kernel stays\n"
        )
        with connected(path) as remote:
            remote.do("task-new", {"comm": "nginx"})
        process.send_signal(number)
        assert process.wait(SECONDS) == 5
    assert not path.exists()


def test_a_command_that_a_signal_has_ended_leaves_no_kernel(path: Path) -> None:
    program = "print('ready', flush=True); import time; time.sleep(1000)"
    with running(path, "--stay", "--", sys.executable, "-c", program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(SECONDS) == -signal.SIGTERM
    assert not path.exists()


def test_a_place_that_cannot_be_served_at_starts_no_command(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [*NETLINK_EMU, "run", "--socket", str(tmp_path / "nl"), "--", "touch", tmp_path / "ran"],
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 1
    assert "is open to others" in done.stderr
    assert not (tmp_path / "ran").exists()
