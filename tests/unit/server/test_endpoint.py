"""The socket file: what is left behind, and what is not ours to remove."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from netlink_emu.backends.unix_paths import connectable
from netlink_emu.server import ancestors, endpoint
from netlink_emu.server.endpoint import bound_socket, private_directory
from netlink_emu.server.errors import (
    AlreadyServed,
    NoDirectory,
    NotASocket,
    PathTooLong,
    ServerError,
    UnsafeDirectory,
)


def test_the_directory_is_made_private_and_stays(tmp_path: Path) -> None:
    with bound_socket(tmp_path / "run" / "nl") as sock:
        assert sock.getsockname() == str(tmp_path / "run" / "nl")
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "run" / "nl").is_socket()
    assert list((tmp_path / "run").iterdir()) == []


def test_the_file_goes_also_when_something_fails(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError),
        bound_socket(tmp_path / "run" / "nl"),
    ):
        raise RuntimeError
    assert list((tmp_path / "run").iterdir()) == []


def test_a_file_that_replaced_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"
    with bound_socket(path):
        path.rename(tmp_path / "former")  # keeps the inode from being used again
        path.write_text("theirs")
    assert path.read_text() == "theirs"


def test_a_file_that_was_removed_is_no_error(tmp_path: Path) -> None:
    with bound_socket(tmp_path / "run" / "nl"):
        (tmp_path / "run" / "nl").unlink()


def test_a_relative_path_stays_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    with bound_socket(Path("nl")) as sock:
        assert sock.getsockname() == "nl"
    assert list(tmp_path.iterdir()) == []


def test_the_send_buffer_is_as_large_as_allowed(tmp_path: Path) -> None:
    with bound_socket(tmp_path / "run" / "nl") as sock, socket.socket(socket.AF_UNIX) as plain:
        size = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert size >= plain.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


def test_modes_are_looked_at_on_what_is_opened(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    os.close(private_directory(tmp_path))
    tmp_path.chmod(0o750)
    with pytest.raises(UnsafeDirectory, match="mode 0750"):
        private_directory(tmp_path)


def test_a_missing_parent_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NoDirectory):
        private_directory(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def _make(path: Path) -> None:
    with bound_socket(path):
        pytest.fail("it should not have been made")


def test_a_live_socket_stays_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"
    with bound_socket(path):
        with pytest.raises(AlreadyServed):
            _make(path)
        path.rename(tmp_path / "run" / "kept")  # as a server that is killed leaves it
    (tmp_path / "run" / "kept").rename(path)
    with bound_socket(path) as sock, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", str(path))
        assert sock.recv(10) == b"x"
    assert not path.exists()


def test_a_live_socket_that_is_connected_elsewhere_stays(tmp_path: Path) -> None:
    """connect() to it fails with EPERM, which is no sign of staleness."""
    tmp_path.chmod(0o700)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as live,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer,
    ):
        peer.bind("")
        live.bind(str(tmp_path / "nl"))
        live.connect(peer.getsockname())
        with pytest.raises(AlreadyServed):
            _make(tmp_path / "nl")
    assert (tmp_path / "nl").is_socket()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("file/nl", NoDirectory),
        ("link/nl", UnsafeDirectory),
        ("run/file", NotASocket),
        ("x" * 108, PathTooLong),
    ],
)
def test_where_no_socket_can_be(tmp_path: Path, name: str, error: type[ServerError]) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "run" / "file").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("run")
    with pytest.raises(error):
        _make(tmp_path / name)


def test_a_long_way_to_it(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 110) / "nl"
    with bound_socket(path), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        with connectable(path) as name:
            client.connect(name)
        with pytest.raises(AlreadyServed):
            _make(path)
    assert list(path.parent.iterdir()) == []
    with pytest.raises(PathTooLong):
        _make(tmp_path / ("y" * 110) / ("z" * 100))
    assert not (tmp_path / ("y" * 110)).exists()


# --- what lies above


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o722])
def test_a_parent_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    above = tmp_path / "above"
    above.mkdir()
    (above / "between").mkdir()
    above.chmod(mode)
    with pytest.raises(UnsafeDirectory, match=rf"others may write to {above}, above .*{mode:04o}"):
        _make(above / "between" / "run" / "nl")


def test_a_sticky_parent_is_as_good_as_tmp(tmp_path: Path) -> None:
    (tmp_path / "above").mkdir()
    (tmp_path / "above").chmod(0o1777)
    with bound_socket(tmp_path / "above" / "run" / "nl"):
        pass


def test_a_parent_that_only_our_own_group_may_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some systems give each user a group, and the umask 002."""
    (tmp_path / "above").mkdir()
    (tmp_path / "above").chmod(0o775)
    path = tmp_path / "above" / "run" / "nl"
    monkeypatch.setattr(ancestors, "_is_private_group", lambda _gid: True)
    with bound_socket(path):
        pass
    monkeypatch.setattr(ancestors, "_is_private_group", lambda _gid: False)
    with pytest.raises(UnsafeDirectory, match="mode 0775"):
        _make(path)


def test_our_own_links_on_the_way_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/../real/deep")
    with bound_socket(tmp_path / "link" / "run" / "nl"):
        assert (tmp_path / "real" / "deep" / "run" / "nl").is_socket()
    (tmp_path / "real").chmod(0o777)  # which the link leads through
    with pytest.raises(UnsafeDirectory, match="others may write to"):
        _make(tmp_path / "link" / "run" / "nl")


def test_a_directory_replaced_in_the_meantime_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap(directory: Path) -> None:
        directory.rename(tmp_path / "former")
        directory.mkdir(mode=0o700)

    monkeypatch.setattr(endpoint, "check_ancestors", swap)
    with pytest.raises(UnsafeDirectory, match="has just been replaced"):
        _make(tmp_path / "run" / "nl")


def test_a_directory_renamed_later_still_loses_our_file_and_no_other(tmp_path: Path) -> None:
    with bound_socket(tmp_path / "run" / "nl"):
        (tmp_path / "run").rename(tmp_path / "former")
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "nl").touch()
    assert list((tmp_path / "former").iterdir()) == []
    assert (tmp_path / "run" / "nl").exists()


def test_an_abstract_name_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotASocket, match="is not the name of a file"):
        _make(Path("\0abstract"))
