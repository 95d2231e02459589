"""``netlink-emu serve`` for scripts: with a command beside it, and telling when it is up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.nets import SECONDS
from helpers.serving import Client, register

NETLINK_EMU = [sys.executable, "-m", "netlink_emu.cli.main"]
TESTS = str(Path(__file__).parents[1])
# Registers, prints how many answers came, and ends with 7.
CLIENT = f"""
import os, pathlib, sys
sys.path.insert(0, {TESTS!r})
from helpers.serving import Client, register
with Client(pathlib.Path(os.environ["NETLINK_EMU_SOCKET"]), "", connect=True) as client:
    print(len(client.ask(register("0"))))
sys.exit(7)
"""


def serve(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*NETLINK_EMU, "serve", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


class TestCommand:
    def test_it_asks_the_kernel_and_its_status_is_ours(self) -> None:
        done = serve("--release", "6.1", "--", sys.executable, "-c", CLIENT)
        assert (done.returncode, done.stdout, done.stderr) == (7, "1\n", "")

    def test_its_socket_is_private_and_gone_afterwards(self) -> None:
        code = (
            "import os, pathlib; p = pathlib.Path(os.environ['NETLINK_EMU_SOCKET']); "
            "print(p, oct(p.parent.stat().st_mode & 0o777))"
        )
        path, mode = serve("--", sys.executable, "-c", code).stdout.split()
        assert mode == "0o700"
        assert not Path(path).parent.exists()

    def test_a_path_of_ones_own(self, tmp_path: Path) -> None:
        path = tmp_path / "run" / "nl"
        done = serve("--socket", path, "--", "sh", "-c", 'echo "$NETLINK_EMU_SOCKET"')
        assert (done.returncode, done.stdout) == (0, f"{path}\n")
        assert not path.exists()

    def test_ended_by_a_signal(self) -> None:
        assert serve("--", "sh", "-c", "kill -SEGV $$").returncode == 128 + signal.SIGSEGV

    @pytest.mark.parametrize(("name", "status"), [("/no/such/program", 127), ("/etc", 126)])
    def test_one_that_does_not_start(self, name: str, status: int) -> None:
        done = serve("--", name)
        assert (done.returncode, done.stdout) == (status, "")
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith(f"netlink-emu: {name}: ")

    def test_a_signal_ends_both(self, tmp_path: Path) -> None:
        script = f"trap 'echo ended >{tmp_path}/out; exit 3' TERM; kill -TERM $PPID; " \
                 "while :; do sleep 0.05; done"  # fmt: skip
        done = serve("--", "sh", "-c", script)
        assert done.returncode == 128 + signal.SIGTERM
        assert (tmp_path / "out").read_text() == "ended\n"


class TestReady:
    def test_a_descriptor_is_told_and_closed(self, tmp_path: Path) -> None:
        path = tmp_path / "run" / "nl"
        ours, theirs = os.pipe()
        command = [*NETLINK_EMU, "serve", "--socket", str(path), "--ready-fd", str(theirs)]
        with subprocess.Popen(command, pass_fds=[theirs], stderr=subprocess.DEVNULL) as process:
            os.close(theirs)
            with os.fdopen(ours) as ready:
                assert ready.read() == f"{path}\n"  # to its end
            with Client(path, "", connect=True) as client:
                assert client.ask(register("0"))
            process.terminate()

    def test_a_descriptor_that_is_not_open(self, tmp_path: Path) -> None:
        done = serve("--socket", tmp_path / "run" / "nl", "--ready-fd", "77")
        assert done.returncode == 1
        assert (
            done.stderr
            == "netlink-emu: --ready-fd 77: Bad file descriptor; open it, as by 77>file\n"
        )

    def test_waiting_for_another(self, tmp_path: Path) -> None:
        path = tmp_path / "run" / "nl"
        waits = subprocess.Popen(
            [*NETLINK_EMU, "serve", "--socket", str(path), "--wait", str(SECONDS)]
        )
        command = [*NETLINK_EMU, "serve", "--socket", str(path)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
            try:
                assert waits.wait(SECONDS) == 0
                assert serve("--socket", path, "--wait", "0").returncode == 0
            finally:
                server.terminate()

    def test_waiting_in_vain(self, tmp_path: Path) -> None:
        done = serve("--socket", tmp_path / "nl", "--wait", "0.01")
        assert (done.returncode, done.stdout) == (1, "")
        said = f"nobody serves at {tmp_path}/nl after 0.01 s: No such file or directory"
        assert done.stderr == f"netlink-emu: {said}\n"

    @pytest.mark.parametrize("options", [[], ["--wait", "1"], ["--wait", "1", "true"]])
    def test_without_a_path(self, options: list[str]) -> None:
        done = serve(*options)
        assert done.returncode == 2
        assert "--socket" in done.stderr
