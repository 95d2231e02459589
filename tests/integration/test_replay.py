"""``netlink-emu replay``: an unmodified client, answered from a file."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.interposed import needs_interposer

from netlink_emu.cassettes import (
    Answer,
    Bound,
    Cassette,
    Event,
    Head,
    Request,
    Stream,
    write_cassette,
)

CLIENT = """
import socket, struct, sys
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
sock.bind((0, 0))
sock.send(struct.pack("=IHHIIB3x", 20, 22, 0x301, 1234, 0, int(sys.argv[1])))
if sys.argv[2:]:
    sock.send(struct.pack("=IHHIIB3x", 20, 22, 0x301, 1235, 0, 7))
while True:
    data = sock.recv(65536)
    kind, _, seq, pid = struct.unpack_from("=HHII", data, 4)
    print(kind, seq, pid == sock.getsockname()[0], data[16:24].hex(), flush=True)
    if kind in (2, 3) and not (sys.argv[2:] and seq == 1234):
        break
"""
# RTM_NEWADDR and NLMSG_DONE.
ANSWERS = (
    Answer(struct.pack("=IHHII4B4x", 24, 20, 2, 9, 777, 2, 8, 128, 254)),
    Answer(struct.pack("=IHHIIi", 20, 3, 2, 9, 777, 0)),
)
REQUEST = Request(struct.pack("=IHHIIB3x", 20, 22, 0x301, 9, 0, 2), text="RTM_GETADDR")


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    file = tmp_path / "addresses.cassette"
    stream = Stream(0, 3, "python", (Bound(777), REQUEST, *ANSWERS))
    file.write_text(write_cassette(Cassette(Head("6.18.44"), (stream,))))
    return file


def replay(cassette: Path, *args: str, options: tuple[str, ...] = ()) -> tuple[int, str, str]:
    command = [sys.executable, "-c", CLIENT, *args]
    done = subprocess.run(
        [sys.executable, "-m", "netlink_emu.cli.main", "replay", *options, str(cassette), "--",
         *command],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@needs_interposer
def test_a_client_gets_what_was_recorded(cassette: Path) -> None:
    assert replay(cassette, "2") == (
        0,
        "20 1234 True 020880fe00000000\n3 1234 True 00000000\n",
        "",
    )


@needs_interposer
def test_what_is_not_recorded(cassette: Path) -> None:
    """The client hears EOPNOTSUPP, the user what differs, and the run fails."""
    status, out, err = replay(cassette, "10", options=("--strict",))
    assert (status, out) == (1, "2 1234 True a1ffffff14000000\n")
    assert "nearest is request 1 of socket 1: header is 0a000000, recorded is 02000000" in err
    assert "request 1 of socket 1 was not made: RTM_GETADDR" in err


ATTRIBUTES = """
import socket, struct, sys
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
attributes = b"".join(struct.pack("=HHI", 8, *map(int, pair.split("="))) for pair in sys.argv[1:])
sock.send(struct.pack("=IHHIIB7x", 24 + len(attributes), 22, 5, 1, 0, 2) + attributes)
print(struct.unpack_from("=i", sock.recv(65536), 16)[0])
"""


@needs_interposer
@pytest.mark.parametrize(
    ("asked", "out", "said"),
    [
        (("8=1", "9=7"), "0\n", ""),
        (("8=2", "9=7"), "-95\n", "IFA_FLAGS is 2, recorded is 1"),
        (("8=1",), "-95\n", "IFA_RT_PRIORITY 7 is missing"),
        (("8=1", "9=7", "4=1"), "-95\n", "IFA_BROADCAST 01000000 was not there"),
    ],
)
def test_a_request_changed_by_one_attribute(
    asked: tuple[str, ...], out: str, said: str, tmp_path: Path
) -> None:
    attributes = struct.pack("=HHIHHI", 8, 8, 1, 8, 9, 7)
    request = struct.pack("=IHHIIB7x", 40, 22, 5, 1, 0, 2) + attributes
    ack = struct.pack("=IHHIIi", 36, 2, 0x100, 1, 777, 0) + request[:16]
    file = tmp_path / "x.cassette"
    stream = Stream(0, 3, "python", (Bound(777), Request(request), Answer(ack)))
    file.write_text(write_cassette(Cassette(Head("6.18.44"), (stream,))))
    done = subprocess.run(
        [sys.executable, "-m", "netlink_emu.cli.main", "replay", str(file), "--",
         sys.executable, "-c", ATTRIBUTES, *asked],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (bool(said), out)
    assert said in done.stderr
    assert bool(done.stderr) == bool(said)


@needs_interposer
@pytest.mark.parametrize(
    ("recorded", "status", "said"),
    [(0, 0, False), (0, 3, True), (3, 3, False), (3, 0, True), (None, 3, False)],
)
def test_a_client_that_fails_though_all_was_recorded(
    recorded: int | None, status: int, said: bool, tmp_path: Path
) -> None:
    """It has asked something else than netlink, most likely."""
    file = tmp_path / "x.cassette"
    stream = Stream(0, 3, "python", (Bound(777), REQUEST, *ANSWERS))
    file.write_text(write_cassette(Cassette(Head("6.18.44", status=recorded), (stream,))))
    ends = CLIENT + f"sys.exit({status})\n"
    done = subprocess.run(
        [sys.executable, "-m", "netlink_emu.cli.main", "replay", str(file), "--",
         sys.executable, "-c", ends, "2"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == status
    hint = (
        f"netlink-emu: {file}: the command ended with status {status}, and with {recorded} when "
        "it was recorded; what a client learns from ioctl, /sys or /proc is not recorded\n"
    )
    assert done.stderr == (hint if said else "")


@needs_interposer
def test_a_wait_for_what_is_not_there_ends(tmp_path: Path) -> None:
    """The cassette was cut behind the first answer."""
    file = tmp_path / "cut.cassette"
    stream = Stream(0, 3, "python", (Bound(777), REQUEST, ANSWERS[0]))
    file.write_text(write_cassette(Cassette(Head("6.18.44"), (stream,))))
    status, out, err = replay(file, "2", options=("--patience", "0.5"))
    assert (status, out) == (1, "20 1234 True 020880fe00000000\n")
    assert "waits for more than was recorded: all of socket 1 was played" in err
    assert "TimeoutError" in err


@needs_interposer
def test_junk(tmp_path: Path) -> None:
    file = tmp_path / "junk.cassette"
    file.write_bytes(bytes(range(256)) * 100)
    status, out, err = replay(file, "2")
    assert (status, out) == (1, "")
    assert err.startswith(f"netlink-emu: {file}:")
    assert len(err.splitlines()) == 1


@needs_interposer
def test_a_release_that_is_not_known(cassette: Path) -> None:
    cassette.write_text(cassette.read_text().replace("6.18.44", "9.99"))
    status, _, err = replay(cassette, "2")
    assert status == 0
    assert "the cassette was recorded on Linux 9.99: " in err


# --- on a server

DATAGRAMS = """
import os, socket, struct, sys
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.settimeout(300)
sock.bind(sys.argv[1])
sock.connect(os.environ["NETLINK_EMU_SOCKET"])
sock.send(struct.pack("=IHHIIB3x", 20, 22, 0x301, 1234, 0, 2))
for _ in range(2):
    print(struct.unpack_from("=HHI", sock.recv(65536), 4))
"""


def serve(cassette: Path, *command: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "netlink_emu.cli.main", "serve", "--strict", "--cassette",
         str(cassette), "--", *command],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_datagram_clients_of_a_server(cassette: Path, tmp_path: Path) -> None:
    """Their sockets are of the one protocol that is recorded."""
    client = (sys.executable, "-c", DATAGRAMS, str(tmp_path / "client"))
    assert serve(cassette, *client) == (0, "(20, 2, 1234)\n(3, 2, 1234)\n", "")


@needs_interposer
def test_connected_commands_of_a_server(cassette: Path) -> None:
    connected = f"""
{sys.executable} -m netlink_emu.cli.main run --connect "$NETLINK_EMU_SOCKET" -- \\
    {sys.executable} -c '{CLIENT}' 2
"""
    said = "20 1234 True 020880fe00000000\n3 1234 True 00000000\n"
    assert serve(cassette, "sh", "-c", connected) == (0, said, "")


def test_a_server_says_what_was_not_asked(cassette: Path) -> None:
    status, _, err = serve(cassette, "true")
    assert (status, err) == (
        1, f"netlink-emu: {cassette}: request 1 of socket 1 was not made: RTM_GETADDR\n"
    )  # fmt: skip


# --- broken on purpose


def small(head: Head, *events: Event) -> str:
    return write_cassette(Cassette(head, (Stream(0, 3, "python", (Bound(777), *events)),)))


@needs_interposer
@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        pytest.param(small(Head(arch="s390x"), REQUEST), 1,
                     "s390x is big-endian, and a command of this little-endian machine cannot",
                     id="another byte order"),
        pytest.param(small(Head(arch="pdp11"), REQUEST), 1, "unknown architecture 'pdp11'",
                     id="another machine"),
        pytest.param(small(Head(), REQUEST, *ANSWERS)[:-55], 1, "bytes is a string, not nothing",
                     id="cut in the middle"),
        pytest.param(small(Head(), REQUEST, *ANSWERS)[:-28], 0,
                     ".cassette:16:5: its last 8 bytes are not a message", id="cut in bytes"),
        pytest.param(small(Head(), REQUEST, *ANSWERS).replace("dgram", "x").replace("raw", "x"), 1,
                     "type is dgram or raw, not 'x'", id="a word that is none"),
        pytest.param("netlink-emu-cassette: 2\n", 1, "version 2 of the format is not known",
                     id="another version"),
        pytest.param("- " * 100_000, 1, "not YAML: ", id="deep"),
        pytest.param("netlink-emu-cassette: 1\n#" + "x" * (100 << 20), 1, "longer than 32 MiB",
                     id="100 MB"),
        pytest.param("netlink-emu-cassette: 1\nsockets: []\n", 0, "", id="nothing recorded"),
    ],
)  # fmt: skip
def test_broken_cassettes(tmp_path: Path, text: str, status: int, said: str) -> None:
    """One clear sentence each, before the command has begun."""
    file = tmp_path / "broken.cassette"
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "netlink_emu.cli.main", "replay", str(file), "--", "echo", "ran"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (status, "" if status else "ran\n")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == bool(said), done.stderr


@needs_interposer
def test_an_extra_request(cassette: Path) -> None:
    """It gets its errno, the first its answers."""
    status, out, err = replay(cassette, "2", "and more")
    assert status == 1
    assert out.splitlines()[-1].startswith("2 1235 True a1ffffff")
    assert "nearest is request 1 of socket 1: header is 07000000, recorded is 02000000" in err


@needs_interposer
def test_bytes_are_played_whatever_the_text_says(cassette: Path) -> None:
    cassette.write_text(cassette.read_text().replace("RTM_GETADDR", "RTM_GETLINK"))
    assert replay(cassette, "2")[0] == 0
