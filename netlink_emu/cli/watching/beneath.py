"""A command of its own kernel beneath the view: ``netlink-emu run`` in another process."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from netlink_emu.cli.output.errors import UserError, to_stderr
from netlink_emu.cli.output.loudness import Loudness, loudness
from netlink_emu.cli.running.ending import Ending
from netlink_emu.interpose import libc
from netlink_emu.testing.errors import ControlError
from netlink_emu.testing.remote.kernel import Remote

# Lines of output that are kept, and how long one may be.
KEPT: Final = 2000
_LONGEST: Final = 4000
# Seconds: between two looks whether the kernel is there, and for the command to end.
_PAUSE: Final = 0.02
_GRACE: Final = 5.0
_PR_SET_PDEATHSIG: Final = 1
# Of programs that know no TERM=dumb; all else that is not printable is shown as it is written.
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


def command_line(options: Sequence[str], command: Sequence[str]) -> list[str]:
    """What runs the command in a kernel of its own, as loud as we are."""
    loud = {Loudness.QUIET: ["-q"], Loudness.VERBOSE: ["-v"]}.get(loudness(), [])
    return [sys.executable, "-m", "netlink_emu", "run", *loud, *options, "--", *command]


class Beneath:
    """The command; ``path`` is its kernel's socket. Made by :func:`beneath`."""

    def __init__(
        self, path: Path, options: Sequence[str], command: Sequence[str], copy: IO[bytes] | None
    ) -> None:
        self.path: Final = path
        served = ["--control", "--stay", "--socket", os.fspath(path)]
        self._lines: Final[deque[str]] = deque(maxlen=KEPT)
        self._copy: Final = copy
        ours, theirs = _output()
        self._process: Final = subprocess.Popen(
            command_line([*options, *served], command),
            # The keys are ours; a session of its own, so that Ctrl-C is ours alone.
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "dumb"},
            start_new_session=True,
            preexec_fn=_end_with_us,  # there are no threads yet
        )
        os.close(theirs)
        self._reader: Final = threading.Thread(
            target=self._read, args=(ours,), daemon=True, name="output"
        )
        self._reader.start()

    def _read(self, fd: int) -> None:
        rest = b""
        while data := _read(fd):
            if self._copy is not None:
                with contextlib.suppress(OSError):  # a full disk ends nobody's command
                    self._copy.write(data)
                    self._copy.flush()
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _LONGEST:
                lines, rest = [*lines, rest], b""
            self._lines.extend(_text(line) for line in lines)
        if rest:
            self._lines.append(_text(rest))
        os.close(fd)

    def lines(self) -> list[str]:
        """The last of what it has printed."""
        while True:
            with contextlib.suppress(RuntimeError):  # the deque has just grown
                return [*self._lines]

    def wait_for_kernel(self, end: Ending) -> None:
        """Return when the kernel can be asked, or a signal ends us.

        SystemExit, with what the command printed, if it has ended before.
        """
        while not end.noted:
            try:
                Remote(self.path).close()
                return
            except ControlError:
                if self._process.poll() is None:
                    time.sleep(_PAUSE)
                    continue
            self._reader.join(_GRACE)
            to_stderr("".join(f"{line}\n" for line in self.lines()))
            raise SystemExit(self.status)

    @property
    def status(self) -> int:
        """The exit status, as a shell has it."""
        code = self._process.returncode
        return code if code >= 0 else 128 - code

    def close(self) -> None:
        """End it and its kernel, by SIGTERM at first."""
        if self._process.poll() is None:
            self._process.terminate()  # which is handed on to the command
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
        with contextlib.suppress(ProcessLookupError):  # what is left of the session
            if self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        # Its children may have the output still.
        self._reader.join(0.5)


def _output() -> tuple[int, int]:
    """The end that we read, and the one that the command writes to.

    That is a terminal which changes nothing, so that programs write each line as it comes: to a
    pipe they write when they have gathered some thousand bytes.
    """
    try:
        ours, theirs = os.openpty()
    except OSError:  # no /dev/pts
        return os.pipe()
    modes = termios.tcgetattr(theirs)
    modes[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    return ours, theirs


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 16)
    except OSError:  # EIO: nobody has the terminal's other end any more
        return b""


def _text(line: bytes) -> str:
    text = _COLOURS.sub("", line[:_LONGEST].decode(errors="replace"))
    return text.expandtabs().rstrip("\r")


def _end_with_us() -> None:
    """SIGTERM for the new process when we end, however that is."""
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def beneath(
    options: Sequence[str], command: Sequence[str], output: Path | None, end: Ending
) -> Iterator[Beneath]:
    """The command, running; it has ended when the context has. Raises UserError, SystemExit."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="netlink-emu-"))
        copy = None
        if output is not None:
            try:
                copy = stack.enter_context(output.open("wb"))
            except OSError as exc:
                raise UserError(f"--output {output}: {exc.strerror}") from exc
        running = Beneath(Path(directory) / "nl", options, command, copy)
        try:
            running.wait_for_kernel(end)
            yield running
        finally:
            running.close()
