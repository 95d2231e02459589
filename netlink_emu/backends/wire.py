"""Send calls to a relay, and receive reports (netlink_emu/protocol/ours/relay.py)."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Final

from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import DecodeError
from netlink_emu.protocol.ours.relay import (
    Frames,
    RelayCall,
    RelayReport,
    ReportKind,
    decode_report,
    encode_call,
)

_CHUNK: Final = 1 << 18
_MAX_ERRNO: Final = 4095  # include/linux/err.h


class Wire:
    """The stream to a kernel in another process.

    ``arrived`` gets reports on sockets. ``idle`` is called before each wait for a report, and
    returns when there is something to read. A wait ends after ``patience`` seconds (None: never),
    and the kernel then counts as lost.
    """

    def __init__(self, stream: socket.socket, patience: float | None = None) -> None:
        self.dead = False
        self.arrived: Callable[[RelayReport], None] = lambda _report: None
        self.idle: Callable[[], None] = lambda: None
        self._stream = stream
        self._stream.settimeout(patience)
        self._frames = Frames()
        self._returned: list[RelayReport] = []

    def fileno(self) -> int:
        return self._stream.fileno()

    def close(self) -> None:
        self._stream.close()

    def tell(self, call: RelayCall) -> None:
        """Send a call without waiting for its report; does nothing if the kernel is gone."""
        if not self.dead:
            try:
                self._stream.sendall(encode_call(call))
            except OSError:
                self.dead = True

    def ask(self, call: RelayCall) -> RelayReport:
        """Return the report on a call. Raises the kernel's NetlinkError, or ECONNRESET."""
        self.tell(call)
        report = self.wait()
        if report is None:
            raise NetlinkError(errno.ECONNRESET)
        return report

    def wait(self) -> RelayReport | None:
        """Wait for the report on the last call; None if the server is gone."""
        while not self._returned and not self.dead:
            self.idle()
            self._read(0)
        return self._returned.pop(0) if self._returned else None

    def pump(self) -> None:
        """Handle the reports that have arrived."""
        self._read(socket.MSG_DONTWAIT)

    def _read(self, flags: int) -> None:
        try:
            data = self._stream.recv(_CHUNK, flags)
            if not data:
                self.dead = True
            for frame in self._frames.feed(data):
                report = decode_report(frame)
                if not all(0 <= error <= _MAX_ERRNO for error in (report.error, report.sk_err)):
                    raise DecodeError("a report with an errno that there is not")
                if report.kind in (ReportKind.RETURNED, ReportKind.WELCOME):
                    self._returned.append(report)
                else:
                    self.arrived(report)
        except BlockingIOError:
            return
        except (OSError, DecodeError):
            self.dead = True
