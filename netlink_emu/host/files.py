"""Write files as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees a part of it; raises OSError.

    What is there is written to if it is no regular file, a link to one (/dev/stdout), or in a
    folder where nothing can be made.
    """
    if path.is_symlink() or (
        path.exists() and not (path.is_file() and os.access(path.parent, os.W_OK))
    ):
        path.write_bytes(data)
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        if path.exists():
            _like(part, path.stat())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _like(part: Path, old: os.stat_result) -> None:
    """The file belongs to whom it belonged, who may be another than root that records."""
    part.chmod(stat.S_IMODE(old.st_mode))
    with contextlib.suppress(PermissionError):
        os.chown(part, old.st_uid, old.st_gid)
