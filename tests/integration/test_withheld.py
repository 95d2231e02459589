"""Machines that withhold what the interposer needs: one sentence says what, and what to grant."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.nets import SECONDS

from netlink_emu.interpose.client.access import need_access, need_descendants
from netlink_emu.interpose.errors import Unsupported

pytestmark = needs_interposer
WITHHELD = Path(__file__).parents[1] / "helpers" / "withheld.py"
LISTENER = Path(__file__).with_name("interpose") / "live" / "listen.py"
GRANT = "grant CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE)"
# A client in a few lines: says the type of nlctrl's answer.
CLIENT = """
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.bind((0, 0))
s.send(struct.pack("=IHHII BBH HHH2x", 28, 16, 1, 1, 0, 3, 1, 0, 6, 1, 16))
print(struct.unpack_from("=H", s.recv(4096), 4)[0])
"""


def without(parts: str, *command: str | os.PathLike[str]) -> subprocess.CompletedProcess[str]:
    """Run a command where ``parts`` fail: NAME=ERRNO,..."""
    return subprocess.run(
        [sys.executable, WITHHELD, parts, *command],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


REQUIRED = [
    ("pidfd_getfd=EPERM", "pidfd_getfd(2) is forbidden here", GRANT),
    ("pidfd_getfd=ENOSYS", "pidfd_getfd(2) is missing here", "Linux 5.6"),
    ("pidfd_open=EPERM", "pidfd_open(2) is forbidden here", GRANT),
    ("pidfd_open=ENOSYS", "pidfd_open(2) is missing here", "Linux 5.6"),
    ("process_vm_readv=EPERM", "process_vm_readv(2) is forbidden here", GRANT),
    ("process_vm_readv=ENOSYS", "process_vm_readv(2) is missing here", "CROSS_MEMORY_ATTACH"),
    ("process_vm_writev=EPERM", "process_vm_writev(2) is forbidden here", GRANT),
    ("wait_killable=EINVAL", "WAIT_KILLABLE_RECV", "Linux 5.19"),
    ("seccomp=EPERM", "seccomp(2) is forbidden here", "container's profile"),
    ("seccomp=ENOSYS", "built without seccomp filters", ""),
]


@pytest.mark.parametrize(("parts", "what", "remedy"), REQUIRED)
def test_nothing_is_started_without_what_is_required(parts: str, what: str, remedy: str) -> None:
    done = without(parts, *NETLINK_EMU, "run", "--", "echo", "started")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("netlink-emu: ")
    assert done.stderr.count("\n") == 1
    assert what in done.stderr
    assert remedy in done.stderr


@pytest.mark.parametrize(("parts", "what", "remedy"), [REQUIRED[1], REQUIRED[6], REQUIRED[7]])
def test_the_doctor_says_the_same(parts: str, what: str, remedy: str) -> None:
    done = without(parts, *NETLINK_EMU, "doctor")
    assert done.returncode == 1
    missing = [line for line in done.stdout.splitlines() if line.startswith("missing")]
    assert any(what in line and remedy in line for line in missing), done.stdout


# What an older kernel lacks, and what is done without.
@pytest.mark.parametrize(
    "parts",
    ["pidfd_thread=EINVAL", "synchronous=EINVAL", "ptrace=EPERM", "kcmp=EPERM", "kcmp=ENOSYS"],
)
def test_an_older_kernel_is_enough(parts: str) -> None:
    done = without(parts, *NETLINK_EMU, "run", "--", sys.executable, "-c", CLIENT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "16\n", "")


@pytest.mark.parametrize(
    ("parts", "finding"),
    [("synchronous=EINVAL", "synchronous wake-up"), ("ptrace=EPERM", "exit events of clients")],
)
def test_the_doctor_says_what_would_be_better(parts: str, finding: str) -> None:
    done = without(parts, *NETLINK_EMU, "doctor")
    assert done.returncode == 0
    assert re.search(rf"^absent +{finding}", done.stdout, re.MULTILINE), done.stdout


def test_exit_events_that_there_cannot_be_are_told_of() -> None:
    command = (sys.executable, LISTENER, "sh", "-c", "(exit 3); echo $?")
    done = without("ptrace=EPERM", *NETLINK_EMU, "run", "--", *command)
    assert (done.returncode, done.stdout) == (0, "3\n")
    assert done.stderr.startswith("netlink-emu: 1 thread that something else traces, or that may")


PYTEST = """
def test_x(netlink_emu):
    kernel = netlink_emu("6.1")
    kernel.{how}
"""


@pytest.mark.parametrize("how", ["run(['true'])", "thread(print).result()"])
def test_tests_are_told_as_well(tmp_path: Path, how: str) -> None:
    (tmp_path / "test_x.py").write_text(PYTEST.format(how=how))
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path)
    done = without("pidfd_getfd=EPERM", *command)
    assert done.returncode == 1
    assert "Unsupported: pidfd_getfd(2) is forbidden here" in done.stdout


@pytest.mark.parametrize(
    ("scope", "allowed"), [("0\n", True), ("1\n", True), ("3\n", False), ("", True)]
)
def test_yama(tmp_path: Path, scope: str, allowed: bool) -> None:
    """kernel.yama.ptrace_scope: nobody may look into others with 3."""
    need_access()
    file = tmp_path / "ptrace_scope"
    if scope:
        file.write_text(scope)
    if allowed:
        need_descendants(file)
        return
    with pytest.raises(Unsupported, match=r"kernel\.yama\.ptrace_scope is 3"):
        need_descendants(file)


def test_yama_with_capabilities(tmp_path: Path) -> None:
    """With 2 those who have CAP_SYS_PTRACE may."""
    file = tmp_path / "ptrace_scope"
    file.write_text("2\n")
    if os.geteuid() == 0:
        need_descendants(file)
        return
    with pytest.raises(Unsupported, match="set it to 1"):
        need_descendants(file)


# --- nothing left


def test_without_a_process_left() -> None:
    """As RLIMIT_NPROC and pids.max leave it."""
    nothing = "clone=EAGAIN,clone3=EAGAIN"
    why = "no process is left to this user or cgroup (RLIMIT_NPROC, ulimit -u; pids.max)"
    done = without(nothing, *NETLINK_EMU, "run", "--", "echo", "started")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"netlink-emu: no thread can be started: {why}; netlink-emu doctor tells more\n"
    )
    doctor = without(nothing, *NETLINK_EMU, "doctor")
    assert (doctor.returncode, doctor.stderr) == (1, "")
    assert f"no thread can be started: {why}" in doctor.stdout


def test_a_server_without_a_process_left(tmp_path: Path) -> None:
    served = ["serve", "--socket", f"{tmp_path}/run/nl", "--", "echo", "started"]
    done = without("clone=EAGAIN,clone3=EAGAIN", *NETLINK_EMU, *served)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("netlink-emu: no thread can be started: no process is left")
    assert done.stderr.count("\n") == 1


def test_without_files_left() -> None:
    script = 'ulimit -n 12; exec "$@"'
    few = ["sh", "-c", script, "sh", *NETLINK_EMU]
    why = "this process may open 12 files at most (RLIMIT_NOFILE), and needs 32"
    done = subprocess.run(
        [*few, "run", "--", "echo", "started"],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"netlink-emu: {why}: raise the limit")
    assert done.stderr.count("\n") == 1
    doctor = subprocess.run(
        [*few, "doctor"], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (doctor.returncode, doctor.stderr) == (1, "")
    assert why in doctor.stdout


@pytest.mark.parametrize("files", [7, 8])
def test_a_server_without_files_left(tmp_path: Path, files: int) -> None:
    """Python itself still starts with so few; the wake-up of trio, or the directory, does not."""
    (tmp_path / "run").mkdir(0o700)
    served = ["serve", "--socket", f"{tmp_path}/run/nl", "--", "echo", "started"]
    done = subprocess.run(
        ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *NETLINK_EMU, *served],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"netlink-emu: this process may open {files} files at most")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_without_dev() -> None:
    """As in a chroot where nobody has mounted it."""
    script = 'mount -t tmpfs none /dev && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", *NETLINK_EMU]
    done = subprocess.run(
        [*command, "run", "--", sys.executable, "-c", CLIENT],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "16\n", "")
