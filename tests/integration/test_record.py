"""``netlink-emu record``: what an unmodified client and this machine's kernel say is kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.nets import SECONDS

from netlink_emu.cassettes import Answer, Bound, Cassette, Option, Request, read_cassette

pytestmark = needs_interposer

# Asks for the loopback interface by every way to send and to receive.
CLIENT = """
import os, socket, struct, sys
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
sock.setsockopt(270, 11, 1)
sock.bind((0, 0))
print(sock.fileno() > 100, sock.getsockname()[0] == os.getpid())
request = struct.pack("=IHHIIBxHiII", 32, 18, 1, 7, 0, 0, 0, 1, 0, 0)
sends = [
    lambda: sock.send(request),
    lambda: sock.sendto(request, (0, 0)),
    lambda: sock.sendmsg([request[:16], request[16:]]),
    lambda: os.write(sock.fileno(), request),
    lambda: os.writev(sock.fileno(), [request[:16], request[16:]]),
]
for number, send in enumerate(sends):
    print(send())
    if number == 0:
        data = sock.recv(65536)
    elif number == 1:
        print(len(sock.recv(65536, socket.MSG_PEEK | socket.MSG_TRUNC)))
        data, address = sock.recvfrom(65536)
        print(address)
    elif number == 2:
        data, control, flags, address = sock.recvmsg(100, 1000)
        print(len(data), control, flags, address)
    elif number == 3:
        data = os.read(sock.fileno(), 65536)
    else:
        buffers = [bytearray(20), bytearray(65536)]
        data = b"".join(buffers)[:os.readv(sock.fileno(), buffers)]
    print(struct.unpack_from("=HHI", data, 4))
try:
    sock.recv(100, socket.MSG_DONTWAIT)
except OSError as exc:
    print(exc)
sock.sendmsg([bytes(3)])
sock.send(struct.pack("=IHHIIBxHiII", 32, 18, 1, 8, 0, 0, 0, 123456, 0, 0))
print(struct.unpack_from("=HHIIi", sock.recv(65536), 4)[:3])
sys.exit(3)
"""


def netlink_emu(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*NETLINK_EMU, *args], capture_output=True, text=True, timeout=SECONDS, check=False
    )


def python(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def read(file: Path) -> Cassette:
    return read_cassette(file.read_text(), str(file))


def test_a_client_cannot_tell_and_is_replayed(tmp_path: Path) -> None:
    file = tmp_path / "x.cassette"
    plain = subprocess.run(
        python(CLIENT), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    recorded = netlink_emu("record", "-o", file, "--", *python(CLIENT))
    replayed = netlink_emu("replay", file, "--", *python(CLIENT))
    assert plain.stdout.startswith("False True\n")
    expected = plain.stdout.replace("False", "True", 1)
    for done in (recorded, replayed):
        assert (done.returncode, done.stdout, done.stderr) == (3, expected, "")


def test_what_is_noted(tmp_path: Path) -> None:
    file = tmp_path / "x.cassette"
    netlink_emu("record", "-o", file, "--", *python(CLIENT))
    cassette = read(file)
    assert cassette.head.command[-1] == CLIENT
    assert cassette.head.status == 3
    [stream] = cassette.streams
    assert (stream.protocol, stream.type) == (0, 3)
    assert Option(270, 11, bytes((1, 0, 0, 0))) in stream.events
    [bound] = [event for event in stream.events if isinstance(event, Bound)]
    assert bound.portid
    requests = [event for event in stream.events if isinstance(event, Request)]
    answers = [event for event in stream.events if isinstance(event, Answer)]
    # The peek is none, and of what was cut off the length is known.
    assert (len(requests), len(answers)) == (7, 6)
    assert {len(answer.data) for answer in answers[:5]} == {len(answers[0].data)}
    assert requests[0].text.startswith("RTM_GETLINK REQUEST\n")
    assert answers[0].text.startswith("RTM_NEWLINK\n")


BLOCKED = """
import socket, struct, threading, time
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
def ask():
    time.sleep(0.2)
    sock.send(struct.pack("=IHHIIBxHiII", 32, 18, 1, 7, 0, 0, 0, 1, 0, 0))
thread = threading.Thread(target=ask)
thread.start()
print(struct.unpack_from("=HHI", sock.recv(65536), 4))
thread.join()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 100000))
try:
    sock.recv(100)
except OSError as exc:
    print(exc)
import signal
signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.2)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 1, 0))
try:
    sock.recv(100)
except OSError as exc:
    print(exc)
"""


def test_a_call_that_waits(tmp_path: Path) -> None:
    """For another thread's request, for its time-out, for a signal."""
    done = netlink_emu("record", "-o", tmp_path / "x", "--", *python(BLOCKED))
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "(16, 0, 7)\n[Errno 11] Resource temporarily unavailable\nalarm\n"
        "[Errno 11] Resource temporarily unavailable\n",
        "",
    )


TWO = """
import socket
for protocol in (0, 16):
    print(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol).fileno() > 100)
"""


def test_some_protocols_alone(tmp_path: Path) -> None:
    file = tmp_path / "x"
    done = netlink_emu("record", "-o", file, "--protocol", "generic", "--", *python(TWO))
    assert done.stdout == "False\nTrue\n"
    assert [stream.protocol for stream in read(file).streams] == [16]


def test_more_is_added(tmp_path: Path) -> None:
    file = tmp_path / "x"
    for _ in range(2):
        done = netlink_emu("record", "-o", file, "--append", "--", *python(TWO))
        assert (done.returncode, done.stderr) == (0, "")
    assert [stream.protocol for stream in read(file).streams] == [0, 16, 0, 16]


def test_of_another_kernel_nothing_is_added(tmp_path: Path) -> None:
    file = tmp_path / "x"
    text = 'netlink-emu-cassette: 1\nkernel: "2.6.18"\nsockets: []\n'
    file.write_text(text)
    done = netlink_emu("record", "-o", file, "--append", "--", *python(TWO))
    assert done.returncode == 1
    assert f"{file} cannot be added to: it was recorded on Linux 2.6.18" in done.stderr
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--protocol", "wifi", "--", "true"), "--protocol: there is no netlink protocol wifi"),
        (("--redact", "KEY", "--", "true"), "--redact is FAMILY.ATTRIBUTE"),
        (("-o", "/no/such/file", "--", "true"), "there is no folder /no/such"),
        (("-o", "/", "--", "true"), "/ is a folder"),
    ],
)
def test_mistakes(args: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [*NETLINK_EMU, "record", *args],
        capture_output=True, text=True, timeout=SECONDS, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not [*tmp_path.iterdir()]


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    done = netlink_emu("record", "-o", tmp_path / "x", "--", "no-such-command")
    assert (done.returncode, done.stderr) == (
        127,
        "netlink-emu: no-such-command: command not found\n",
    )
    assert not [*tmp_path.iterdir()]


def test_the_name_by_default(tmp_path: Path) -> None:
    """It is told, and what is there is not replaced."""
    command = [*NETLINK_EMU, "record", "--", *python(TWO)]
    said = []
    for _ in range(2):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=tmp_path
        )
        said.append(done.stderr)
    name = f"{Path(sys.executable).name}.cassette"
    assert said == [
        f"netlink-emu: recorded to {name}\n",
        f"netlink-emu: {name} is there already: name a file with -o, or --append to it\n",
    ]


def test_what_is_blanked_by_name_or_number(tmp_path: Path) -> None:
    file = tmp_path / "x.cassette"
    named = ("route.IFLA_IFNAME", "route.4", "route.IFLA_MTUU")
    options = [word for name in named for word in ("--redact", name)]
    done = netlink_emu("record", "-o", file, *options, "--", *python(CLIENT))
    assert read(file).head.redacted == ("route.4", "route.IFLA_IFNAME")
    assert done.stderr.splitlines() == [
        "netlink-emu: --redact route.IFLA_MTUU: nothing that was recorded has an attribute of "
        "that name",
        f"netlink-emu: {file}: blanked route.4, route.IFLA_IFNAME",
    ]
    assert "IFLA_MTU 0" in file.read_text()


@pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2")
def test_a_key_is_not_in_the_file(tmp_path: Path) -> None:
    """Neither in the request, nor in the error that quotes it, nor in the command."""
    key = "00112233445566778899aabbccddeeff"
    file = tmp_path / "x"
    command = (
        "ip", "xfrm", "state", "add", "src", "127.0.0.1", "dst", "127.0.0.2", "proto", "esp",
        "spi", "1", "mode", "tunnel",
        "enc", "cbc(aes)", f"0x{key}",
    )  # fmt: skip
    done = netlink_emu("record", "-o", file, "--", "unshare", "-rn", *command)
    if "Operation not permitted" in done.stderr and not file.exists():
        pytest.skip("needs network namespaces")
    if "network namespaces that we may not enter" in done.stderr:
        pytest.skip("needs root, to look into a network namespace of a user namespace")
    assert f"netlink-emu: {file}: blanked xfrm.XFRMA_ALG_CRYPT\n" in done.stderr
    text = file.read_text().replace(" ", "").replace("\n", "")
    assert key not in text
    assert read(file).head.redacted == ("xfrm.XFRMA_ALG_CRYPT",)
    kept = netlink_emu("record", "-o", file, "--keep-secrets", "--", "unshare", "-rn", *command)
    assert kept.returncode == done.returncode
    assert key in file.read_text().replace(" ", "").replace("\n", "")
    # Who has the key is answered by a cassette that has it not.
    netlink_emu("record", "-o", file, "--", "unshare", "-rn", *command)
    again = netlink_emu("replay", file, "--", *command)
    assert "not on the cassette" not in again.stderr
    assert (again.returncode, again.stdout) == (done.returncode, done.stdout)


# --- the end of a recording

ASKS_AND_STAYS = """
import signal, socket, struct
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
sock.send(struct.pack("=IHHIIBxHiII", 32, 18, 1, 7, 0, 0, 0, 1, 0, 0))
sock.recv(65536)
print("asked", flush=True)
signal.pause()
"""


@contextlib.contextmanager
def staying(file: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A recorder whose command has asked, and stays; both are a process group."""
    command = [*NETLINK_EMU, "record", "-o", str(file), *options, "--", *python(ASKS_AND_STAYS)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as recorder:
        try:
            assert recorder.stdout is not None
            assert recorder.stdout.readline() == "asked\n"
            yield recorder
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(recorder.pid, signal.SIGKILL)


def kinds(cassette: Cassette) -> list[str]:
    return [type(event).__name__ for stream in cassette.streams for event in stream.events]


@pytest.mark.parametrize("to_group", [False, True], ids=["to us", "to all, as Ctrl-C"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_finishes_it(number: signal.Signals, to_group: bool, tmp_path: Path) -> None:
    file = tmp_path / "x.cassette"
    with staying(file) as recorder:
        (os.killpg if to_group else os.kill)(recorder.pid, number)
        assert recorder.wait(SECONDS) == -number
    assert kinds(read(file)) == ["Request", "Bound", "Answer"]
    assert [*tmp_path.iterdir()] == [file]


def test_a_killed_recorder_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x.cassette"
    left = tmp_path / "x.cassette.unfinished"
    with staying(file, "--redact", "route.3") as recorder:
        recorder.kill()
        recorder.wait(SECONDS)
    assert [*tmp_path.iterdir()] == [left]
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    way_out = f"netlink-emu cassette finish {left}"
    for args in (
        ("cassette", "check", left),
        ("cassette", "show", file),
        ("cassette", "show", left),
        ("replay", left, "--", "true"),
        ("record", "-o", file, "--", "true"),
    ):
        done = netlink_emu(*args)
        assert done.returncode == 1
        assert way_out in done.stdout + done.stderr
        assert len((done.stdout + done.stderr).splitlines()) == 1
    done = netlink_emu("cassette", "finish", left)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"recorded to {file}" in done.stderr
    assert [*tmp_path.iterdir()] == [file]
    found = read(file)
    assert kinds(found) == ["Request", "Bound", "Answer"]
    assert found.head.redacted == ("route.3",)
    assert netlink_emu("cassette", "check", file).returncode == 0


def test_a_killed_recorder_that_appended(tmp_path: Path) -> None:
    file = tmp_path / "x.cassette"
    netlink_emu("record", "-o", file, "--", *python(TWO))
    with staying(file, "--append") as recorder:
        recorder.kill()
        recorder.wait(SECONDS)
    assert netlink_emu("cassette", "finish", f"{file}.unfinished").returncode == 0
    assert [stream.protocol for stream in read(file).streams] == [0, 16, 0]


def test_what_was_left_in_another_file(tmp_path: Path) -> None:
    file, left, cut = (tmp_path / name for name in ("x", "x.unfinished", "y"))
    with staying(file) as recorder:
        recorder.kill()
        recorder.wait(SECONDS)
    cut.write_bytes(left.read_bytes()[:-7])
    done = netlink_emu("cassette", "finish", cut)
    assert f"{cut} does not end in .unfinished" in done.stderr
    done = netlink_emu("cassette", "finish", cut, "-o", file)
    assert f"the last line of {cut} was cut, and left out" in done.stderr
    assert kinds(read(file)) == ["Request", "Bound"]


def test_a_cassette_that_cannot_be_written_stays_unfinished(tmp_path: Path) -> None:
    """It was of another kernel when we came to write."""
    file = tmp_path / "x.cassette"
    other = 'netlink-emu-cassette: 1\nkernel: "2.6.18"\nsockets: []\n'
    file.write_text(other)
    done = netlink_emu("record", "-o", file, "--append", "--", *python(TWO))
    assert done.returncode == 1
    left = f"{file}.unfinished"
    assert f"{left} has the recording: netlink-emu cassette finish {left} -o FILE" in done.stderr
    assert netlink_emu("cassette", "finish", left, "-o", tmp_path / "y").returncode == 0
    assert [stream.protocol for stream in read(tmp_path / "y").streams] == [0, 16]
    assert file.read_text() == other


def test_to_the_standard_output(tmp_path: Path) -> None:
    """A link is written to, and not replaced; nothing is kept beside it."""
    file, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(file)
    assert netlink_emu("record", "-o", link, "--", *python(TWO)).returncode == 0
    assert link.is_symlink()
    assert read(file).streams
    done = netlink_emu("record", "-o", "/dev/stdout", "--", *python("import socket; " + TWO))
    assert done.stdout.splitlines()[2] == "netlink-emu-cassette: 1"
    assert not Path("/dev/stdout.unfinished").exists()
