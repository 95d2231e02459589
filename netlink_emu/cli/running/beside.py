"""A command that runs beside a server, and who else waits for the server to be up."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio

from netlink_emu.backends.unix_paths import connectable
from netlink_emu.cli.output.errors import UserError, say
from netlink_emu.cli.output.loudness import remark
from netlink_emu.cli.output.progress import waiting
from netlink_emu.interpose.launch import NOT_EXECUTABLE, NOT_FOUND
from netlink_emu.protocol.reading.printable import printable

ENVIRONMENT: Final = "NETLINK_EMU_SOCKET"
_GRACE: Final = 5.0  # seconds that a command has to end when a signal ends us
_PAUSE: Final = 0.02


@contextmanager
def place(path: Path | None) -> Iterator[Path]:
    """The socket's path; without one, in a private directory that is removed afterwards."""
    if path is not None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="netlink-emu-") as directory:
        yield Path(directory) / "nl"


def check_descriptor(fd: int) -> None:
    """Raise UserError unless something can be written there."""
    try:
        os.write(fd, b"")
    except OSError as exc:
        raise UserError(f"--ready-fd {fd}: {exc.strerror}; open it, as by {fd}>file") from exc


def tell_ready(fd: int, path: Path) -> None:
    """Write the path and a newline, and close the descriptor, for its reader to go on."""
    try:
        os.write(fd, os.fsencode(path) + b"\n")
    except OSError as exc:  # the reader has gone; that is no reason not to serve
        remark(f"--ready-fd {fd}: {exc.strerror}")
    os.close(fd)


def wait_for_server(path: Path, seconds: float) -> None:
    """Return when somebody serves at ``path``; raises UserError after so many seconds."""
    deadline = time.monotonic() + seconds
    with waiting(f"waiting for a server at {printable(str(path))}", seconds):
        while True:
            try:
                with (
                    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way,
                    connectable(path) as name,
                ):
                    way.connect(name)
                return
            except OSError as exc:
                if time.monotonic() >= deadline:
                    raise UserError(
                        f"nobody serves at {path} after {seconds:g} s: {exc.strerror or exc}"
                    ) from exc
            time.sleep(_PAUSE)


class Beside:
    """The command; it finds the server's socket in NETLINK_EMU_SOCKET."""

    def __init__(self, command: Sequence[str], path: Path) -> None:
        self._command: Final = list(command)
        self._path: Final = path
        self._process: trio.Process | None = None
        self._begun: Final = trio.Event()  # or could not be
        self._ended: Final = trio.Event()

    async def run(self) -> int:
        """Run it to its end; returns the exit status as a shell has it."""
        name = self._command[0]
        env = {**os.environ, ENVIRONMENT: os.fspath(self._path.absolute())}
        try:
            self._process = await trio.lowlevel.open_process(self._command, env=env)
        except FileNotFoundError:
            say(f"{name}: command not found")
            return NOT_FOUND
        except OSError as exc:
            say(f"{name}: {(exc.strerror or str(exc)).lower()}")
            return NOT_EXECUTABLE
        finally:
            self._begun.set()
        try:
            code = await self._process.wait()
        finally:
            self._ended.set()
        return code if code >= 0 else 128 - code

    async def end(self, number: int) -> None:
        """Send it the signal that ends us, and SIGKILL where it does not end by that.

        The signal may come from the command itself, before we know that it has begun.
        """
        await self._begun.wait()
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(number)
        with trio.move_on_after(_GRACE):
            await self._ended.wait()
            return
        self._process.kill()
        await self._ended.wait()
