"""Client programs of a test: started under the interposer, their output captured."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import IO, Any, AnyStr, Final, Generic, cast, overload

from netlink_emu.host.progress import WaitingLines
from netlink_emu.interpose.summary import Summary
from netlink_emu.protocol.reading.printable import printable_lines
from netlink_emu.testing.errors import TimeIsUp, WrongType, hide
from netlink_emu.testing.waiting import TIMEOUT

__tracebackhide__ = hide

_PIDFD_SIGNAL_PROCESS_GROUP: Final = 1 << 2  # include/uapi/linux/pidfd.h, Linux 6.9
_TAIL: Final = 2000  # bytes of output shown when something goes wrong


class _Stream:
    """What a program writes, collected by a thread so that it never waits for us."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file: Final = file
        self._name: Final = name
        self.data = bytearray()
        self.read = 0  # how much of it read_until() has given
        self.ended = False
        self.changed: Final = threading.Condition()
        self.thread: Final = threading.Thread(target=self._collect, name=name, daemon=True)
        self.thread.start()

    def _collect(self) -> None:
        # read1() so that a line is here when it is written, not when a buffer is full.
        while chunk := self._file.read1(1 << 16):  # type: ignore[attr-defined]
            with self.changed:
                self.data += chunk
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()
        self._file.close()

    def read_until(self, separator: bytes, timeout: float) -> bytes | None:
        """What comes next, up to and with ``separator``; None if that does not come."""
        pieces = WaitingLines(f"waiting for {separator!r} on {self._name}", timeout).pieces()
        with self.changed:
            while True:
                end = self.data.find(separator, self.read)
                if end >= 0:
                    begin, self.read = self.read, end + len(separator)
                    return bytes(self.data[begin : self.read])
                left = next(pieces, None)
                if self.ended or left is None:
                    return None
                self.changed.wait(left)


class ClientProcess(Generic[AnyStr]):
    """A program that runs under the interposer; made by :meth:`EmulatedKernel.popen`.

    ``stdout`` and ``stderr`` hold its output so far: text, or bytes with ``text=False``.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        argv: Sequence[str],
        summary: Summary,
        ended: Callable[[], None],
        *,
        leads_group: bool,
        kind: type[AnyStr],
    ) -> None:
        self.args: Final = list(argv)
        self.summary: Final = summary
        self._process: Final = process
        self._leads_group: Final = leads_group
        self._kind: Final[type[AnyStr]] = kind
        self._pidfd = os.pidfd_open(process.pid)
        self._ended: Final = ended
        self.running = True  # until its output is here, too
        assert process.stdout is not None
        assert process.stderr is not None
        stdin: Any = process.stdin
        if kind is str and stdin is not None:
            stdin = TextIOWrapper(stdin, write_through=True)
        self._stdin: Final[IO[AnyStr] | None] = stdin
        self._out: Final = _Stream(process.stdout, f"stdout of {self.args[0]}")
        self._err: Final = _Stream(process.stderr, f"stderr of {self.args[0]}")
        self._waiter: Final = threading.Thread(
            target=self._wait, name=f"wait for {self.args[0]}", daemon=True
        )
        self._waiter.start()

    def __enter__(self) -> ClientProcess[AnyStr]:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.kill()
        self.wait()

    def __repr__(self) -> str:
        return f"<{self.args[0]} pid {self.pid}, {self.state}>"

    def _wait(self) -> None:
        self._process.wait()
        # A child that it left behind may hold the pipes; that is not waited for.
        for stream in (self._out, self._err):
            stream.thread.join(1.0)
        self.running = False
        self._ended()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs, then its exit code, or the negative number of a signal."""
        return self._process.returncode

    @property
    def state(self) -> str:
        """A text that says whether it runs, or how it ended."""
        code = self.returncode
        if code is None:
            return "running"
        return f"ended by signal {-code}" if code < 0 else f"ended with code {code}"

    @property
    def stdin(self) -> IO[AnyStr]:
        """A pipe, if you asked for one; it takes what stdout gives: text or bytes."""
        if self._stdin is None:
            raise ValueError("its stdin is not a pipe: use popen(stdin=subprocess.PIPE)")
        return self._stdin

    @property
    def stdout(self) -> AnyStr:
        return as_kind(self._kind, bytes(self._out.data))

    @property
    def stderr(self) -> AnyStr:
        return as_kind(self._kind, bytes(self._err.data))

    @overload
    def read_until(self, *, timeout: float = TIMEOUT) -> AnyStr: ...
    @overload
    def read_until(self, separator: str, timeout: float = TIMEOUT) -> str: ...
    @overload
    def read_until(self, separator: bytes, timeout: float = TIMEOUT) -> bytes: ...
    def read_until(
        self, separator: str | bytes | None = None, timeout: float = TIMEOUT
    ) -> str | bytes:
        """Return its next output on stdout, up to and including ``separator`` (a newline).

        It is text or bytes, as the separator is. Raises TimeIsUp if the separator does not come
        within ``timeout`` seconds, or the output ends.
        """
        return cast(str | bytes, self._read_until(self._out, separator, timeout))

    @overload
    def read_stderr_until(self, *, timeout: float = TIMEOUT) -> AnyStr: ...
    @overload
    def read_stderr_until(self, separator: str, timeout: float = TIMEOUT) -> str: ...
    @overload
    def read_stderr_until(self, separator: bytes, timeout: float = TIMEOUT) -> bytes: ...
    def read_stderr_until(
        self, separator: str | bytes | None = None, timeout: float = TIMEOUT
    ) -> str | bytes:
        """Like :meth:`read_until`, for stderr."""
        return cast(str | bytes, self._read_until(self._err, separator, timeout))

    def _read_until(self, stream: _Stream, separator: str | bytes | None, timeout: float) -> Any:
        wanted: str | bytes = as_kind(self._kind, b"\n") if separator is None else separator
        if not isinstance(wanted, (str, bytes)) or not wanted:
            raise WrongType(f"the text to read up to is a str or bytes, not {wanted!r}")
        kind: type[Any] = type(wanted)
        read = stream.read_until(as_kind(bytes, wanted), timeout)
        if read is not None:
            return as_kind(kind, read)
        why = f"{timeout:g} s have passed"
        if stream.ended:
            why = "its output ended"
            self._waiter.join(1.0)  # most often it has ended then: say how
        raise TimeIsUp(f"{wanted!r} did not come: {why}\n{self.describe()}", [self])

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def end(self) -> None:
        """Send SIGKILL to it, and to everything left in its process group."""
        if self._pidfd < 0:
            return
        pidfd, self._pidfd = self._pidfd, -1
        if not self._leads_group:
            self.kill()
        else:
            _kill_group(self._process, pidfd)
        os.close(pidfd)

    def wait(self, timeout: float | None = TIMEOUT) -> int:
        """Wait until it has ended and its output is complete; returns the return code.

        Raises TimeIsUp, which has the output so far.
        """
        for piece in WaitingLines(f"waiting for the end of {self.args[0]}", timeout).pieces():
            self._waiter.join(piece)
            if not self._waiter.is_alive():
                break
        if self._waiter.is_alive():
            raise TimeIsUp(
                f"{self.args[0]} still runs after {timeout:g} s\n{self.describe()}", [self]
            )
        code = self.returncode
        assert code is not None
        return code

    def describe(self) -> str:
        """Return command, state and output as text."""
        lines = [f"$ {' '.join(self.args)}   ({self.state})"]
        for name, stream in (("stdout", self._out), ("stderr", self._err)):
            data = bytes(stream.data)
            if data:
                shown = data[-_TAIL:].decode(errors="replace").rstrip("\n")
                cut = "..." if len(data) > _TAIL else ""
                lines.append(f"{name}: {cut}{shown}" if "\n" not in shown else f"{name}:\n{shown}")
        return printable_lines("\n".join(lines))


def _kill_group(process: subprocess.Popen[bytes], pidfd: int) -> None:
    """SIGKILL to all of the group that a process leads, or led."""
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL, None, _PIDFD_SIGNAL_PROCESS_GROUP)
    except ProcessLookupError:
        return
    except OSError:
        # Before Linux 6.9 a group is known by its number alone, which may soon be another's.
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def as_kind(kind: type[AnyStr], data: str | bytes) -> AnyStr:
    """Text or bytes as text or bytes."""
    if isinstance(data, kind):
        return data
    return cast(AnyStr, data.encode() if isinstance(data, str) else data.decode(errors="replace"))
