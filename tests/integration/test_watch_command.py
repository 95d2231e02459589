"""``netlink-emu watch -- COMMAND``: the command beneath the view, and its end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.nets import SECONDS
from helpers.tmux import needs_tmux
from helpers.watched import WATCH, Open, ended, terminal, until_gone

__all__ = ["terminal"]

# What the client of a command prints.
PRINTED = b"\x1b[31masked\x1b[0m \x1b]0;title\x07\nover\n"


@needs_interposer
class TestCommand:
    # Asks for a task, says so, and ends when the file is there.
    CLIENT = (
        "import socket, struct, sys, time, pathlib\n"
        "sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)\n"
        "sock.send(struct.pack('=IHHIIBBHHHI', 28, 31, 1, 7, 0, 1, 1, 0, 8, 1, 4242))\n"
        "sock.recv(65536)\n"
        "print('\\x1b[31masked\\x1b[0m \\x1b]0;title\\x07')\n"
        "while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.02)\n"
        "print('over')\n"
        "sys.exit(7)\n"
    )

    @pytest.fixture
    def client(self, tmp_path: Path) -> str:
        program = tmp_path / "client.py"
        program.write_text(self.CLIENT)
        return f"{sys.executable} {program} {tmp_path / 'end'}"

    @needs_tmux
    def test_a_command_its_output_and_its_end(
        self, client: str, terminal: Open, tmp_path: Path
    ) -> None:
        shown = terminal()
        shown.run(
            f"{WATCH} --tasks none --cpus 2 --output {tmp_path / 'out'} -- {client}; "
            "echo status:$?:"
        )
        # At once, though the program does not flush; without its colour.
        shown.until("^" + re.escape(r"asked \x1b]0;title\x07"))
        shown.until("NLMSG_ERROR ESRCH")
        shown.until("Sockets 1")
        (tmp_path / "end").touch()
        shown.until("^over")
        shown.until("the command has ended with status 7; its kernel stays")
        shown.until("Sockets 0")
        assert "ESRCH" in shown.screen()
        shown.keys("q")
        assert ended(shown)[0] == 7
        assert (tmp_path / "out").read_bytes().startswith(PRINTED)

    @needs_tmux
    def test_the_command_ends_with_the_view(
        self, client: str, terminal: Open, tmp_path: Path
    ) -> None:
        shown = terminal()
        shown.run(f"{WATCH} --tasks none -- {client}; echo status:$?:")
        shown.until("asked")
        shown.keys("q")
        assert ended(shown)[0] == 128 + signal.SIGTERM

    @needs_tmux
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
    def test_nothing_is_left_however_the_view_ends(
        self, client: str, terminal: Open, tmp_path: Path, number: signal.Signals
    ) -> None:
        shown = terminal()
        shown.run(f"{WATCH} --tasks none -- {client} & echo pid:$!:; fg; echo status:$?:")
        shown.until("asked")
        shown.keys("1")
        (comm_and_pid,) = set(re.findall(r"python\S*\[(\d+)\]", shown.until("Sockets 1")))
        shown.keys("C-z")
        found = re.search(r"^pid:(\d+):", shown.until(r"^pid:\d+:"), re.MULTILINE)
        assert found is not None
        os.kill(int(found[1]), number)
        shown.run("fg")  # SIGTERM waits for it to go on
        for process in (int(comm_and_pid), int(found[1])):
            until_gone(process)

    @needs_tmux
    def test_a_command_that_does_not_exist(self, terminal: Open) -> None:
        shown = terminal()
        shown.run(f"{WATCH} -- ./nosuch; echo status:$?:")
        status, screen = ended(shown)
        assert status == 127
        assert "nosuch" in screen

    def test_without_a_terminal_it_runs_with_its_journal(
        self, client: str, tmp_path: Path
    ) -> None:
        (tmp_path / "end").touch()
        done = subprocess.run(
            [*NETLINK_EMU, "watch", "--tasks", "none", "--", *client.split()],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SECONDS,
        )  # fmt: skip
        assert done.returncode == 7
        assert done.stdout.encode() == PRINTED
        first, *journal = done.stderr.splitlines()
        assert first.endswith("standard error, as of netlink-emu run --journal -")
        assert any("TASKSTATS_CMD_ATTR_PID 4242" in line for line in journal)
