"""The ends of what runs under ``netlink-emu run`` are exit events, and nobody notices how."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.interposed import (
    NETLINK_EMU,
    Compile,
    compile_c,
    emulated,
    needs_interposer,
)
from helpers.nets import SECONDS
from helpers.nobody import AS_NOBODY as NOBODY

pytestmark = needs_interposer
HERE = Path(__file__).with_name("live")
EXPECTED = (HERE / "exits.txt").read_text()
TRANSCRIPTS = Path(__file__).with_name("expected")
two_cpus = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two CPUs")


@pytest.fixture(scope="module")
def exits() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="netlink-emu-test-") as name:
        Path(name).chmod(0o755)  # other users run it, too
        yield compile_c(HERE / "exits.c", Path(name))


def listening(*command: str | os.PathLike[str]) -> tuple[str, ...]:
    """The command, traced because somebody listens."""
    return (sys.executable, str(HERE / "listen.py"), *[os.fspath(word) for word in command])


# --- what a listener sees


@two_cpus
def test_every_way_to_end(exits: Path) -> None:
    done = emulated(exits, "0-1")
    assert done.stdout == EXPECTED
    assert done.stderr == ""


@pytest.mark.real_kernel
@two_cpus
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_every_way_to_end_on_a_real_kernel(exits: Path) -> None:
    done = subprocess.run(
        [exits, "0-1"], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.stdout == EXPECTED


@two_cpus
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_nobody_needs_to_be_root(exits: Path) -> None:
    done = emulated(exits, "0-1", prefix=NOBODY)
    assert done.stdout == EXPECTED
    assert done.stderr == ""


FIGURES = (sys.executable, HERE / "figures.py")
AGREES = """\
exit code True 0xb
flags 0x33 nice 5
comm True
uid and gid True
pid and ppid True
begun True
user time True
system time True
both True
on the CPU True
longer than that True
minor faults True
major faults True
memory True True
read and written 2 1
by calls 0 0
voluntary switches True
other switches True
"""
root_alone = pytest.mark.skipif(os.geteuid() != 0, reason="the flags are of a child of root")


@root_alone
def test_the_figures_are_those_that_the_parent_is_told() -> None:
    done = emulated(*FIGURES)
    assert (done.stdout, done.stderr) == (AGREES, "")


@pytest.mark.real_kernel
@root_alone
@pytest.mark.skipif(not os.uname().release.startswith("6.18."), reason="the version is 16")
def test_the_figures_agree_on_a_real_kernel() -> None:
    done = subprocess.run(FIGURES, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.stdout, done.stderr) == (AGREES, "")


def test_it_can_be_switched_off(exits: Path) -> None:
    done = emulated(exits, "0", options=["--no-live-exits"])
    assert done.stdout.startswith("exit\nSIGKILL\nSIGTERM, twice\n")


CPUS = """
import os, socket, struct
sock = socket.socket(fileno=int(os.environ["LISTENER"]))
for _ in range(20):
    if os.fork() == 0:
        os._exit(0)
    os.wait()
print(len({struct.unpack_from("=I", sock.recv(4096, socket.MSG_DONTWAIT), 28) for _ in range(20)}))
"""


@pytest.mark.parametrize("cpu", [0, -1])
def test_a_machine_of_fewer_cpus_has_all_events(cpu: int) -> None:
    """Those that the emulated machine lacks stand for those that it has."""
    pin = f"os.sched_setaffinity(0, {{sorted(os.sched_getaffinity(0))[{cpu}]}})"
    text = CPUS.replace("sock =", f"{pin}\nsock =", 1)
    listen = (HERE / "listen.py").read_text().replace("(os.cpu_count() or 1) - 1", "0")
    done = emulated(
        "env", "KEEP=1", sys.executable, "-c", listen, sys.executable, "-c", text,
        options=["--cpus", "1"],
    )  # fmt: skip
    assert done.stdout == "20\n", done.stderr


STORM = """
import os, socket, struct, sys, threading
sock = socket.socket(fileno=int(os.environ["LISTENER"]))
sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)
def end(code):
    threading.Thread(target=int).start()
    os._exit(code)
def fork_many():
    for _ in range(25):
        pid = os.fork()
        if pid == 0:
            end(3)
        assert os.waitpid(pid, 0) == (pid, 3 << 8)
workers = []
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        fork_many()
        os._exit(0)
    workers.append(pid)
for pid in workers:
    assert os.waitpid(pid, 0) == (pid, 0)
seen, groups = [], 0
while True:
    try:
        message = sock.recv(8192, socket.MSG_DONTWAIT)
    except BlockingIOError:
        break
    seen.append(struct.unpack_from("=I", message, 28)[0])
    groups += len(message) > 1000
print(len(seen), len(set(seen)), groups)
"""


def test_a_storm_of_ends_is_told_whole_and_once() -> None:
    done = emulated("env", "KEEP=1", *listening(sys.executable, "-c", STORM))
    processes = 8 * 25
    assert done.stdout == f"{2 * processes + 8} {2 * processes + 8} {processes}\n", done.stderr


# --- what those who are traced do not see


@pytest.mark.parametrize("name", sorted(path.stem for path in TRANSCRIPTS.iterdir()))
def test_programs_do_what_they_do_untraced(program: Compile, name: str) -> None:
    done = emulated(*listening(program(name)), options=["--cpus", "2"])
    assert done.stdout == (TRANSCRIPTS / f"{name}.txt").read_text()
    assert done.returncode == 0


@pytest.mark.parametrize("restart", [0, 1], ids=["EINTR", "SA_RESTART"])
def test_a_storm_of_signals(program: Compile, restart: int) -> None:
    done = emulated(*listening(program("storm"), "300", "300", str(restart)))
    assert done.stdout == "twice 0, wrong 0, signals came\n"


def test_stopped_and_continued_in_the_middle_of_an_exec(tmp_path: Path) -> None:
    stops = compile_c(HERE / "stops.c", tmp_path)
    done = emulated(*listening(stops, "120"))
    assert done.stdout == "120 of 120 ended\n"


@pytest.mark.parametrize(
    ("script", "status"), [("exit 7", 7), ("kill -TERM $$", -15), ("kill -KILL $$", -9)]
)
def test_the_commands_end_is_ours(script: str, status: int) -> None:
    assert emulated(*listening("sh", "-c", script)).returncode == status


# The daemon stays until the command is no more, or nobody has waited for it yet.
DAEMON = """
(while grep -q '^State:.[^Z]' /proc/$$/status; do sleep 0.01; done 2>/dev/null; echo daemon) &
echo command
"""


def test_daemons_outlive_the_command_and_their_ends_are_told() -> None:
    done = emulated(*listening("sh", "-c", DAEMON))
    assert done.stdout == "command\ndaemon\n"
    assert done.returncode == 0


def test_if_we_are_killed_nobody_stays_stopped() -> None:
    script = "echo ready; read line; (exit 3); echo $?; sh -c 'kill -TERM $$'; echo $?"
    with subprocess.Popen(
        [*NETLINK_EMU, "run", "--", *listening("sh", "-c", script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
        process.wait(SECONDS)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "3\n"
        assert process.stdout.readline() == "143\n"


# --- other tracers

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@needs_strace
def test_strace_traces_a_command_that_it_starts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    strace = ("strace", "-f", "-o", log, "-e", "trace=none", "sh", "-c", "(exit 2); exit 5")
    done = emulated(*listening(*strace), options=["--summary"])
    assert done.returncode == 5
    assert re.findall(r"exited with (\d)", log.read_text()) == ["2", "5"]
    assert "that something else traces" in done.stderr


def test_who_traces_itself_and_who_each_other() -> None:
    """Newer straces try the first, to learn what they may; nobody must wait for itself to stop."""
    script = (sys.executable, HERE / "seize.py")
    real = subprocess.run(script, capture_output=True, text=True, timeout=SECONDS)
    assert real.stdout.splitlines()[:2] == ["oneself EPERM", "a thread of one's own EPERM"]
    for _ in range(5):
        assert emulated(*listening(*script)).stdout == real.stdout


WAITS = """
import os, socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.bind((0, 0))
print("waiting", flush=True)
s.recv(100)
"""


@needs_strace
def test_strace_traces_a_client_that_waits(tmp_path: Path) -> None:
    """We can only let it go when it stops, and it waits for our answer."""
    log, said = tmp_path / "log", tmp_path / "said"
    script = f"""
        "{sys.executable}" -c '{WAITS}' > "{said}" & client=$!
        until grep -q waiting "{said}"; do sleep 0.01; done
        strace -o "{log}" -e trace=recvfrom -p $client & strace=$!
        until grep -q "TracerPid:.$strace\\>" /proc/$client/status; do sleep 0.01; done
        kill -TERM $client
        wait $client; echo $?
        wait $strace
    """
    done = emulated(*listening("bash", "-c", script))
    assert done.stdout == "143\n", done.stderr
    assert "killed by SIGTERM" in log.read_text()


@pytest.mark.skipif(shutil.which("gdb") is None, reason="needs gdb")
def test_gdb_runs_a_program() -> None:
    done = emulated(
        *listening("gdb", "-nx", "-q", "-batch", "-ex", "run", "--args", "sh", "-c", "exit 3")
    )
    assert "exited with code 03" in done.stdout
