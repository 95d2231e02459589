"""Whether somebody else could put another directory in the place of ours.

A directory's own mode keeps others out of it. Who may write to one above it can rename it, and
make another of its name; who owns a symbolic link on the way can make it lead elsewhere.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from pathlib import Path
from typing import Final

from netlink_emu.server.errors import UnsafeDirectory

_MOST_LINKS: Final = 40  # as the kernel's MAXSYMLINKS
_EVERYBODY: Final = "4294967295"  # the length of a map of all user ids


def check_ancestors(directory: Path) -> None:
    """Raise UnsafeDirectory unless only root and we decide what ``directory`` leads to."""
    rest = [*reversed((Path.cwd() / directory).parts[1:])]
    place, links = Path("/"), 0
    while rest:
        _check(directory, place)
        name = rest.pop()
        if name == "..":
            place = place.parent
            continue
        step = place / name
        found = step.lstat()
        if not stat.S_ISLNK(found.st_mode):
            place = step
            continue
        links += 1
        if links > _MOST_LINKS:
            raise UnsafeDirectory(f"there are too many symbolic links on the way to {directory}")
        if not _is_trusted(found.st_uid):
            raise UnsafeDirectory(
                f"{step}, on the way to {directory}, is a symbolic link of somebody else "
                f"(uid {found.st_uid}), who could make it lead elsewhere"
            )
        target = step.readlink()
        place = Path("/") if target.is_absolute() else place
        rest += reversed(target.parts[target.is_absolute() :])


def _check(directory: Path, above: Path) -> None:
    found = above.stat()
    if not _is_trusted(found.st_uid):
        raise UnsafeDirectory(
            f"{above}, above {directory}, belongs to somebody else (uid {found.st_uid}), who "
            "could put another directory in its place: name one elsewhere"
        )
    # In a sticky directory, as /tmp, nobody can rename what is ours.
    others = found.st_mode & 0o002 or (
        found.st_mode & 0o020 and not _is_private_group(found.st_gid)
    )
    if others and not found.st_mode & stat.S_ISVTX:
        mode = stat.S_IMODE(found.st_mode)
        raise UnsafeDirectory(
            f"others may write to {above}, above {directory} (mode {mode:04o}), and could put "
            "another directory in its place: chmod go-w it, or name one elsewhere"
        )


def _is_trusted(uid: int) -> bool:
    return uid in (0, os.geteuid()) or _is_unmapped(uid)


def _is_unmapped(uid: int) -> bool:
    """In a user namespace, root of the host and all others that are not mapped look the same."""
    try:
        overflow = int(Path("/proc/sys/kernel/overflowuid").read_text())
        maps = Path("/proc/self/uid_map").read_text().split()
    except (OSError, ValueError):  # no /proc
        return not _has_number(uid)
    return uid == overflow and maps != ["0", "0", _EVERYBODY]


def _has_number(uid: int) -> bool:
    """Whether our user namespace has a user of this number: only then can a file be theirs."""
    fd = os.memfd_create("netlink-emu")
    try:
        os.fchown(fd, uid, -1)
    except OSError as exc:
        return exc.errno != errno.EINVAL
    finally:
        os.close(fd)
    return True


def _is_private_group(gid: int) -> bool:
    """Whether it is the group that some systems give each user: who has it is only we."""
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return (
        user.pw_gid == gid
        and group.gr_name == user.pw_name
        and not {*group.gr_mem} - {user.pw_name}
    )
