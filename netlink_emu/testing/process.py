"""Client programs of a test: started under the interposer, their output captured."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Final

from netlink_emu.interpose.summary import Summary
from netlink_emu.testing.errors import TimeIsUp

_PIDFD_SIGNAL_PROCESS_GROUP: Final = 1 << 2  # include/uapi/linux/pidfd.h, Linux 6.9
_TAIL: Final = 2000  # bytes of output shown when something goes wrong


class _Stream:
    """What a program writes, collected by a thread so that it never waits for us."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file: Final = file
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


class ClientProcess:
    """A program that runs under the interposer; made by :meth:`EmulatedKernel.popen`.

    ``stdout`` and ``stderr`` are what it has written so far, in bytes.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        argv: Sequence[str],
        summary: Summary,
        ended: Callable[[], None],
        *,
        leads_group: bool,
    ) -> None:
        self.args: Final = list(argv)
        self.summary: Final = summary
        self._process: Final = process
        self._leads_group: Final = leads_group
        self._pidfd = os.pidfd_open(process.pid)
        self._ended: Final = ended
        self.running = True  # until its output is here, too
        assert process.stdout is not None
        assert process.stderr is not None
        self._out: Final = _Stream(process.stdout, f"stdout of {self.args[0]}")
        self._err: Final = _Stream(process.stderr, f"stderr of {self.args[0]}")
        self._waiter: Final = threading.Thread(
            target=self._wait, name=f"wait for {self.args[0]}", daemon=True
        )
        self._waiter.start()

    def __enter__(self) -> ClientProcess:
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
        """None while it runs, else its exit code, or minus a signal."""
        return self._process.returncode

    @property
    def state(self) -> str:
        """Whether it runs, or how it ended, in words."""
        code = self.returncode
        if code is None:
            return "running"
        return f"ended by signal {-code}" if code < 0 else f"ended with code {code}"

    @property
    def stdin(self) -> IO[bytes]:
        """A pipe, if it was asked for."""
        assert self._process.stdin is not None, "popen(stdin=subprocess.PIPE) makes one"
        return self._process.stdin

    @property
    def stdout(self) -> bytes:
        return bytes(self._out.data)

    @property
    def stderr(self) -> bytes:
        return bytes(self._err.data)

    def read_until(self, separator: bytes = b"\n", timeout: float = 10.0) -> bytes:
        """What it writes to stdout next, up to and with ``separator``.

        Raises TimeIsUp when that does not come within ``timeout`` seconds, or the output ends.
        """
        return _read_until(self, self._out, separator, timeout)

    def read_stderr_until(self, separator: bytes = b"\n", timeout: float = 10.0) -> bytes:
        """The same of stderr."""
        return _read_until(self, self._err, separator, timeout)

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def end(self) -> None:
        """SIGKILL to it, and to what it has started and left in its process group."""
        if self._pidfd < 0:
            return
        pidfd, self._pidfd = self._pidfd, -1
        if not self._leads_group:
            self.kill()
        else:
            _kill_group(self._process, pidfd)
        os.close(pidfd)

    def wait(self, timeout: float | None = 10.0) -> int:
        """Wait for its end, and for the last of its output; returns the return code.

        Raises TimeIsUp with what it has written.
        """
        self._waiter.join(timeout)
        if self._waiter.is_alive():
            raise TimeIsUp(f"{self.args[0]} still runs after {timeout} s\n{self.describe()}")
        code = self.returncode
        assert code is not None
        return code

    def describe(self) -> str:
        """Command, state and output, for people."""
        lines = [f"$ {' '.join(self.args)}   ({self.state})"]
        for name, stream in (("stdout", self._out), ("stderr", self._err)):
            data = bytes(stream.data)
            if data:
                shown = data[-_TAIL:].decode(errors="replace").rstrip("\n")
                cut = "..." if len(data) > _TAIL else ""
                lines.append(f"{name}: {cut}{shown}" if "\n" not in shown else f"{name}:\n{shown}")
        return "\n".join(lines)


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


def _read_until(
    process: ClientProcess, stream: _Stream, separator: bytes, timeout: float
) -> bytes:
    deadline = time.monotonic() + timeout
    with stream.changed:
        while True:
            end = stream.data.find(separator, stream.read)
            if end >= 0:
                begin, stream.read = stream.read, end + len(separator)
                return bytes(stream.data[begin : stream.read])
            left = deadline - time.monotonic()
            if stream.ended or left <= 0:
                break
            stream.changed.wait(left)
    why = "its output ended" if stream.ended else f"{timeout} s have passed"
    raise TimeIsUp(f"{separator!r} did not come: {why}\n{process.describe()}")
