"""``netlink-emu run``: how a command is run, and how it ends."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.interposed import NETLINK_EMU, emulated, needs_interposer, netlink_emu
from helpers.nets import until

from netlink_emu.host.families import host_has_family
from netlink_emu.host.proc import host_delayacct

pytestmark = needs_interposer

# A client in a few lines: asks nlctrl for its own family, says its portid and the answer's type.
CLIENT = """
import os, socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.bind((0, 0))
s.send(struct.pack("=IHHII BBH HHH2x", 28, 16, 1, 1, 0, 3, 1, 0, 6, 1, 16))
kind = struct.unpack_from("=H", s.recv(4096), 4)[0]
print("portid", "pid" if s.getsockname()[0] == os.getpid() else s.getsockname()[0], "type", kind)
s.close()
"""
ANSWERED = "portid pid type 16\n"


def python(text: str) -> tuple[str, str, str]:
    return (sys.executable, "-c", text)


# --- how it ends


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_the_exit_status_is_the_commands(code: int) -> None:
    done = emulated("sh", "-c", f"exit {code}")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_that_ended_the_command_ends_us(number: signal.Signals) -> None:
    done = emulated("sh", "-c", f"kill -{number.value} $$")
    assert done.returncode == -number
    assert done.stderr == ""


def test_a_shell_sees_128_and_the_signal() -> None:
    text = f"{' '.join(NETLINK_EMU)} run -- sh -c 'kill -TERM $$'; echo status $?"
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)
    assert done.stdout == "status 143\n"


@pytest.mark.parametrize(
    ("command", "status", "sentence"),
    [
        ("no-such-command", 127, "no-such-command: command not found"),
        ("/no/such/command", 127, "/no/such/command: no such file or directory"),
        ("/etc/passwd", 126, "/etc/passwd: permission denied"),
        ("/tmp", 126, "/tmp: permission denied"),
    ],
)
def test_what_cannot_be_run(command: str, status: int, sentence: str) -> None:
    done = emulated(command)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr == f"netlink-emu: {sentence}\n"


def test_without_a_command() -> None:
    done = netlink_emu("run")
    assert done.returncode == 2
    assert "COMMAND" in done.stderr


def test_an_unknown_release() -> None:
    done = emulated("true", options=["--release", "1.2.3"])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("netlink-emu: ")
    assert "1.2.3" in done.stderr
    assert done.stderr.count("\n") == 1


# --- what it sees


def test_options_after_the_command_are_the_commands() -> None:
    assert netlink_emu("run", "echo", "--summary", "-n").stdout == "--summary -n\n"


def test_input_output_directory_and_environment_are_ours(tmp_path: Path) -> None:
    done = netlink_emu(
        "run", "--", "sh", "-c", "cat; pwd; echo $COLOUR; echo error >&2",
        input="typed\n", cwd=tmp_path, env=os.environ | {"COLOUR": "green"},
    )  # fmt: skip
    assert done.stdout == f"typed\n{tmp_path}\ngreen\n"
    assert done.stderr == "error\n"


def test_no_descriptor_of_ours_is_the_commands() -> None:
    text = "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])"
    assert emulated(*python(text)).stdout == "[0, 1, 2]\n"


def test_the_client_is_answered() -> None:
    done = emulated(*python(CLIENT))
    assert (done.stdout, done.stderr) == (ANSWERED, "")


def test_grandchildren_and_what_they_execute_are_answered() -> None:
    text = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CLIENT!r}])"
    done = emulated("sh", "-c", 'exec env -- "$@"', "sh", *python(text))
    assert done.stdout == ANSWERED


def test_other_netlink_protocols_are_the_hosts() -> None:
    text = (
        "import socket; s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0);"
        "s.bind((0, 0)); print(s.fileno() < 500, s.family.name)"
    )
    done = emulated(*python(text), options=["--summary"])
    assert done.stdout == "True AF_NETLINK\n"
    assert "1 NETLINK_ROUTE socket made by the host's kernel" in done.stderr


def test_the_summary_is_on_stderr() -> None:
    here = "on" if host_delayacct() else "off"
    options = ["--summary", "--config", f"task_delayacct={here}"]
    done = emulated(*python(CLIENT), options=options)
    assert done.stdout == ANSWERED
    assert done.stderr.splitlines() == [
        "netlink-emu: 1 generic netlink socket, 1 request datagram, 1 datagram received",
        "netlink-emu: system calls: bind 1, getsockname 1, recvfrom 1, sendto 1, socket 1",
    ]


@pytest.mark.skipif(host_delayacct() is None, reason="no kernel.task_delayacct here")
def test_the_summary_tells_of_another_task_delayacct() -> None:
    here = "on" if host_delayacct() else "off"
    there = "off" if host_delayacct() else "on"
    options = ["--summary", "--config", f"task_delayacct={there}"]
    done = emulated(*python(CLIENT), options=options)
    assert done.stderr.splitlines()[-1] == (
        f"netlink-emu: delays are accounted: {there}; who looks that up in "
        f"/proc/sys/kernel/task_delayacct (iotop does) sees this machine's: {here}"
    )


# Asks nlctrl for a family by its name.
ASKS = """
import socket, struct, sys
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
for name in sys.argv[1:]:
    name = name.encode() + b"\\0"
    name = struct.pack("=HH", 4 + len(name), 2) + name + bytes(-len(name) % 4)
    s.send(struct.pack("=IHHIIBBxx", 20 + len(name), 16, 1, 1, 0, 3, 1) + name)
    m = s.recv(4096)
    print(-struct.unpack_from("=i", m, 16)[0] if m[4] == 2 else "found")
"""


def test_a_family_that_only_the_host_has_is_named() -> None:
    names = ("ethtool", "netdev", "thermal", "mptcp_pm", "acpi_event", "nl80211")
    name = next((name for name in names if host_has_family(name)), None)
    if name is None:
        pytest.skip("the host's kernel has none of the families that are known here")
    done = emulated(*python(ASKS), name, "no_such_family", name, "TASKSTATS")
    assert done.stdout.splitlines() == ["2", "2", "2", "found"]
    assert done.stderr == (
        f"netlink-emu: 2 requests for family {name}, which this machine's kernel has, but which "
        "is not emulated: --family can add it, docs/howto-spec.md\n"
    )


def test_a_family_that_was_left_out_is_nobodys_mistake() -> None:
    done = emulated(*python(ASKS), "TASKSTATS", options=["--config", "taskstats=off"])
    assert (done.stdout, done.stderr) == ("2\n", "")


@pytest.mark.parametrize(
    ("code", "uses", "status"), [(0, True, 0), (0, False, 1), (5, False, 5), (5, True, 5)]
)
def test_use_can_be_required(code: int, uses: bool, status: int) -> None:
    text = f"{CLIENT if uses else ''}\nraise SystemExit({code})"
    done = emulated(*python(text), options=["--require-use"])
    assert done.returncode == status
    complaint = "netlink-emu: the command made no generic netlink socket\n"
    assert done.stderr == ("" if uses else complaint)


# --- where it runs


@pytest.mark.parametrize("limit", [64, 256, 1024])
def test_few_descriptors_are_enough(limit: int) -> None:
    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    done = netlink_emu("run", "--", *python(CLIENT), preexec_fn=lower)
    assert (done.stdout, done.stderr) == (ANSWERED, "")


def test_a_supervisor_with_a_thousand_descriptors() -> None:
    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        for _ in range(1000):
            os.set_inheritable(os.dup(0), True)

    # The command inherits them all, as it would from a shell.
    text = CLIENT + "\nprint(len(os.listdir('/proc/self/fd')) > 1000)"
    done = netlink_emu("run", "--", *python(text), preexec_fn=fill, close_fds=False)
    assert (done.stdout, done.stderr) == (ANSWERED + "True\n", "")


def test_nested_it_says_why_it_cannot() -> None:
    done = emulated(*NETLINK_EMU, "run", "true")
    assert done.returncode == 1
    assert done.stderr.startswith("netlink-emu: another seccomp supervisor already answers")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_can_still_change_the_user_of_a_program() -> None:
    done = emulated("grep", "NoNewPrivs", "/proc/self/status")
    assert done.stdout == "NoNewPrivs:\t0\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("flags", ["--pid --fork", "--user --map-root-user", "--net", "--mount"])
def test_a_client_in_other_namespaces(flags: str) -> None:
    """The portid is the pid as the client's own pid namespace numbers it."""
    done = emulated("unshare", *flags.split(), *python(CLIENT))
    assert (done.stdout, done.stderr) == (ANSWERED, "")


def test_start_costs_little() -> None:
    """In modules, which are most of it: Python alone imports some 60, we 70 more.

    The kernel is booted with the first call that is for it: this command makes none.
    """
    command = [sys.executable, "-X", "importtime", *NETLINK_EMU[1:], "run", "/bin/true"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    modules = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines()]
    assert 100 < len(modules) < 400
    heavy = {"typer", "click", "rich", "yaml", "asyncio", "pytest", "netlink_emu.conformance"}
    heavy |= {"trio", "construct", "netlink_emu.kernel", "netlink_emu.families"}
    assert not heavy.intersection(modules)


def test_when_our_own_descriptors_are_used_up_the_client_is_told() -> None:
    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    text = """
import errno, socket
sockets = []
try:
    while True:
        sockets.append(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16))
except OSError as exc:
    print(len(sockets) > 10, errno.errorcode[exc.errno])
while sockets:
    sockets.pop().close()
"""
    done = netlink_emu("run", "--", *python(text + CLIENT), preexec_fn=lower)
    assert (done.stdout, done.stderr) == ("True ENFILE\n" + ANSWERED, "")


@pytest.mark.parametrize("status", [0, 3])
def test_a_full_disk_for_the_journal_changes_nothing_for_the_client(status: int) -> None:
    client = python(CLIENT + f"raise SystemExit({status})\n")
    done = netlink_emu("run", "--journal", "/dev/full", "--", *client)
    assert (done.returncode, done.stdout) == (status, ANSWERED)
    assert done.stderr == (
        "netlink-emu: the journal /dev/full ends behind #0: No space left on device\n"
    )


ASKING = """
import socket, struct
s = socket.socket(16, 3, 16)
while True:
    s.send(struct.pack("=IHHII BBH HHH2x", 28, 16, 1, 1, 0, 3, 1, 0, 6, 1, 16))
    s.recv(4096)
"""


def test_what_is_in_a_capture_can_be_read_when_we_are_killed(tmp_path: Path) -> None:
    path = tmp_path / "journal.pcapng"
    command = [*NETLINK_EMU, "run", "--journal", str(path), "--", *python(ASKING)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        until(lambda: path.exists() and path.stat().st_size >= 20_000)
        process.kill()
    done = netlink_emu("decode", str(path))
    assert done.stdout.count("CTRL_CMD_GETFAMILY") > 50
    # The last block alone may be torn, and is then told of.
    torn = r"netlink-emu: the block at byte (\d+) says that it has \d+ bytes\n"
    found = re.fullmatch(torn, done.stderr)
    assert not done.stderr or (found and path.stat().st_size - int(found[1]) < 10_000)
    assert done.returncode == bool(done.stderr)


def test_our_higher_limit_is_not_the_commands() -> None:
    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))

    done = netlink_emu("run", "--", "sh", "-c", "ulimit -Sn; ulimit -Hn", preexec_fn=lower)
    assert done.stdout == "100\n300\n"
