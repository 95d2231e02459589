"""``netlink-emu watch`` in a real terminal, with real keys."""

from __future__ import annotations

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.messages import get, receive, register
from helpers.nets import SECONDS
from helpers.terminal import Terminal
from helpers.tmux import PROMPT, Tmux, needs_tmux

from netlink_emu.testing import EmulatedKernel

WATCH = " ".join([*NETLINK_EMU, "watch"])
NUMBERS = itertools.count()
# What the client of a command prints.
PRINTED = b"\x1b[31masked\x1b[0m \x1b]0;title\x07\nover\n"
NO_KERNEL = (
    "no emulated kernel that was started with --control answers here: name a server's socket "
    "(--socket PATH), or run this under netlink-emu run --control, or give watch a command: "
    "netlink-emu watch -- COMMAND"
)
Open = Callable[..., Tmux]


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", cpus=4, control=True) as kernel:
        kernel.tasks.spawn("nginx", pid=4201, cpu=3)
        sock = kernel.connect()
        sock.send(register("0-2"))
        receive(sock)
        sock.send(get(99))
        receive(sock)
        yield kernel


@pytest.fixture
def terminal() -> Iterator[Open]:
    with ExitStack() as stack:

        def open_one(width: int = 80, height: int = 24, **env: str) -> Tmux:
            variables = {"LANG": "C.UTF-8", "PYTHONPATH": os.pathsep.join(sys.path), **env}
            return stack.enter_context(Tmux(width, height, variables))

        yield open_one


@pytest.fixture
def watch(kernel: EmulatedKernel, terminal: Open) -> Open:
    """Watches the kernel; the shell then says how that ended."""

    def start(*args: int, **env: str) -> Tmux:
        shown = terminal(*args, **env)
        shown.run(f"{WATCH} {kernel.path}; echo status:$?:")
        shown.until("Messages")
        return shown

    return start


def ended(shown: Tmux) -> tuple[int, str]:
    """The status, when the view is left, and the screen then."""
    screen = shown.until(r"status:\d+:")
    found = re.search(r"status:(\d+):", screen)
    assert found is not None
    return int(found[1]), screen


def modes(shown: Tmux) -> str:
    """The modes of the terminal, as stty has them in one word."""
    tag = f"modes{next(NUMBERS)}"  # not those of an earlier call, which may be in sight
    shown.run(f"echo {tag}:$(stty -g):")
    found = re.search(rf"^{tag}:(\S+):", shown.until(rf"^{tag}:\S+:"), re.MULTILINE)
    assert found is not None
    return found[1]


def with_term() -> dict[str, str]:
    return {**os.environ, "TERM": "xterm", "LANG": "C.UTF-8"}


def until_gone(pid: int) -> None:
    deadline = time.monotonic() + SECONDS
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
