"""``netlink-emu watch`` in a real terminal, with real keys."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.messages import get, receive
from helpers.tmux import PROMPT, needs_tmux
from helpers.watched import WATCH, Open, ended, kernel, modes, terminal, watch

from netlink_emu.testing import EmulatedKernel

__all__ = ["kernel", "terminal", "watch"]


@needs_tmux
class TestScreen:
    @pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50)])
    def test_all_is_in_sight(self, watch: Open, width: int, height: int) -> None:
        shown = watch(width, height)
        for told in ("Sockets 1", r"CPU 0-2 .*\d+ ", "nginx", "NLMSG_ERROR ESRCH", "Lost 0"):
            shown.until(told)
        lines = shown.lines()
        assert lines[0].startswith("netlink-emu /")
        assert lines[height - 1].startswith("q quit")
        assert max(map(len, lines)) <= width

    def test_another_size(self, watch: Open) -> None:
        shown = watch(80, 24)
        shown.resize(200, 50)
        shown.until("│")
        shown.resize(80, 24)
        shown.until(r"(?s)\A[^│]*q quit[^│]*\Z")

    def test_another_size_where_readline_is_imported(
        self, kernel: EmulatedKernel, terminal: Open
    ) -> None:
        """It takes SIGWINCH, and sets LINES and COLUMNS; pdb imports it since Python 3.13."""
        shown = terminal(80, 24)
        program = "import readline; from netlink_emu.cli.main import main; main()"
        shown.run(f"{sys.executable} -c '{program}' watch {kernel.path}")
        shown.until("Messages")
        shown.resize(200, 50)
        shown.until("│")

    def test_an_escape_in_a_name_is_none_for_the_terminal(
        self, kernel: EmulatedKernel, watch: Open
    ) -> None:
        kernel.tasks.spawn("\x1b[31mred", pid=5000)
        kernel.journal.note("\x1b]0;title\x07 \x1b[35mviolet")
        shown = watch(200, 50)
        shown.until(re.escape(r"\x1b[31mred"))
        shown.until(re.escape(r"\x1b]0;title\x07 \x1b[35mviolet"))
        assert not re.search(r"\x1b\[[0-9;]*3[15]m", shown.screen(colours=True))

    def test_without_colours_and_with_an_old_locale(self, watch: Open) -> None:
        shown = watch(80, 24, NO_COLOR="1", LC_ALL="POSIX", PYTHONCOERCECLOCALE="0")
        shown.until("Sockets 1")
        shown.until("q quit")

    def test_help_and_details(self, watch: Open) -> None:
        shown = watch()
        shown.keys("?")
        shown.until("Ctrl-Z and fg work")
        shown.keys("Escape")
        shown.until("Messages")
        shown.until("NLMSG_ERROR ESRCH")
        shown.keys("Up", "Enter")
        shown.until("TASKSTATS_CMD_ATTR_PID 99")


@needs_tmux
class TestKeys:
    def test_an_exit_is_injected_and_seen(self, kernel: EmulatedKernel, watch: Open) -> None:
        shown = watch()
        shown.until("nginx")  # keys choose among what is there
        shown.keys("3", "End", "e")
        shown.until("command: tasks exit 4201 --code 0")
        shown.keys("BSpace", "7", "Enter")
        shown.until("tasks exit 4201 --code 7: done")
        shown.until("task 4201 'nginx' ended on CPU 3, code 7")
        shown.until("Tasks 1")
        assert [task.pid for task in kernel.tasks] == [1]

    def test_a_fault_is_injected_and_seen(self, kernel: EmulatedKernel, watch: Open) -> None:
        shown = watch()
        shown.keys("f", "C-u")
        shown.type("faults add errno error=EPERM cmd=TASKSTATS_CMD_GET")
        shown.keys("Enter")
        shown.until(r"rule 1 .*applied 0")
        sock = kernel.connect()
        sock.send(get(1))
        receive(sock)
        shown.until("FAULT errno")
        shown.until("EPERM")
        shown.keys("c", "Enter")
        shown.until(r"Lost 0 ─")
        assert not kernel.faults.rules

    def test_a_mistake_is_told_of(self, watch: Open) -> None:
        shown = watch()
        shown.keys(":")
        shown.type("tasks exit 12345")
        shown.keys("Enter")
        shown.until("tasks exit 12345: there is no task 12345")

    def test_a_filter(self, kernel: EmulatedKernel, watch: Open) -> None:
        kernel.tasks.spawn("apache", pid=4300)
        shown = watch()
        shown.until("apache")
        shown.keys("/")
        shown.type("nginx")
        shown.keys("Enter")
        shown.until(r"(?s)\A(?!.*apache).*nginx.*q quit")
        shown.keys("Escape")
        shown.until("apache")

    def test_criteria_of_messages(self, watch: Open) -> None:
        shown = watch()
        shown.keys("/")
        shown.type("errno=ESRCH")
        shown.keys("Enter")
        shown.until(r"(?s)\A(?!.*registered as a listener).*ESRCH.*q quit")

    def test_a_pause(self, kernel: EmulatedKernel, watch: Open) -> None:
        shown = watch()
        shown.keys("p")
        shown.until("PAUSED")
        kernel.journal.note("while it was paused")
        shown.keys("5", "4")
        assert "while it was paused" not in shown.until("PAUSED")
        shown.keys("p")
        assert "PAUSED" not in shown.until("while it was paused")

    def test_keys_are_taken_while_more_happens_than_can_be_shown(
        self, kernel: EmulatedKernel, watch: Open
    ) -> None:
        for _ in range(2000):
            kernel.tasks.spawn("worker")
        over = threading.Event()

        def storm() -> None:
            while not over.is_set():
                kernel.tasks.storm(500, comm="stormy")

        with ThreadPoolExecutor(1) as executor:
            stormy = executor.submit(storm)
            try:
                shown = watch(200, 50)
                shown.until("[0-9] left out")
                shown.until("Tasks 2,0")
                shown.keys("/")
                shown.type("nginx")
                shown.keys("Enter", "3", "Home")
                shown.until("^ *4201 ")
                shown.keys("e")
                shown.until("command: tasks exit 4201 --code 0")
                shown.keys("Enter")
                shown.until("tasks exit 4201 --code 0: done")
            finally:
                over.set()
            stormy.result()
        assert 4201 not in [task.pid for task in kernel.tasks]


@needs_tmux
class TestEnd:
    def test_the_terminal_is_as_before_when_one_quits(
        self, kernel: EmulatedKernel, terminal: Open
    ) -> None:
        shown = terminal()
        before = modes(shown)
        shown.run("echo what was there before")
        shown.run(f"{WATCH} {kernel.path}; echo status:$?:")
        shown.until("Messages")
        shown.keys("q")
        status, screen = ended(shown)
        assert status == 0
        assert "what was there before" in screen
        assert "Messages" not in screen
        assert modes(shown) == before

    @pytest.mark.parametrize(
        ("number", "status"),
        [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130), ("SIGQUIT", 131)],
    )
    def test_the_terminal_is_as_before_after_a_signal(
        self, kernel: EmulatedKernel, terminal: Open, number: str, status: int
    ) -> None:
        shown = terminal()
        before = modes(shown)
        shown.run(f"{WATCH} {kernel.path} & echo pid:$!:; fg")
        shown.until("Messages")
        shown.keys("C-z")
        screen = shown.until(r"^pid:\d+:")
        found = re.search(r"^pid:(\d+):", screen, re.MULTILINE)
        assert found is not None
        shown.run("fg; echo status:$?:")
        shown.until("Messages")
        os.kill(int(found[1]), signal.Signals[number])
        assert ended(shown)[0] == status
        assert modes(shown) == before

    @pytest.mark.parametrize(("key", "status"), [("C-c", 130), ("C-\\", 131)])
    def test_keys_that_are_signals(self, watch: Open, key: str, status: int) -> None:
        shown = watch()
        shown.keys(key)
        assert ended(shown)[0] == status

    def test_a_stop_gives_the_terminal_back_until_fg(self, watch: Open) -> None:
        shown = watch()
        shown.keys("C-z")
        screen = shown.until("Stopped")
        assert "Messages" not in screen
        shown.until(re.escape(PROMPT.strip()))
        shown.run("stty -a")
        shown.until(r"[^-]icanon.* [^-]?echo")
        shown.run("fg")
        shown.until("Messages")
        shown.keys("?")
        shown.until("Ctrl-Z and fg work")

    def test_a_bug_of_ours_is_shown_on_a_whole_terminal(
        self, kernel: EmulatedKernel, terminal: Open, tmp_path: Path
    ) -> None:
        program = tmp_path / "broken.py"
        program.write_text(
            "import netlink_emu.cli.watching.show as show\n"
            "from netlink_emu.cli.main import main\n"
            "made = show.compose\n"
            "def compose(view, *size):\n"
            "    if view.zoomed: 1 / 0\n"
            "    return made(view, *size)\n"
            "show.compose = compose\n"
            "main()\n"
        )
        shown = terminal(120, 40)
        before = modes(shown)
        shown.run(f"{sys.executable} {program} watch {kernel.path}; echo status:$?:")
        shown.until("Messages")
        shown.keys("z")
        status, screen = ended(shown)
        assert status == 70
        assert "ZeroDivisionError" in screen
        assert modes(shown) == before

    def test_of_a_kernel_that_ends_the_last_stays_until_one_quits(
        self, kernel: EmulatedKernel, watch: Open
    ) -> None:
        shown = watch()
        shown.until("nginx")
        kernel.close()
        screen = shown.until("; q quits")
        assert "nginx" in screen
        assert "ENDED" in screen
        shown.keys("q")
        status, screen = ended(shown)
        assert status == 1
        assert re.search(r"^netlink-emu: the kernel at /\S* has ended", screen, re.MULTILINE)
