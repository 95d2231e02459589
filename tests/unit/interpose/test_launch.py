"""Finding a command and starting it under a filter, on the real machine."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from netlink_emu.host.proc import parse_status
from netlink_emu.interpose.abi import native
from netlink_emu.interpose.errors import SpawnError
from netlink_emu.interpose.filter.bpf_filter import build_filter
from netlink_emu.interpose.launch import (
    NOT_EXECUTABLE,
    NOT_FOUND,
    find_program,
    launch,
    spawn_command,
)

PROGRAM = build_filter(native(), high=512)


def executable(path: Path, text: str = "#!/bin/sh\nexit 7\n", mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def field(name: str) -> str:
    lines = Path("/proc/thread-self/status").read_text().splitlines()
    return next(line.split(":\t")[1] for line in lines if line.startswith(f"{name}:"))


# --- which program


def test_path_is_searched_in_order(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "tool").mkdir()  # a directory is no program
    executable(tmp_path / "two" / "tool")
    env = {"PATH": f"{tmp_path}/absent:{tmp_path}/one:{tmp_path}/two"}
    assert find_program("tool", env) == f"{tmp_path}/two/tool"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_directories_that_may_not_be_searched_are_passed_over(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    env = {"PATH": f"{hidden}:/bin"}
    os.seteuid(65534)
    try:
        assert find_program("sh", env) == "/bin/sh"
    finally:
        os.seteuid(0)


def test_a_name_with_a_slash_is_a_path() -> None:
    assert find_program("./tool", {"PATH": ""}) == "./tool"


def test_not_found_and_not_executable_differ(tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path)}
    with pytest.raises(SpawnError, match="tool: command not found") as caught:
        find_program("tool", env)
    assert caught.value.status == NOT_FOUND
    executable(tmp_path / "tool", mode=0o644)
    with pytest.raises(SpawnError, match="tool: permission denied") as caught:
        find_program("tool", env)
    assert caught.value.status == NOT_EXECUTABLE


@pytest.mark.parametrize(
    ("command", "message", "code"),
    [
        pytest.param("/nowhere/tool", "no such file or directory", NOT_FOUND, id="absent"),
        pytest.param("/etc/passwd", "permission denied", NOT_EXECUTABLE, id="no permission"),
        pytest.param("/", "permission denied", NOT_EXECUTABLE, id="directory"),
    ],
)
def test_why_a_path_cannot_be_run(command: str, message: str, code: int) -> None:
    with pytest.raises(SpawnError, match=f"^{command}: {message}$") as caught:
        spawn_command([command])
    assert caught.value.status == code


def test_a_script_without_interpreter_is_given_to_sh(tmp_path: Path) -> None:
    script = executable(tmp_path / "script", 'exit "$1"\n')
    assert exit_code(spawn_command([str(script), "9"])) == 9


def test_signals_are_as_a_shell_leaves_them(tmp_path: Path) -> None:
    """Python ignores SIGPIPE; what we block is not blocked in the command."""
    out = tmp_path / "out"
    # Not a script: dash unblocks all signals when it starts.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        pid = spawn_command(["cp", "/proc/self/status", str(out)], blocked={signal.SIGUSR2})
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    assert exit_code(pid) == 0
    status = parse_status(out.read_text())
    assert status.blocked == 1 << signal.SIGUSR2 - 1
    assert status.ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0


# --- the launcher thread


def test_only_the_launched_is_filtered() -> None:
    launched = launch(PROGRAM, lambda: field("Seccomp"))
    assert launched.value == "2"
    assert field("Seccomp") == "0"
    assert field("NoNewPrivs") == "0"
    launched.listener.close()


def test_what_start_raises_is_raised_here() -> None:
    def fail() -> None:
        raise KeyError("start")

    with pytest.raises(KeyError, match="start"):
        launch(PROGRAM, fail)


def test_calls_of_the_launcher_on_high_descriptors_do_not_hang() -> None:
    """A supervisor with many descriptors: what the launcher itself does is let pass."""
    read_end, write_end = os.pipe()
    high = 700
    os.dup2(write_end, high)
    try:
        launched = launch(PROGRAM, lambda: os.write(high, b"through"))
        assert launched.value == 7
        assert os.read(read_end, 100) == b"through"
        assert launched.pending == []
        launched.listener.close()
    finally:
        for fd in (read_end, write_end, high):
            os.close(fd)


def test_the_listener_is_not_inherited() -> None:
    launched = launch(PROGRAM, lambda: None)
    assert not os.get_inheritable(launched.listener.fileno())
    launched.listener.close()
