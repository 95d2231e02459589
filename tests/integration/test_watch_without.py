"""``netlink-emu watch`` without a terminal, a server, or control."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.nets import SECONDS
from helpers.terminal import Terminal
from helpers.tmux import needs_tmux
from helpers.watched import WATCH, Open, ended, kernel, terminal, with_term

from netlink_emu.testing import EmulatedKernel

__all__ = ["kernel", "terminal"]

NO_KERNEL = (
    "no emulated kernel that was started with --control answers here: name a server's socket "
    "(--socket PATH), or run this under netlink-emu run --control, or give watch a command: "
    "netlink-emu watch -- COMMAND"
)


class TestNoTerminal:
    @pytest.mark.parametrize("ignored", [False, True])
    def test_a_terminal_that_goes_away(self, kernel: EmulatedKernel, ignored: bool) -> None:
        """As ssh's, when the line breaks; under nohup no SIGHUP tells of it."""
        nohup = "trap '' HUP; " if ignored else ""
        shown = Terminal("sh", "-c", f"{nohup}exec {WATCH} {kernel.path}", env=with_term())
        try:
            shown.expect("Messages")
            os.close(shown.master)
            assert shown.process.wait(SECONDS) == (0 if ignored else 129)
        finally:
            shown.process.kill()
            shown.process.wait()

    def test_the_journal_follows(self, kernel: EmulatedKernel) -> None:
        with subprocess.Popen(
            [*NETLINK_EMU, "watch", str(kernel.path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stderr.readline() == (
                "netlink-emu: standard input is no terminal, so the journal follows, as of "
                "netlink-emu journal follow\n"
            )
            kernel.journal.note("hello \x1b[31m")
            assert process.stdout.readline().endswith("hello \\x1b[31m\n")
            kernel.close()
            assert process.wait(SECONDS) in (0, 1)

    @needs_interposer
    def test_quiet_says_nothing_of_it(self) -> None:
        done = subprocess.run(
            [*NETLINK_EMU, "watch", "-q", "--tasks", "none", "--", "true"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=SECONDS,
        )  # fmt: skip
        assert (done.stdout, done.stderr) == ("", "")

    @needs_tmux
    @pytest.mark.parametrize("term", ["dumb", "nosuch"])
    def test_a_terminal_that_can_do_nothing(
        self, kernel: EmulatedKernel, terminal: Open, term: str
    ) -> None:
        shown = terminal()
        shown.run(f"TERM={term} {WATCH} {kernel.path}")
        shown.until(f"TERM is '{term}', which")
        kernel.journal.note("hello")
        shown.until("hello")

    @needs_tmux
    def test_no_server(self, terminal: Open) -> None:
        shown = terminal()
        shown.run(f"{WATCH} /nosuch/nl; echo status:$?:")
        status, screen = ended(shown)
        assert status == 1
        assert "netlink-emu: no server at /nosuch/nl: No such file or directory" in screen

    @needs_tmux
    def test_a_server_that_does_not_answer(self, terminal: Open, tmp_path: Path) -> None:
        private = tmp_path / "private"
        private.mkdir(0o700)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nobody:
            nobody.bind(str(private / "nl"))
            shown = terminal(200, 24)
            shown.run(f"{WATCH} {private / 'nl'}; echo status:$?:")
            shown.until("does not answer; waiting for it, until Ctrl-C")
            shown.keys("C-c")
            assert ended(shown)[0] == 130

    @needs_tmux
    def test_a_kernel_that_is_not_controlled(self, terminal: Open) -> None:
        with EmulatedKernel("6.18", arch="x86_64") as kernel:
            shown = terminal(200, 24)
            shown.run(f"{WATCH} {kernel.path}; echo status:$?:")
            status, screen = ended(shown)
        assert status == 1
        assert "was not started with --control" in screen

    @needs_tmux
    def test_no_kernel_is_named(self, terminal: Open) -> None:
        shown = terminal(300, 24)
        shown.run(f"env -u NETLINK_EMU_SOCKET {WATCH}; echo status:$?:")
        status, screen = ended(shown)
        assert status == 1
        assert NO_KERNEL in screen

    def test_no_kernel_is_named_and_there_is_no_terminal(self) -> None:
        args = ["env", "-u", "NETLINK_EMU_SOCKET", *NETLINK_EMU, "watch"]
        done = subprocess.run(args, capture_output=True, text=True, timeout=SECONDS)
        assert (done.returncode, done.stdout, done.stderr) == (
            1,
            "",
            f"netlink-emu: {NO_KERNEL}\n",
        )
