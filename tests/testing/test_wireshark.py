"""The Lua dissector in tshark, on captures of ours."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.nets import SECONDS

from netlink_emu.files import path_of
from netlink_emu.protocol.family import encode
from netlink_emu.protocol.reading.declared import describe
from netlink_emu.specs import read_spec_file
from netlink_emu.specs.wireshark import dissector
from netlink_emu.testing import EmulatedKernel

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
SPECS = Path(__file__).parents[1] / "data/specs/7.3"


# The info column alone; its name as a field differs from version to version.
INFO = ("-o", 'gui.column.format:"Info","%i"')


@pytest.fixture(autouse=True, scope="module")
def _lua(tmp_path_factory: pytest.TempPathFactory) -> None:
    script = tmp_path_factory.mktemp("lua") / "says.lua"
    script.write_text('print("Lua is run")\n')
    command = ["tshark", "-X", f"lua_script:{script}", "-G", "protocols"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if "Lua is run" not in said.stdout:
        pytest.skip("this tshark runs no Lua, or not for root, as since 4.4")


def tshark(capture: Path, script: Path, *args: str) -> list[str]:
    """What tshark says of a capture: by default the info column."""
    done = subprocess.run(
        [
            "tshark", "-X", f"lua_script:{script}", "-r", str(capture),
            *(args or INFO),
        ],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "lua" not in done.stderr.lower(), done.stderr
    return done.stdout.splitlines()


def message(kind: int, cmd: int, attrs: bytes, order: str = "little", flags: int = 1) -> bytes:
    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, "little" if order == "little" else "big")

    head = number(20 + len(attrs), 4) + number(kind, 2) + number(flags, 2) + number(1, 4)
    return head + bytes(4) + bytes((cmd, 1, 0, 0)) + attrs


def attr_pid(pid: int, order: str = "little") -> bytes:
    if order == "little":
        return b"\x08\0\1\0" + pid.to_bytes(4, "little")
    return b"\0\x08\0\1" + pid.to_bytes(4, "big")


@pytest.mark.parametrize(("arch", "order"), [("x86_64", "little"), ("s390x", "big")])
def test_taskstats(arch: str, order: str, tmp_path: Path) -> None:
    capture = tmp_path / "x.pcapng"
    tasks = [{"comm": "postgres", "pid": 4242}]
    with EmulatedKernel("6.1", arch=arch, tasks=tasks) as kernel, kernel.journal_to(capture):
        sock = kernel.connect()
        for pid in (4242, 99):
            sock.send(message(kernel.family_id, 1, attr_pid(pid, order), order))
            sock.recv(4096)
    script = path_of("netlink_emu.lua")
    assert tshark(capture, script) == [
        "TASKSTATS_CMD_GET pid 4242",
        "TASKSTATS_CMD_NEW pid 4242",
        "TASKSTATS_CMD_GET pid 99",
        "ESRCH about TASKSTATS_CMD_GET pid 99",
    ]
    struct = "netlink_emu.taskstats.ac_comm"
    for question, number in (
        ("netlink_emu.taskstats.taskstats_cmd_attr_pid == 4242", 1),
        (f'{struct} contains "postgres" && netlink_emu.taskstats.ac_pid == 4242', 1),
        ('netlink_emu.errno == "ESRCH"', 1),
        ('netlink_emu.family == "TASKSTATS"', 4),
    ):
        found = tshark(capture, script, "-Y", question, "-T", "fields", "-e", "frame.number")
        assert len(found) == number, question
    tree = "\n".join(tshark(capture, script, "-V"))
    assert "ac_comm: postgres" in tree


def test_nlctrl_and_a_number_that_it_tells(tmp_path: Path) -> None:
    capture = tmp_path / "x.pcapng"
    with EmulatedKernel("6.18") as kernel, kernel.journal_to(capture):
        sock = kernel.connect()
        sock.send(message(16, 3, b"\x0e\0\2\0TASKSTATS\0\0\0"))
        sock.recv(4096)
    asked, told = tshark(capture, path_of("netlink_emu.lua"))
    assert asked == "CTRL_CMD_GETFAMILY family_name TASKSTATS"
    assert told.startswith("CTRL_CMD_NEWFAMILY family_name TASKSTATS family_id")


def test_a_family_of_a_spec(tmp_path: Path) -> None:
    spec = read_spec_file(SPECS / "tcp_metrics.yaml").declaration
    op = spec.operation("get")
    script = tmp_path / "own.lua"
    script.write_text(dissector([describe(spec)]))
    exchange = op.do
    assert exchange is not None
    capture = tmp_path / "x.pcapng"
    attrs = encode(op.attributes, {"addr-ipv4": "127.0.0.1"})
    with EmulatedKernel("6.18") as kernel, kernel.journal_to(capture):
        sock = kernel.connect()
        sock.send(message(77, exchange.cmd, attrs))
        sock.recv(4096)
    plain = tshark(capture, script)
    assert plain[0].startswith("77 command")
    named = tshark(capture, script, "-o", "netlink_emu.ids:tcp_metrics=77", *INFO)
    assert named[0].startswith("get addr-ipv4")


def test_hostile_bytes_are_no_error(tmp_path: Path) -> None:
    """Nests that end nowhere, lengths that lie, errors in errors, text that forges a line."""
    capture = tmp_path / "x.pcapng"
    nest = b""
    for _ in range(60):
        nest = (len(nest) + 4).to_bytes(2, "little") + b"\4\x80" + nest
    with EmulatedKernel("6.18") as kernel, kernel.journal_to(capture):
        sock = kernel.connect()
        for attrs in (nest, b"\xff\xff\1\0", b"\3\0\1\0", b"\4\0\1\0", b"\x08\0\3\0\x1b[2J"):
            for flags in (0, 1):
                sock.send(message(kernel.family_id, 1, attrs, flags=flags))
        error = bytes(16)
        for _ in range(40):
            error = (
                (20 + len(error)).to_bytes(4, "little") + b"\2\0" + bytes(10) + bytes(4) + error
            )
        sock.send(error)
    lines = tshark(capture, path_of("netlink_emu.lua"), "-V")
    assert not any("Lua Error" in line or "\x1b" in line for line in lines)
