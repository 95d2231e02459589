"""Files are written as a whole, and recordings as they go."""

from __future__ import annotations

import os
import stat
from errno import ENOSPC
from pathlib import Path

import pytest

from netlink_emu.cassettes import Head, Request
from netlink_emu.cassettes.recording.recording import Recording
from netlink_emu.cassettes.recording.unfinished import Plan, read_unfinished
from netlink_emu.host.files import write_whole
from netlink_emu.host.keeping import FileKeeper

PLAN = Plan(Head("6.18.44", "x86_64"))


def test_a_new_file_and_nothing_beside(tmp_path: Path) -> None:
    write_whole(tmp_path / "x", b"one")
    write_whole(tmp_path / "x", b"two")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"two")]


def test_who_may_read_it_stays(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"one")
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 65534, 65534)
    before = file.stat()
    write_whole(file, b"two")
    after = file.stat()
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


def test_through_a_link(tmp_path: Path) -> None:
    """As /dev/stdout is one: it is not replaced."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "x")
    write_whole(link, b"one")
    assert link.is_symlink()
    assert (tmp_path / "x").read_bytes() == b"one"


def test_what_fails_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"one")

    def full(_self: Path, _data: bytes) -> int:
        raise OSError(ENOSPC, "full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="full"):
        write_whole(file, b"two")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"one")]


# --- recordings


def keeper(path: Path, failed: list[OSError]) -> FileKeeper:
    return FileKeeper(path, lambda: PLAN, failed.append)


def test_nothing_is_made_before_the_first_socket(tmp_path: Path) -> None:
    kept = keeper(tmp_path / "x", [])
    assert not kept.exists
    kept.remove()
    recording = Recording(kept)
    recording.open(0, 3, "ip", 0.0).request(b"abcd", 0, 0, 0.0)
    assert kept.exists
    assert read_unfinished((tmp_path / "x").read_bytes()).streams == recording.streams
    kept.remove()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("short", [False, True])
def test_a_full_disk_is_told_once(
    short: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recording goes on; what was kept can still be read."""
    failed: list[OSError] = []
    kept = keeper(tmp_path / "x", failed)
    recording = Recording(kept)
    sock = recording.open(0, 3, "ip", 0.0)
    sock.request(b"abcd", 0, 0, 0.0)
    assert kept.whole
    write = os.write

    def full(fd: int, data: bytes) -> int:
        if short:
            return write(fd, data[:5])
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    monkeypatch.setattr(os, "write", full)
    for _ in range(3):
        sock.answer(b"efgh", 0, 0, 0.0)
    monkeypatch.undo()
    assert [exc.errno for exc in failed] == [ENOSPC]
    assert not kept.whole
    found = read_unfinished((tmp_path / "x").read_bytes())
    assert found.streams[0].events == (Request(b"abcd"),)
    assert found.torn == short
    assert len(sock.events) == 4


def test_where_nothing_can_be_made(tmp_path: Path) -> None:
    failed: list[OSError] = []
    (tmp_path / "x").write_bytes(b"")
    recording = Recording(keeper(tmp_path / "x", failed))
    recording.open(0, 3, "ip", 0.0).request(b"abcd", 0, 0, 0.0)
    assert len(failed) == 1
    assert (tmp_path / "x").read_bytes() == b""
