"""Where a client runs, and what it hands to others: roots, namespaces, limits, tracers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.interposed import (
    NETLINK_EMU,
    Compile,
    emulated,
    needs_interposer,
    netlink_emu,
)
from helpers.nets import SECONDS
from helpers.sides import has_taskstats

pytestmark = needs_interposer
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

# Asks nlctrl for its own family; says whether the portid is the pid, and the answer's type.
CLIENT = """
import os, socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.bind((0, 0))
s.send(struct.pack("=IHHII BBH HHH2x", 28, 16, 1, 1, 0, 3, 1, 0, 6, 1, 16))
kind = struct.unpack_from("=H", s.recv(4096), 4)[0]
print("portid", "pid" if s.getsockname()[0] == os.getpid() else s.getsockname()[0], "type", kind)
"""
ANSWERED = "portid pid type 16\n"
PYTHON = (sys.executable, "-c", CLIENT)


# --- roots and namespaces


@pytest.fixture
def directory() -> Iterator[Path]:
    """One that other users may enter."""
    with tempfile.TemporaryDirectory(prefix="netlink-emu-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@needs_root
def test_in_a_chroot_without_proc(program: Compile, directory: Path) -> None:
    shutil.copy(program("threads", "-static"), directory / "threads")
    done = emulated("chroot", directory, "/threads", "2", "5", "1")
    assert (done.stdout, done.stderr) == ("bad 0\n", "")


@needs_root
def test_in_namespaces_of_every_kind_at_once() -> None:
    flags = "--user --map-root-user --pid --fork --mount-proc --net --ipc --uts"
    done = emulated("unshare", *flags.split(), *PYTHON)
    assert (done.stdout, done.stderr) == (ANSWERED, "")


@needs_root
def test_we_are_in_a_pid_namespace_ourselves() -> None:
    prefix = ("unshare", "--pid", "--fork", "--mount-proc")
    done = emulated("unshare", "--pid", "--fork", *PYTHON, prefix=prefix)
    assert (done.stdout, done.stderr) == (ANSWERED, "")


@needs_root
@pytest.mark.parametrize(
    ("prefix", "sentence"),
    [
        (("unshare", "--pid", "--fork"), "/proc is another pid namespace's: mount that"),
        (("unshare", "--mount", "sh", "-c", 'umount -l /proc; exec "$@"', "sh"), "/proc is not m"),
    ],
    ids=["another's", "none"],
)
@pytest.mark.parametrize("command", ["run", "doctor"])
def test_without_our_own_proc_nothing_is_started(
    prefix: tuple[str, ...], sentence: str, command: str
) -> None:
    arguments = ("run", "--", "echo", "started") if command == "run" else ("doctor",)
    done = netlink_emu(*arguments, prefix=prefix)
    assert done.returncode == 1
    assert sentence in done.stdout + done.stderr
    assert "started" not in done.stdout
    assert "Traceback" not in done.stderr


# Asks for tasks by numbers of its own pid namespace: its own, its child's, its parent's; says
# whose the figures are.
TASKS = """
import os, socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
def ask(kind, attr, data):
    a = struct.pack("=HH", 4 + len(data), attr) + data + bytes(-len(data) % 4)
    s.send(struct.pack("=IHHIIBBxx", 20 + len(a), kind, 1, 1, 0, 3 if kind == 16 else 1, 1) + a)
    return s.recv(4096)
family, = struct.unpack_from("=H", ask(16, 2, b"TASKSTATS\\0"), 40)
def show(what, pid):
    m = ask(family, 1, struct.pack("=I", pid))
    if m[4] == 2:
        return print(what, os.strerror(-struct.unpack_from("=i", m, 16)[0]))
    told, = struct.unpack_from("=I", m, 28)
    ac_pid, ac_ppid = struct.unpack_from("=II", m, 36 + 128)
    comm = m[36 + 80:36 + 112].rstrip(b"\\0").decode()
    print(what, told == pid, ac_pid == pid, ac_ppid == parent.get(pid), comm)
child = os.fork()
if child == 0:
    open("/proc/self/comm", "w").write("child")
    os.read(0, 1)
    os._exit(0)
while open(f"/proc/{child}/comm").read() != "child\\n":
    pass
open("/proc/self/comm", "w").write("myself")
parent = {os.getpid(): 0, child: os.getpid()}
show("myself", os.getpid())
show("child", child)
show("nobody", 4000000)
os.kill(child, 9)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
show("zombie", child)
os.wait()
show("reaped", child)
"""
SEEN = """\
myself True True True myself
child True True True child
nobody No such process
zombie True True True child
reaped No such process
"""
INNER = ("unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", TASKS)


@needs_root
def test_tasks_have_the_numbers_of_the_clients_own_pid_namespace() -> None:
    done = emulated(*INNER)
    assert (done.stdout, done.stderr) == (SEEN, "")


@pytest.mark.real_kernel
@needs_root
@pytest.mark.skipif(not has_taskstats(), reason="no real TASKSTATS")
def test_so_they_have_on_a_real_kernel() -> None:
    done = subprocess.run(INNER, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.stdout, done.stderr) == (SEEN, "")


SCENARIO = """
[[task]]
pid = {pid}
comm = "emulated"
cpu = 0
"""


@needs_root
def test_emulated_tasks_are_seen_from_there_as_well(tmp_path: Path, taskstats: Path) -> None:
    pid = next(n for n in range(32700, 30000, -1) if not Path(f"/proc/{n}").exists())
    (tmp_path / "s.toml").write_text(SCENARIO.format(pid=pid))
    options = ("--scenario", str(tmp_path / "s.toml"))
    done = emulated("unshare", "--pid", "--fork", taskstats, str(pid), options=options)
    assert done.stdout.startswith("pid right")
    assert "comm emulated" in done.stdout


# --- what a namespace of its own forbids

# Finds TASKSTATS, registers for exits on CPU 0: the errno of either, 0 if both work.
REGISTERS = """
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
def ask(kind, command, attr, data):
    a = struct.pack("=HH", 4 + len(data), attr) + data + bytes(-len(data) % 4)
    s.send(struct.pack("=IHHIIBBxx", 20 + len(a), kind, 5, 1, 0, command, 1) + a)
    m = s.recv(4096)
    return m if m[4] != 2 else -struct.unpack_from("=i", m, 16)[0]
found = ask(16, 3, 2, b"TASKSTATS\\0")
if isinstance(found, bytes):
    s.recv(4096)
    found = ask(struct.unpack_from("=H", found, 40)[0], 1, 3, b"0\\0")
print(found)
"""
NAMESPACES = {
    "none": ((), ["--uts"], "0"),
    "net": ((), ["--net"], "0"),
    "net before 5.19": (("--release", "5.10"), ["--net"], "2"),
    "pid": ((), ["--pid", "--fork"], "22"),
    "pid before 3.7": (("--release", "3.6"), ["--pid", "--fork"], "0"),
    "pid, no tasks": (("--tasks", "none"), ["--pid", "--fork"], "22"),
    "user": (("--clients", "themselves"), ["--user", "--map-root-user"], "1"),
    "user, as root": ((), ["--user", "--map-root-user"], "0"),
}


@needs_root
@pytest.mark.parametrize("where", NAMESPACES)
def test_what_a_client_in_a_namespace_may_do(where: str) -> None:
    options, flags, said = NAMESPACES[where]
    done = emulated("unshare", *flags, sys.executable, "-c", REGISTERS, options=options)
    assert (done.stdout, done.stderr) == (f"{said}\n", "")


@pytest.mark.real_kernel
@needs_root
@pytest.mark.skipif(not has_taskstats(), reason="no real TASKSTATS")
@pytest.mark.parametrize("where", ["none", "net", "pid", "user"])
def test_so_it_may_on_a_real_kernel(where: str) -> None:
    _, flags, said = NAMESPACES[where]
    command = ("unshare", *flags, sys.executable, "-c", REGISTERS)
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.stdout, done.stderr) == (f"{said}\n", "")


MOVES = """
import ctypes, socket
def portid():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    s.bind((4711, 0))
    return s
first = portid()
assert ctypes.CDLL(None).unshare(0x40000000) == 0  # CLONE_NEWNET
second = portid()  # where nobody has that number
print("ok")
"""


@needs_root
def test_a_socket_is_of_the_namespace_where_it_is_made() -> None:
    done = emulated(sys.executable, "-c", MOVES)
    assert (done.stdout, done.stderr) == ("ok\n", "")


# --- limits


def test_a_client_that_lowers_its_limit_is_told_of() -> None:
    done = emulated("sh", "-c", f"ulimit -n 256; exec {sys.executable} -c '{CLIENT}'")
    assert "OSError: [Errno 24]" in done.stderr
    assert "netlink-emu: 1 descriptor refused to clients whose limit" in done.stderr


def test_a_client_that_uses_its_limit_up_is_no_such() -> None:
    text = """
import socket
sockets = []
try:
    while True:
        sockets.append(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16))
except OSError as exc:
    print(exc.errno)
"""
    command = f"ulimit -Sn 1024; exec {' '.join(NETLINK_EMU)} run -- {sys.executable} -c '{text}'"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("24\n", "")


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_closed_standard_streams(closed: str) -> None:
    command = (
        f"exec {' '.join(NETLINK_EMU)} run --summary -- {sys.executable} -c '{CLIENT}' {closed}"
    )
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ANSWERED)


def test_all_standard_streams_closed() -> None:
    command = f"exec {' '.join(NETLINK_EMU)} run -- sh -c 'exit 3' <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 3


# --- tracers


@needs_strace
def test_strace_around_us_and_inside(tmp_path: Path) -> None:
    """It sees an address of AF_NETLINK in either place."""
    for number, (prefix, inside) in enumerate([(True, False), (False, True)]):
        log = tmp_path / str(number)
        strace = ("strace", "-f", "-e", "trace=socket,bind", "-o", str(log))
        done = emulated(*(strace if inside else ()), *PYTHON, prefix=strace if prefix else ())
        assert (done.stdout, done.stderr) == (ANSWERED, "")
        assert "socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_GENERIC" in log.read_text()
        assert "bind(768, {sa_family=AF_NETLINK" in log.read_text()


# --- descriptors in other hands

# Connects to the path, sends one answered request's socket there, and waits until it is used.
GIVER = """
import array, os, socket, struct, sys
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.bind((0, 0))
way = socket.socket(socket.AF_UNIX)
way.connect(sys.argv[1])
rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))]
way.sendmsg([b"x"], rights)
assert way.recv(1) == b"1"
s.close()  # the other still has it
portid = os.getpid()
other = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
other.bind((0, 0))
print("while it is there:", other.getsockname()[0] == portid)
other.close()
way.send(b"2")
assert way.recv(1) == b"3"
other = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
other.bind((0, 0))
print("when it is closed:", other.getsockname()[0] == portid)
way.send(b"4")
way.recv(1)
"""


def test_a_socket_in_the_hands_of_a_process_that_is_not_ours(tmp_path: Path) -> None:
    """Ours is not: it uses the pair, and is a holder as good as any."""
    request = bytes.fromhex("1c000000100001000700000000000000030100000600010010000000")
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        command = [*NETLINK_EMU, "run", "--", sys.executable, "-c", GIVER, path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            listener.settimeout(SECONDS)
            way, _ = listener.accept()
            with way:
                way.settimeout(SECONDS)
                fds = socket.recv_fds(way, 1, 2)[1]
                with socket.socket(fileno=fds[0]) as given:
                    given.settimeout(SECONDS)
                    assert given.send(request) == len(request)
                    assert given.recv(4096)[4:12] == bytes.fromhex("1000 0000 07000000")
                    way.send(b"1")
                    assert way.recv(1) == b"2"
                way.send(b"3")
                assert way.recv(1) == b"4"
            out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert out == "while it is there: False\nwhen it is closed: True\n"


def test_a_holder_that_is_not_ours_keeps_nothing_going(tmp_path: Path) -> None:
    """The command's end is ours; who still has a socket of it reads end of file."""
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        text = GIVER.replace('assert way.recv(1) == b"1"', "raise SystemExit(5)")
        command = [*NETLINK_EMU, "run", "--", sys.executable, "-c", text, path]
        with subprocess.Popen(command) as process:
            listener.settimeout(SECONDS)
            way, _ = listener.accept()
            with way:
                way.settimeout(SECONDS)
                fds = socket.recv_fds(way, 1, 2)[1]
                with socket.socket(fileno=fds[0]) as given:
                    given.settimeout(SECONDS)
                    assert process.wait(SECONDS) == 5
                    assert given.recv(100) == b""
