"""``netlink-emu serve`` as a process: ready, signals, its socket file, what it refuses."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.nets import SECONDS
from helpers.serving import Client, register

from netlink_emu.cli.running.beside import wait_for_server
from netlink_emu.conformance.targets.server import ServerTarget
from netlink_emu.testing.handle.connect import connect

NETLINK_EMU = [sys.executable, "-m", "netlink_emu.cli.main"]


@contextmanager
def _serve(path: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A server that is ready; killed afterwards if it still runs."""
    command = [*NETLINK_EMU, "serve", "--socket", str(path), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        try:
            assert p.stderr is not None
            assert p.stderr.readline() == f"netlink-emu: ready at {path}\n"
            yield p
        finally:
            p.kill()


def _refused(path: Path | str, *options: str) -> str:
    """What a server says that does not start; it is one sentence, and the status is 1."""
    command = [*NETLINK_EMU, "serve", "--socket", str(path), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line.removeprefix("netlink-emu: ")


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["INT", "TERM", "HUP"],
)
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals, status: int) -> None:
    path = tmp_path / "run" / "nl"
    with _serve(path) as process, Client(path, "", connect=True) as client:
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert path.stat().st_mode & 0o777 == 0o600
        client.ask(register("0"))
        process.send_signal(number)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (status, "")
    assert err == (
        "netlink-emu: 2 datagrams in, 2 out, dropped: none; 1 sockets (0 with a channel), "
        "1 listeners, 0 backlogged\n"
    )
    assert list(path.parent.iterdir()) == []


def test_signals_after_the_first_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"
    with _serve(path) as process:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            process.send_signal(number)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode in (143, 130, 129)  # sent at once, they have no order
    assert err.count("\n") == 1
    assert list(path.parent.iterdir()) == []


def test_under_nohup_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _serve(path) as process, Client(path, "", connect=True) as client:
            process.send_signal(signal.SIGHUP)
            client.ask(register("0"))
            process.terminate()
            assert process.wait(SECONDS) == 143
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_before_it_serves(tmp_path: Path) -> None:
    """As while it reads a scenario, here from a pipe that nobody has written to yet."""
    pipe, path = tmp_path / "scenario", tmp_path / "run" / "nl"
    os.mkfifo(pipe)
    command = [*NETLINK_EMU, "serve", "--socket", str(path), "--scenario", str(pipe)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        with pipe.open("w") as scenario:  # opens when the other side does
            process.terminate()
            scenario.write("cpus = 3\n")
        _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (143, "")
    assert not path.exists()


def test_sigusr1_prints_statistics_and_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"
    with _serve(path) as process, Client(path, "", connect=True) as client:
        process.send_signal(signal.SIGUSR1)
        assert process.stderr is not None
        assert process.stderr.readline().startswith("netlink-emu: 0 datagrams in, 0 out")
        client.ask(register("0"))


def test_a_stale_socket_is_recovered_and_a_live_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"
    with _serve(path) as process:
        assert _refused(path) == f"{path} is served by another process"
        process.kill()
        process.wait()
    assert path.is_socket()
    with _serve(path), Client(path, "", connect=True) as client:
        assert client.ask(b"") == []


def test_a_live_socket_of_another_kind_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(tmp_path / "nl"))
        other.listen()
        assert "is served by another process" in _refused(tmp_path / "nl")
    assert (tmp_path / "nl").is_socket()


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "nl").write_text("mine")
    assert _refused(tmp_path / "nl") == f"{tmp_path}/nl exists and is not a socket"
    assert (tmp_path / "nl").read_text() == "mine"


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    said = _refused(tmp_path / "nl")
    assert said.startswith(f"the directory {tmp_path} is open to others (mode {mode:04o}), ")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    said = _refused(tmp_path / "link" / "nl")
    assert said == f"{tmp_path}/link is a symbolic link: name the directory itself"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    os.chown(tmp_path / "run", 65534, 65534)
    said = _refused(tmp_path / "run" / "nl")
    assert said == (
        f"the directory {tmp_path}/run belongs to somebody else (uid 65534): "
        "name one of your own, or one that is not there yet"
    )


def test_other_places_where_no_socket_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert _refused(tmp_path / "file" / "nl") == f"{tmp_path}/file is not a directory"
    said = _refused(tmp_path / "no" / "such" / "nl")
    assert said == f"there is no directory {tmp_path}/no to make {tmp_path}/no/such in"
    assert "has at most 107 bytes" in _refused(tmp_path / "run" / ("x" * 100))


def test_a_directory_may_have_a_long_name(tmp_path: Path) -> None:
    """Longer than sun_path: the server and who knows how reach it all the same."""
    path = tmp_path / ("x" * 100) / "nl"
    with _serve(path) as process:
        with connect(path) as client:
            client.send(register("0"))
            assert len(client.recv(4096)) == 36  # an ack
        wait_for_server(path, SECONDS)
        with ServerTarget(path) as target:
            assert target.family_id is not None
        again = _refused(path)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)
    assert again == f"{path} is served by another process"
    assert list(path.parent.iterdir()) == []


def test_a_scenario_plays_in_real_time(tmp_path: Path) -> None:
    scenario = tmp_path / "s.toml"
    scenario.write_text(
        "cpus = 3\n"
        '[[task]]\ncomm = "tick"\nuid = 7\ncpu = 2\nevery = 20\ntimes = 500\n'
        "timeline = [{ at = 0, run = 5 }, { at = 10, exit = 3 }]\n"
    )
    path = tmp_path / "run" / "nl"
    options = ["--scenario", str(scenario), "--speed", "500", "--release", "5.10"]
    with _serve(path, *options), Client(path, "", connect=True) as client:
        client.ask(register("2"))
        events = [client.recv() for _ in range(3)]
    for event in events:
        assert len(event) == 388  # struct taskstats of 5.10
        assert struct.unpack_from("=I", event, 40) == (3 << 8,)  # ac_exitcode
        assert event[36 + 80 : 36 + 85] == b"tick\0"
        utime = struct.unpack_from("=Q", event, 36 + 152)[0]
        assert utime == 5_000_000


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("proc", [True, False])
def test_who_owns_what_is_above_may_not_be_told_in_a_user_namespace(
    tmp_path: Path, proc: bool
) -> None:
    """A user whom the namespace does not have shows as 65534, as all such do."""
    above = tmp_path / "above"
    above.mkdir()
    (above / "run").mkdir(mode=0o700)
    os.chown(above, 4242, 4242)
    hide = "true" if proc else "mount -t tmpfs none /proc"
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    command += [f'{hide} && exec "$@"', "sh", *NETLINK_EMU, "serve", "--socket"]
    path = above / "run" / "nl"
    with subprocess.Popen([*command, str(path)], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == f"netlink-emu: ready at {path}\n"
        finally:
            process.terminate()


# Over a Unix socket: finds TASKSTATS, registers for exits on CPU 0; the errno of either, or 0.
REGISTERS = """
import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[2])
s.connect(sys.argv[1])
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


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize(
    ("options", "flags", "said"),
    [
        (["--clients", "themselves", "--release", "5.10"], ["--net"], "2"),
        (["--clients", "themselves"], ["--net"], "0"),
        (["--clients", "themselves"], ["--pid", "--fork"], "22"),
        (["--clients", "themselves"], ["--user", "--map-root-user"], "1"),
        (["--release", "5.10"], ["--net", "--pid", "--user", "--map-root-user", "--fork"], "0"),
    ],
    ids=["net before 5.19", "net", "pid", "user", "root"],
)
def test_clients_are_in_their_own_namespaces(
    tmp_path: Path, options: list[str], flags: list[str], said: str
) -> None:
    path = tmp_path / "run" / "nl"
    client = [sys.executable, "-c", REGISTERS, str(path), str(tmp_path / "client")]
    with _serve(path, *options):
        done = subprocess.run(
            ["unshare", *flags, *client],
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    assert (done.stdout, done.stderr) == (f"{said}\n", "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--release", "9.9"], "Linux 9.9 is not known; nearest: 7.3"),
        (["--scenario", "/nonexistent"], "the scenario /nonexistent cannot be read: No such file"),
        (["--speed", "-1"], "time cannot pass -1 times as fast"),
    ],
)
def test_wrong_options_are_said_in_a_sentence(
    tmp_path: Path, options: list[str], said: str
) -> None:
    assert _refused(tmp_path / "run" / "nl", *options).startswith(said)
    assert not (tmp_path / "run").exists()


def test_a_scenario_that_cannot_go_on_ends_the_server(tmp_path: Path) -> None:
    scenario = tmp_path / "s.toml"
    scenario.write_text(
        '[[task]]\ncomm = "a"\npid = 9\n[[task]]\ncomm = "b"\npid = 9\nstart = 100\n'
    )
    path = tmp_path / "run" / "nl"
    options = ("--scenario", str(scenario), "--speed", "1000", "--start", "boot")
    with _serve(path, *options) as process:
        assert process.stderr is not None
        # What came together with the line that it is ready has been read with that.
        err = process.stderr.read()
        assert process.wait(SECONDS) == 1
    assert err.startswith(f"netlink-emu: {scenario}:4:1: task[1]: pid 9 is taken by ")
    assert list(path.parent.iterdir()) == []


def test_wrong_usage_is_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [*NETLINK_EMU, "serve"], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Missing option '--socket'" in done.stderr
