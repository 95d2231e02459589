"""Who may do what: the promises of docs/security.md that need another user, or a stranger."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from errno import EPERM
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from helpers.interposed import NETLINK_EMU, emulated, needs_interposer
from helpers.nets import SECONDS
from helpers.nobody import AS_NOBODY, NOBODY, as_nobody, needs_root
from helpers.others import PYTHON, ours_for_others
from helpers.serving import Client, hello, hello_answer, register, request, serving
from helpers.steps import lines_run_by

from netlink_emu.cli.decode import _read
from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.recordings.corpora import read_file
from netlink_emu.families import boot
from netlink_emu.families.control import Control
from netlink_emu.faults import Faults
from netlink_emu.interpose.client.memory import ClientGone, ClientMemory
from netlink_emu.interpose.filter.seccomp import Notification
from netlink_emu.interpose.syscalls.trap import Trap
from netlink_emu.journal import Journal
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.format import DecodeError
from netlink_emu.protocol.reading.pcapng import read_capture
from netlink_emu.server.endpoint import bound_socket
from netlink_emu.server.errors import UnsafeDirectory
from netlink_emu.server.service import everyone_is_themselves
from netlink_emu.testing import EmulatedKernel

ROOT: Final = Path(__file__).parents[2]


# --- docs/security.md


def test_every_promise_names_a_test_that_there_is() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", page)
    assert len(named) > 25
    for file, test in named:
        text = (ROOT / file).read_text()
        for name in test.split("::"):
            assert re.search(rf"^\s*(async )?(def|class) {name}\b", text, re.MULTILINE), test
    promises = page.split("## What is not promised")[0].split("## Promises")[1].splitlines()
    for line in promises:
        if line.startswith("- "):
            assert "`tests/" in line, f"a promise without a test: {line}"


# --- the socket's place


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody can look into, and we alone write to."""
    with tempfile.TemporaryDirectory(prefix="netlink-emu-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@needs_root
def test_another_user_can_neither_reach_nor_replace_it(public: Path) -> None:
    path = public / "run" / "nl"
    with serving(path):

        def reach() -> None:
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect(str(path))

        def replace() -> None:
            path.unlink()

        def bind() -> None:
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind(str(path) + "2")

        def swap() -> None:
            (public / "run").rename(public / "mine")

        for attempt in (reach, replace, bind, swap):
            assert as_nobody(attempt) == "Permission denied"
        with Client(path, "", connect=True) as client:
            assert client.ask(register("0")) != []


@needs_root
def test_another_user_cannot_squat_it(public: Path) -> None:
    (public / "tmp").mkdir()
    (public / "tmp").chmod(0o1777)
    as_nobody(lambda: (public / "tmp" / "run").mkdir(mode=0o700))
    with (
        pytest.raises(UnsafeDirectory, match="belongs to somebody else"),
        bound_socket(public / "tmp" / "run" / "nl"),
    ):
        pass
    as_nobody(lambda: (public / "tmp" / "link").symlink_to(public))
    with (
        pytest.raises(UnsafeDirectory, match="is a symbolic link"),
        bound_socket(public / "tmp" / "link" / "nl"),
    ):
        pass
    with (
        pytest.raises(UnsafeDirectory, match="is a symbolic link of somebody else"),
        bound_socket(public / "tmp" / "link" / "run" / "nl"),
    ):
        pass


@needs_root
def test_a_place_below_somebody_elses_directory_is_refused(public: Path) -> None:
    (public / "theirs").mkdir()
    os.chown(public / "theirs", NOBODY, NOBODY)
    with (
        pytest.raises(UnsafeDirectory, match=r"theirs, above .*, belongs to somebody else"),
        bound_socket(public / "theirs" / "run" / "nl"),
    ):
        pass


# --- who a client is


@needs_root
def test_credentials_are_the_kernels_word(tmp_path: Path) -> None:
    """Nobody else's ids can be claimed, but by root, whom the kernel lets."""
    get_init = request(1, 1, struct.pack("=I", 1))

    def claim(uid: int) -> bytes:
        return struct.pack("=iII", os.getpid(), uid, uid)

    def error(answer: bytes) -> int:
        kind, number = struct.unpack_from("=H10xi", answer, 4)
        return -int(number) if kind == 2 else 0

    with serving(tmp_path / "run" / "nl", policy=everyone_is_themselves) as server:
        with server.client() as client:

            def honest() -> int:
                client.sock.send(get_init)
                return error(client.recv())

            def lie() -> int:
                rights = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, claim(0))
                return client.sock.sendmsg([get_init], [rights])

            assert honest() == 0
            assert as_nobody(lie) == "Operation not permitted"
        with server.client() as client:
            assert as_nobody(honest) == str(EPERM)
        with server.client() as client:
            rights = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, claim(NOBODY))
            client.sock.sendmsg([get_init], [rights])
            assert error(client.recv()) == EPERM


STRANDED: Final = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + sys.argv[1])
s.sendto(bytes.fromhex(sys.argv[2]), sys.argv[3])
s.recv(1000)
print("registered", flush=True)
sys.stdin.read()
"""


def test_an_abstract_name_that_a_stranger_takes_gets_nothing(tmp_path: Path) -> None:
    name = f"netlink-emu-test-{os.getpid()}-{uuid.uuid4()}"
    path = tmp_path / "run" / "nl"
    command = [sys.executable, "-c", STRANDED, name, register("0-3").hex(), str(path)]
    with (
        serving(path) as server,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client,
    ):
        assert client.stdout is not None
        assert client.stdout.readline() == b"registered\n"

        def take_over() -> None:
            """Between two doings of the server: it finds the name bound when it looks."""
            client.send_signal(signal.SIGKILL)
            client.wait()
            stranger.bind("\0" + name)

        server.call(take_over)
        server.until(lambda statistics: statistics.sockets == 0)
        server.play('[[task]]\ncomm = "x"\ntimeline = [{ at = 0, exit = 0 }]', 1)
        with server.client() as other:
            other.ask(register("0"))
        stranger.settimeout(0)
        with pytest.raises(BlockingIOError):
            stranger.recv(1000)


# --- the family that controls

CONTROL_CLIENT: Final = """
import errno, socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
def ask(kind, flags, body):
    s.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
    answer = s.recv(65536)
    return struct.unpack_from("=H10xi", answer, 4), answer
_, answer = ask(16, 1, struct.pack("=BBH HH", 3, 1, 0, 16, 2) + b"NETLINK_EMU\\0")
family = struct.unpack_from("=H", answer, answer.index(b"\\6\\0\\1\\0") + 4)[0]
(kind, error), _ = ask(family, 0x301, struct.pack("=BBH", 1, 1, 0))
print(errno.errorcode[-error] if kind == 2 else "answered")
group = answer.index(b"\\x08\\0\\2\\0", answer.index(b"journal") - 12)
try:
    s.setsockopt(270, 1, struct.unpack_from("=I", answer, group + 4)[0])
    print("joined")
except OSError as exc:
    print(errno.errorcode[exc.errno])
"""


@needs_interposer
@needs_root
@pytest.mark.parametrize(
    ("prefix", "options", "said"),
    [
        ((), (), "answered\njoined\n"),
        ((), ("--uid", "1000"), "EPERM\nEPERM\n"),
        (AS_NOBODY, (), "EPERM\nEPERM\n"),
        (AS_NOBODY, ("--uid", "0"), "EPERM\nEPERM\n"),
        (AS_NOBODY, ("--clients", "themselves"), "EPERM\nEPERM\n"),
    ],
    ids=["owner", "owner pretends", "nobody", "nobody pretends", "nobody as itself"],
)
def test_a_client_that_pretends_to_be_root_does_not_control(
    prefix: tuple[str, ...], options: tuple[str, ...], said: str
) -> None:
    done = emulated(*prefix, PYTHON, "-c", CONTROL_CLIENT, options=("--control", *options))
    assert (done.stdout, done.stderr) == (said, "")


@needs_root
@pytest.mark.parametrize("release", ["2.6.35", "6.18"])
def test_another_user_with_a_channel_does_not_control(release: str) -> None:
    """Even where everyone is root in the emulated kernel, and over a channel that root made."""
    with EmulatedKernel(release, control=True) as kernel:
        family = kernel.kernel.genl.by_name("NETLINK_EMU")
        assert family is not None
        sock, fresh = kernel.connect(), kernel.connect()
        listing = struct.pack("=IHHIIBBH", 20, family.id, 0x301, 1, 0, 1, 1, 0)

        def ask() -> int:
            sock.send(listing)
            kind, error = struct.unpack_from("=H10xi", sock.recv(65536), 4)
            return -int(error) if kind == 2 else 0

        def join() -> int:
            assert family is not None
            fresh.send(hello(groups=1 << (family.mcgrp_offset - 1)))
            return hello_answer(fresh.recv(65536))[0]

        assert as_nobody(ask) == as_nobody(join) == str(EPERM)
        sock.close()
        fresh.close()


FAMILY: Final = struct.pack("=IHHIIBBxxHH", 36, 16, 5, 1, 0, 3, 1, 16, 2) + b"NETLINK_EMU\0"


@needs_root
@pytest.mark.parametrize("passcred", [True, False], ids=["another pid namespace", "not told"])
def test_who_has_no_pid_here_has_no_more_rights(tmp_path: Path, passcred: bool) -> None:
    """We are outside of the server's pid namespace, make a channel as root, and give it away."""
    path = tmp_path / "place" / "socket"
    prefix = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    serve = (*NETLINK_EMU, "serve", "--socket", str(path), "--control")
    with subprocess.Popen([*prefix, *serve], stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            assert server.stderr.readline()  # it serves now
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.settimeout(SECONDS)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
                way.connect(str(path))
                socket.send_fds(way, [hello()], [theirs.fileno()])
            hello_answer(ours.recv(100))
            if not passcred:
                theirs.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
            theirs.close()

            def ask() -> int:
                ours.send(FAMILY)
                answer = ours.recv(65536)
                at = answer.index(b"\6\0\1\0") + 4  # CTRL_ATTR_FAMILY_ID
                (family,) = struct.unpack_from("=H", answer, at)
                ours.recv(65536)  # the ack
                ours.send(struct.pack("=IHHIIBBH", 20, family, 0x301, 2, 0, 1, 1, 0))
                kind, error = struct.unpack_from("=H10xi", ours.recv(65536), 4)
                return -int(error) if kind == 2 else 0

            assert as_nobody(ask) == str(EPERM)
            if passcred:
                assert ask() == 0, "root is root there, too"
            ours.close()
        finally:
            server.kill()  # unshare(1) heeds nothing less; the server dies with it


# --- files


def test_a_capture_of_any_lengths_is_refused_at_once() -> None:
    """Nothing is read, or gone through, as long as a block says it is."""
    header = bytes.fromhex("0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000")
    for length in (0xFFFFFFFF, 0xFFFFFFFC, 0x7FFFFFFC, 13, 8, 0):
        capture = header + struct.pack("<II", 6, length) + bytes(24)
        assert lines_run_by(partial(_refuse_capture, capture)) < 1000


def _refuse_capture(capture: bytes) -> None:
    with pytest.raises(DecodeError):
        list(read_capture(capture))


def test_files_without_an_end_are_not_read_to_it(tmp_path: Path) -> None:
    long = tmp_path / "long.json"
    with long.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UserError, match="is longer than 256 MiB: take a part of it"):
        _read(str(long))
    with pytest.raises(UserError, match="is longer than 64 MiB: take a part of it"):
        read_file(long)


# --- a client's memory


def test_a_thread_number_used_again_is_not_touched() -> None:
    """The call's id is not valid any more: its tid is a stranger's, whose memory stays."""
    memory = ctypes.create_string_buffer(b"unchanged")
    at = ctypes.addressof(memory)
    calls: list[int] = []

    def gone(id: int) -> bool:
        calls.append(id)
        return False

    notification = Notification(77, os.getpid(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    trap = Trap(notification, ClientMemory(), gone)
    with pytest.raises(ClientGone):
        trap.write([(at, b"overwritten")])
    with pytest.raises(ClientGone):
        trap.read(at, 4)
    with pytest.raises(ClientGone):
        trap.gather([(at, 4), (at, 4)])
    assert (memory.value, calls) == (b"unchanged", [77, 77, 77])


def test_who_controls_in_the_emulated_kernel() -> None:
    machine = Machine(cpus=1)
    kernel = boot(machine, profile_for("6.18"))
    journal = Journal(kernel)
    control = Control(kernel, journal, Faults(kernel, journal), owner=1000)

    def admits(uid: int, host_uid: int | None) -> bool:
        current = Current(
            cred=Cred.for_ids(machine.init_user_ns, uid, uid),
            net=machine.init_net,
            pid_ns=machine.init_pid_ns,
            tgid_vnr=1,
            host_uid=None if host_uid is None else lambda: host_uid,
        )
        return control.admits(current)

    assert all(admits(uid, host) for uid in (0, 1000) for host in (None, 0, 1000))
    assert not any(admits(uid, host) for uid in (0, 1000, 7) for host in (-1, 7, NOBODY))
    assert not any(admits(7, host) for host in (None, 0, 1000, 7))


# --- a command that is run


@needs_interposer
@needs_root
def test_a_set_user_id_program_of_nobodys_is_still_nobody(public: Path) -> None:
    """root's own id(1), for everybody to run as root."""
    emulator = ours_for_others()
    if not emulator:
        pytest.skip("needs a Python of our version, and modules, that others may read")
    program = public / "id"
    shutil.copy(shutil.which("id") or "", program)
    program.chmod(0o4755)

    def who(*ours: str) -> str:
        command = [*AS_NOBODY, *ours, str(program), "-u"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    if who() != "0\n":
        pytest.skip("set-user-id programs get no rights here")
    assert who(*emulator, "run", "--") == f"{NOBODY}\n"
    assert who(*emulator, "run", "--uid", "0", "--") == f"{NOBODY}\n"


# Sends descriptors by the pair behind an emulated socket, past the filter, and to us by it.
FLOOD = f"""
import os, select, socket, struct
netlink = socket.socket(16, 3, 16)
past = socket.socket(fileno=os.dup2(netlink.fileno(), 20))
ask = struct.pack("=IHHII BBH HHH2x", 28, 16, 1, 1, 0, 3, 1, 0, 6, 1, 16)
reader, writer = os.pipe()
refused = served = 0
for sock in (past, netlink):
    for number in (1, 4, 253):
        for _ in range(100):
            try:
                socket.send_fds(sock, [ask], [writer] * number)
            except OSError:
                refused += 1
            else:
                served += len(netlink.recv(4096)) > 28
os.close(writer)
ready, _, _ = select.select([reader], [], [], {SECONDS})
print(refused, served, os.read(reader, 1) if ready else "somebody holds them")
"""


@needs_interposer
def test_a_flood_of_descriptors_from_a_command_fills_nobodys_table() -> None:
    done = emulated(PYTHON, "-c", FLOOD, prefix=("prlimit", "--nofile=512:512"))
    # A kernel's netlink sockets take no descriptors (EINVAL).
    assert (done.stdout, done.stderr) == ("300 300 b''\n", "")


# --- what is printed

# A name that colours the terminal and forges a line, a family that changes the window's title.
ACTOR = r"""
import ctypes, socket, struct
ctypes.CDLL(None).prctl(15, b"\x1b[31mA\n#9 ok", 0, 0, 0)
s = socket.socket(16, 3, 16)
s.bind((0, 0))
for name in (b"\x1b]0;X\x07\0", "\x9b2J\u202e\0".encode()):
    m = struct.pack("=BBxxHH", 3, 1, 4 + len(name), 2) + name + bytes(-len(name) % 4)
    s.send(struct.pack("=IHHII", 16 + len(m), 16, 5, 1, 0) + m)
    s.recv(9999)
"""


@needs_interposer
@pytest.mark.parametrize("form", ["txt", "json", "pcapng"])
def test_nothing_of_a_clients_reaches_the_terminal_as_it_is(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"journal.{form}"
    done = emulated(PYTHON, "-c", ACTOR, options=["--summary", "--journal", str(path)])
    assert done.returncode == 0, done.stderr
    text = path.read_bytes()
    if form == "pcapng":
        decoded = [*NETLINK_EMU, "decode", str(path)]
        text = subprocess.run(decoded, capture_output=True, check=True).stdout
    lines = (text.decode() + done.stderr).splitlines()
    assert lines
    for line in lines:
        assert line.isprintable(), ascii(line)
        assert not line.startswith("#9 ok")
    assert r"[31mA\n#9 ok" in text.decode()
