"""``netlink-emu run`` and signals, terminals, daemons, and its own violent end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.nets import SECONDS
from helpers.terminal import Terminal

pytestmark = needs_interposer

# Counts signals until SIGTERM, then says how many of each.
COUNTER = """
import signal
caught = {signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, caught)
seen = {}
print("ready", flush=True)
while signal.SIGTERM not in seen:
    number = signal.sigwait(caught)
    seen[number] = seen.get(number, 0) + 1
    print(*(f"{signal.Signals(n).name} {seen[n]}" for n in sorted(seen)), flush=True)
"""


def start(*command: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [*NETLINK_EMU, "run", "--", *command],
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


@contextmanager
def running(*command: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    process = start(*command, **options)
    assert process.stdout is not None
    with process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# --- signals from others


def test_signals_sent_to_us_are_handed_on() -> None:
    with running(sys.executable, "-c", COUNTER) as process:
        assert line(process) == "ready"
        for number, said in (
            (signal.SIGUSR1, "SIGUSR1 1"),
            (signal.SIGHUP, "SIGHUP 1 SIGUSR1 1"),
            (signal.SIGINT, "SIGHUP 1 SIGINT 1 SIGUSR1 1"),
            (signal.SIGTERM, "SIGHUP 1 SIGINT 1 SIGUSR1 1 SIGTERM 1"),
        ):
            process.send_signal(number)
            assert line(process) == said
        assert process.wait(SECONDS) == 0


def test_a_signal_without_handler_ends_both() -> None:
    with running("sh", "-c", "echo ready; exec sleep 100") as process:
        assert line(process) == "ready"
        process.terminate()
        assert process.wait(SECONDS) == -signal.SIGTERM


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    """As under nohup(1)."""

    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with running("sh", "-c", "kill -HUP $$; echo alive", preexec_fn=ignore) as process:
        assert line(process) == "alive"
        assert process.wait(SECONDS) == 0


# --- a terminal


def test_control_c_reaches_the_command_once() -> None:
    terminal = Terminal(*NETLINK_EMU, "run", "--", sys.executable, "-c", COUNTER)
    try:
        terminal.expect("ready")
        terminal.type("\x03")
        terminal.expect(r"SIGINT 1\r\n")
        terminal.type("\x03")
        terminal.expect(r"SIGINT 2\r\n")
        terminal.process.terminate()
        assert terminal.expect(r"SIGINT \d+ SIGTERM 1") == "SIGINT 2 SIGTERM 1"
        assert terminal.process.wait(SECONDS) == 0
    finally:
        terminal.close()


def test_control_c_ends_a_command_that_does_not_mind() -> None:
    terminal = Terminal(*NETLINK_EMU, "run", "--", "sh", "-c", "echo ready; exec sleep 100")
    try:
        terminal.expect("ready")
        terminal.type("\x03")
        assert terminal.process.wait(SECONDS) == -signal.SIGINT
    finally:
        terminal.close()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_shell_can_stop_and_continue_it(tmp_path: Path) -> None:
    env = os.environ | {"PS1": "> ", "HISTFILE": "", "INPUTRC": "/dev/null", "TERM": "dumb"}
    terminal = Terminal("bash", "--norc", "--noprofile", "-i", env=env)
    script = tmp_path / "script"
    # No program between: a shell stopped within vfork() leaves its parent waiting unstopped.
    script.write_text('echo "started" as $$\nread line\necho "read: $line"\n')
    try:
        terminal.expect("> ")
        terminal.type(f"{' '.join(NETLINK_EMU)} run -- sh {script}\n")
        terminal.expect("started as")
        terminal.type("\x1a")
        terminal.expect("Stopped")
        terminal.type("jobs; echo jobs told\n")
        terminal.expect("(?s)Stopped.*jobs told\r\n")
        terminal.type("fg\n")
        terminal.expect("run -- sh")
        terminal.type("typed\n")
        terminal.expect("read: typed")
        terminal.type("echo status $?\n")
        terminal.expect("status 0")
        terminal.type("exit\n")
        assert terminal.process.wait(SECONDS) == 0
    finally:
        terminal.close()


def test_the_terminal_is_the_commands() -> None:
    terminal = Terminal(
        *NETLINK_EMU, "run", "--", "sh", "-c", "test -t 0 && test -t 1 && read x && echo got $x"
    )
    try:
        terminal.type("something\n")
        terminal.expect("got something")
        assert terminal.process.wait(SECONDS) == 0
    finally:
        terminal.close()


# --- daemons

DAEMON = """
import os, socket, struct, sys
def ask(s):
    s.send(struct.pack("=IHHII BBH HHH2x", 28, 16, 1, 1, 0, 3, 1, 0, 6, 1, 16))
    return struct.unpack_from("=H", s.recv(4096), 4)[0]
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
hold, release = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(release)
        os.read(hold, 1)  # until the command itself has ended
        print("daemon", ask(s), flush=True)
        sys.stdin.read()
        print("daemon", ask(s), flush=True)
    os._exit(0)
os.wait()
print("command", ask(s), flush=True)
os._exit(3)
"""


def test_daemons_are_served_on() -> None:
    """The exit status is the command's, but comes when the last client has ended."""
    with running(sys.executable, "-c", DAEMON, stdin=subprocess.PIPE) as process:
        assert line(process) == "command 16"
        assert line(process) == "daemon 16"
        assert process.poll() is None
        assert process.stdin is not None
        process.stdin.close()
        assert line(process) == "daemon 16"
        assert process.wait(SECONDS) == 3


def test_a_signal_ends_us_when_only_daemons_are_left() -> None:
    with running(sys.executable, "-c", DAEMON, stdin=subprocess.PIPE) as process:
        assert line(process) == "command 16"
        assert line(process) == "daemon 16"
        process.terminate()
        assert process.wait(SECONDS) == 3


# --- our own end

ORPHAN = """
import errno, select, socket, threading
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.bind((0, 0))
other = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
third = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
polled = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
found = {}
def wait():
    try:
        other.recvmsg(100)
    except OSError as exc:
        found["waiting"] = errno.errorcode[exc.errno]
def wait_natively():
    try:
        while True:  # ends with end of file, if it waits by now
            assert third.recv(100) == b""
    except OSError as exc:
        found["natively"] = errno.errorcode[exc.errno]
threads = [threading.Thread(target=target) for target in (wait, wait_natively)]
for thread in threads:
    thread.start()
poll = select.poll()
poll.register(polled, select.POLLIN)
print("ready", flush=True)
events = poll.poll()
for thread in threads:
    thread.join()
try:
    s.send(b"x" * 16)
except OSError as exc:
    found["send"] = errno.errorcode[exc.errno]
ended = bool(events[0][1] & select.POLLHUP)
print(found["waiting"], found["natively"], found["send"], ended, flush=True)
"""


def test_if_we_are_killed_clients_get_errors() -> None:
    with running(sys.executable, "-c", ORPHAN) as process:
        assert line(process) == "ready"
        process.kill()
        assert line(process) == "ENOSYS ENOSYS ENOSYS True"
