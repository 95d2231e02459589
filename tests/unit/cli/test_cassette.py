"""``netlink-emu cassette``: what it prints, and how it ends."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netlink_emu.cassettes import (
    Answer,
    Bound,
    Cassette,
    Event,
    Head,
    RecordedFamily,
    Request,
    Stream,
    read_cassette,
    write_cassette,
)
from netlink_emu.cassettes.text import texted
from netlink_emu.cli import main as root


def nlmsg(kind: int, flags: int, body: bytes = b"") -> bytes:
    return struct.pack("<IHHII", 16 + len(body), kind, flags, 1, 0) + body


Call = Callable[..., tuple[int, str, str]]
EVENTS = (
    Bound(777, (1,)),
    Request(nlmsg(18, 0x301, bytes(16))),
    Answer(nlmsg(16, 2, bytes(16) + struct.pack("<HHI", 8, 4, 1500))),
    Answer(nlmsg(3, 2, bytes(4))),
    Answer(nlmsg(16, 0, bytes(16)), group=1, after=20),
)


def write(path: Path, *events: Event) -> Path:
    head = Head("6.18.44", "x86_64", "1.0", ("ip", "link"), redacted=("WGDEVICE_A_PRIVATE_KEY",))
    cassette = texted(Cassette(head, (Stream(0, 3, "ip", events),)))
    path.write_text(write_cassette(cassette))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "links.cassette", *EVENTS)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["netlink-emu", "cassette", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            root.main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run


def test_show(call: Call, file: Path) -> None:
    status, out, err = call("show", file)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"{file}: Linux 6.18.44 x86_64, recorded by netlink-emu 1.0: ip link",
        "blanked: WGDEVICE_A_PRIVATE_KEY",
        "socket 1: route raw, ip",
        "  bind: portid 777, groups 1",
        "  > RTM_GETLINK REQUEST|DUMP",
        "      header 00000000 00000000 00000000 00000000",
        "  < RTM_NEWLINK MULTI",
        "      header 00000000 00000000 00000000 00000000",
        "      IFLA_MTU 1500",
        "  < NLMSG_DONE 0 MULTI",
        "  < RTM_NEWLINK  (group 1, after 20 ms)",
        "      header 00000000 00000000 00000000 00000000",
    ]
    assert "14000000 03000200" not in out
    assert "14000000 03000200" in call("show", "--bytes", "--socket", 1, file)[1]
    assert call("show", "--socket", 2, file)[::2] == (
        1, f"netlink-emu: {file} has 1 sockets, not 2\n",
    )  # fmt: skip
    lines = [json.loads(line) for line in call("show", "--json", file)[1].splitlines()]
    assert [line["event"] for line in lines] == [
        "bind: portid 777, groups 1", "request", *["answer"] * 3
    ]  # fmt: skip
    assert (lines[4]["group"], lines[4]["after"]) == (1, 20)


SPEC = """\
name: lamp
attribute-sets: [{name: lamp, attributes: [{name: level, type: u8}]}]
operations:
  list: [{name: set, attribute-set: lamp, do: {request: {attributes: [level]}}}]
"""


def test_show_with_the_names_of_a_spec(call: Call, tmp_path: Path) -> None:
    spec, tape = tmp_path / "lamp.yaml", tmp_path / "x.cassette"
    spec.write_text(SPEC)
    request = Request(nlmsg(30, 5, struct.pack("<BBHHHB3x", 1, 1, 0, 5, 1, 7)))
    head = Head("6.18", "x86_64", families={"lamp": RecordedFamily(30)})
    tape.write_text(write_cassette(texted(Cassette(head, (Stream(16, 3, "", (request,)),)))))
    assert call("show", tape)[1].splitlines()[2:] == [
        "  > lamp command 1 REQUEST|ACK",
        "      1 07",
    ]
    shown = call("show", "--family", spec, tape)
    assert shown[1].splitlines()[2:] == ["  > lamp set REQUEST|ACK", "      level 7"]
    assert call("show", "--family", tmp_path / "no.yaml", tape)[0] == 1
    spec.write_text("name: 3")
    status, _, said = call("show", "--family", spec, tape)
    assert status == 1
    assert said.startswith(f"netlink-emu: {spec}:1:")


def test_check(call: Call, file: Path, tmp_path: Path) -> None:
    assert call("check", file) == (0, "", "")
    cut = write(tmp_path / "cut.cassette", *EVENTS[:3])
    status, out, _ = call("check", file, cut)
    assert status == 1
    said = "its answers are cut off: NLMSG_DONE is missing, and the client will wait"
    line = cut.read_text().splitlines().index("  - request: |2") + 1
    assert out == f"{cut}:{line}:5: {said}\n"


def test_bytes_win_over_an_edited_text(call: Call, file: Path) -> None:
    edited = file.read_text().replace("IFLA_MTU 1500", "IFLA_MTU 9000")
    file.write_text(edited)
    status, out, _ = call("check", file)
    assert status == 1
    assert "its text says 'IFLA_MTU 9000', its bytes 'IFLA_MTU 1500'; the bytes are played" in out
    assert call("check", "--fix", file) == (0, "", "")
    assert file.read_text() == edited.replace("IFLA_MTU 9000", "IFLA_MTU 1500")


def test_a_file_that_is_cut(call: Call, file: Path) -> None:
    """At every line, and within lines: a sentence with a place, or findings."""
    text = file.read_text()
    for end in range(0, len(text), 7):
        file.write_text(text[:end])
        status, out, err = call("check", file)
        assert status in (0, 1)
        assert "Traceback" not in err
        assert len(err.splitlines()) <= 1
        if err:
            assert status == 1
            assert err.startswith(f"netlink-emu: {file}:")
        else:
            assert all(line.startswith(f"{file}:") for line in out.splitlines())


def test_diff(call: Call, file: Path, tmp_path: Path) -> None:
    same = write(tmp_path / "same.cassette", Bound(9, (1,)), *EVENTS[1:])
    assert call("diff", file, same) == (0, "", "")
    less = write(tmp_path / "less.cassette", *EVENTS[:-1])
    assert call("diff", file, less) == (1, "socket 1 (route)\n- answer 3: RTM_NEWLINK\n", "")


def test_convert(call: Call, file: Path, tmp_path: Path) -> None:
    capture, back = tmp_path / "links.pcapng", tmp_path / "back.cassette"
    status, _, err = call("convert", file, capture)
    assert status == 0
    assert err.splitlines()[0] == (
        f"netlink-emu: lost in a capture of {file}: 1 events are comments only (bound)"
    )
    assert call("convert", capture, back, "--arch", "x86_64")[0] == 0
    assert call("diff", file, back) == (0, "", "")
    assert read_cassette(back.read_text(), "").head == Head("", "x86_64")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "back.cassette", "links.cassette", "links.pcapng"
    ]  # fmt: skip
    capture.write_bytes(capture.read_bytes()[:-3])
    status, _, err = call("convert", capture, back)
    assert status == 1
    assert err.startswith(f"netlink-emu: {capture}: the block at byte ")
    assert call("convert", file, tmp_path / "no" / "x")[2].endswith(
        "cannot be written: No such file or directory\n"
    )
