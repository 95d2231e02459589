"""The few files and programs that the tasks of cases execute: what is on the emulated disk."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Final

DEVICE: Final = 65024  # dev 254:0
INTERPRETER: Final = "/proc/self/exe"  # what tasks run that have executed nothing
_LINKS: Final = {
    "/bin/sh": "/bin/dash",
    "/usr/bin/sh": "/usr/bin/dash",
}
_EXIT: Final = re.compile(r"exit (\d+)")


@dataclass(frozen=True, slots=True)
class Program:
    """What executing something comes to.

    ``exit_code`` is that of a program that ends at once; None for one that goes on: ``reads`` its
    standard input until that ends, or sleeps.
    """

    comm: bytes
    inode: int
    exit_code: int | None = None
    reads: bool = False

    @property
    def wait_status(self) -> int:
        """The wait status of one that ends at once."""
        return (self.exit_code or 0) << 8


def inode_of(path: str) -> int:
    """The inode number of a file: any number, but always the same for the same file."""
    path = _LINKS.get(path, path).replace("/usr/bin/", "/bin/")
    return 1000 + zlib.crc32(path.encode()) % 1_000_000


def program(argv: list[str]) -> Program | None:
    """The program that an argv names; None for one that is not on this disk."""
    path = argv[0]
    name = path.rpartition("/")[2]
    comm, inode = name.encode()[:15], inode_of(path)
    match name, argv[1:]:
        case "true", _:
            return Program(comm, inode, exit_code=0)
        case "false", _:
            return Program(comm, inode, exit_code=1)
        case (("sh" | "dash" | "bash"), ["-c", script]) if match := _EXIT.fullmatch(
            script.strip()
        ):
            return Program(comm, inode, exit_code=int(match[1]) & 0xFF)
        case "cat", _:
            return Program(comm, inode, reads=True)
        case "sleep", _:
            return Program(comm, inode)
    return None
