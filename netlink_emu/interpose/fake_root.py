"""A program that becomes another one, as root of a user namespace of its own.

    python -I -S fake_root.py PROGRAM ARGV0 ARGUMENT...

For clients that look whether they are root before they ask anything. Namespaces can only be
left by a process of one thread, and so not by us: this is one, and imports little.
"""

import ctypes
import os
import signal
import sys

CLONE_NEWUSER = 0x10000000  # include/uapi/linux/sched.h
NOT_EXECUTABLE = 126
NOT_FOUND = 127


def enter() -> None:
    """Make a user namespace in which our user, and nobody else, is root; raises OSError."""
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    _write("setgroups", "deny")  # the price of a gid_map without privileges
    _write("uid_map", f"0 {uid} 1")
    _write("gid_map", f"0 {gid} 1")


def _write(name: str, text: str) -> None:
    fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def given_environment() -> dict[bytes, bytes]:
    """The environment as it was given to us: in a C locale Python sets LC_CTYPE (PEP 538)."""
    fd = os.open("/proc/self/environ", os.O_RDONLY)
    text = b""
    while piece := os.read(fd, 1 << 16):
        text += piece
    os.close(fd)
    entries = [entry.partition(b"=") for entry in text.split(b"\0")]
    return {name: value for name, equals, value in entries if equals}


def main(path: str, argv: list[str]) -> None:
    """Enter, and execute; ends with status 126 and a sentence where that is not allowed."""
    environment = given_environment()
    try:
        enter()
    except OSError as exc:
        sys.stderr.write(f"netlink-emu: no user namespace may be made here: {exc.strerror}\n")
        raise SystemExit(NOT_EXECUTABLE) from None
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(path, argv, environment)
    except OSError as exc:
        if exc.errno == 8:  # ENOEXEC: a script without "#!"
            os.execve("/bin/sh", ["sh", path, *argv[1:]], environment)
        sys.stderr.write(f"netlink-emu: {argv[0]}: {os.strerror(exc.errno or 0).lower()}\n")
        status = NOT_FOUND if isinstance(exc, FileNotFoundError) else NOT_EXECUTABLE
        raise SystemExit(status) from None


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
