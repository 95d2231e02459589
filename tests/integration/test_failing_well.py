"""What only a process can show: outputs that fail, locales, and mistakes of our own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer, netlink_emu
from helpers.nets import SECONDS

DECODE: Final = ("decode", "1c0000001f00010001000000000000000101000008000100c8000000")


def shell(script: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a script of bash, in which ``"$@"`` is netlink-emu."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        ["bash", "-o", "pipefail", "-c", script, "bash", *NETLINK_EMU],
        **{"capture_output": True, "text": True, "timeout": SECONDS, "check": False} | options,
    )


# --- outputs


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_is_no_mistake(unbuffered: str) -> None:
    """As head(1) does; an empty variable is none to Python."""
    reader, writer = os.pipe()
    os.close(reader)
    env = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = netlink_emu(
        "conformance", "--list", capture_output=False, stdout=writer, stderr=subprocess.PIPE,
        env=env,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("output", "why"),
    [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")],
)
@pytest.mark.parametrize("args", [DECODE, ("--version",), ("run", "--help")], ids=" ".join)
def test_an_output_that_cannot_be_written(args: tuple[str, ...], output: str, why: str) -> None:
    done = shell(f'"$@" {" ".join(args)} {output}')
    assert done.returncode == 1
    assert done.stderr == f"netlink-emu: standard output cannot be written: {why}\n"


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
def test_nobody_to_complain_to(stderr: str) -> None:
    done = shell(f'"$@" decode nosuch {stderr}')
    assert (done.returncode, done.stdout) == (1, "")


@needs_interposer
def test_a_command_may_have_no_descriptors_at_all() -> None:
    done = shell('"$@" run -- sh -c "exit 3" <&- >&- 2>&-')
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    assert shell('"$@" run -- no-such-command 2>/dev/full').returncode == 127


@pytest.mark.parametrize("variables", [{}, {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}])
def test_names_that_the_locale_has_no_letters_for(
    variables: dict[str, str], tmp_path: Path
) -> None:
    name = os.fsdecode(b"n\xc3\xa9\xff.toml")
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C"} | variables
    done = netlink_emu("run", "--scenario", name, "true", env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("netlink-emu: the scenario n")
    assert done.stderr.endswith("\\udcff.toml cannot be read: No such file or directory\n")


# --- mistakes of our own

BROKEN_SUPERVISOR: Final = """
from netlink_emu.interpose.syscalls.dispatch import Dispatcher
def broken(self, trap):
    raise KeyError("injected")
assert Dispatcher._find
Dispatcher._find = broken
from netlink_emu.cli.main import main
main()
"""
BROKEN_END: Final = """
from netlink_emu.journal.writers import TextWriter
def broken(self):
    raise KeyError("injected")
TextWriter.footer = broken
from netlink_emu.cli.main import main
main()
"""
# Asks the kernel, says what came of it, and ends with 3.
ASKS: Final = """
import socket
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
try:
    s.send(bytes(16))
    print("sent")
except OSError as exc:
    print(exc.strerror)
raise SystemExit(3)
"""


def broken(program: str, *args: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-c", program, *args],
        **{"capture_output": True, "text": True, "timeout": SECONDS, "check": False} | options,
    )


def is_a_report(err: str) -> bool:
    return (
        "Traceback (most recent call last)" in err
        and "KeyError: 'injected'" in err
        and "\nnetlink-emu 0" in err
        and "\nemulated kernel: Linux 5.10, " in err
        and "please report it, with all of the text above, to the project's issue tracker" in err
    )


@needs_interposer
def test_a_mistake_of_ours_while_the_command_runs() -> None:
    """The user learns it, the client gets an errno, and how it ended is told."""
    args = ("run", "--release", "5.10", "--", sys.executable, "-c", ASKS, "--password", "secret")
    done = broken(BROKEN_SUPERVISOR, *args)
    assert (done.returncode, done.stdout) == (70, "Function not implemented\n")
    assert is_a_report(done.stderr), done.stderr
    assert done.stderr.endswith("netlink-emu: the command ended then, with status 3\n")
    assert f"command line: netlink-emu run --release 5.10 -- {sys.executable} ...\n" in done.stderr
    assert "secret" not in done.stderr


# The command ends with 3; a daemon of its own asks when that is so.
DAEMON_ASKS: Final = """
import os, socket, sys
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
hold, release = os.pipe()
if os.fork() == 0:
    os.setsid()
    os.close(release)
    os.read(hold, 1)
    sys.stdin.read()
    try:
        s.send(bytes(16))
    except OSError:
        pass
    os._exit(0)
os._exit(3)
"""


@needs_interposer
def test_a_mistake_of_ours_when_the_command_has_ended() -> None:
    args = ("run", "--release", "5.10", "--", sys.executable, "-c", DAEMON_ASKS)
    done = broken(BROKEN_SUPERVISOR, *args, input="")
    assert done.returncode == 3
    assert is_a_report(done.stderr), done.stderr


@needs_interposer
def test_a_mistake_of_ours_at_the_very_end(tmp_path: Path) -> None:
    args = ("run", "--release", "5.10", "--journal", str(tmp_path / "j.txt"), "--")
    done = broken(BROKEN_END, *args, "sh", "-c", "exit 3")
    assert done.returncode == 3
    assert is_a_report(done.stderr), done.stderr


@needs_interposer
def test_a_scenario_that_cannot_go_on_under_a_command(tmp_path: Path) -> None:
    scenario = tmp_path / "s.toml"
    scenario.write_text(
        '[[task]]\ncomm = "a"\npid = 9\n[[task]]\ncomm = "b"\npid = 9\nstart = 2\n'
    )
    client = (
        "import socket, time\n"
        "try:\n"  # it may begin after the scenario's end
        "    s = socket.socket(16, 3, 16)\n"
        "    while s.getsockname():\n"
        "        time.sleep(0.02)\n"
        "except OSError:\n"
        "    exit(4)\n"
    )
    options = ("--tasks", "none", "--scenario", str(scenario), "--start", "boot")
    done = netlink_emu("run", *options, "--", sys.executable, "-c", client)
    assert done.returncode == 1
    said, then = done.stderr.splitlines()
    assert said.startswith(f"netlink-emu: {scenario}:4:1: task[1]: pid 9 is taken by ")
    assert then == "netlink-emu: the command ended then, with status 4"
