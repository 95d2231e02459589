"""What goes wrong in a test with an emulated kernel.

TestingError
 ├─ EmulatorError    a mistake of netlink-emu's own, raised in the test that met it
 ├─ TimeIsUp         something was waited for in vain; says what happened instead
 ├─ NotUsed          nobody asked the emulated kernel, or a part of the test had no effect
 ├─ KernelClosed     a kernel was used after its end
 ├─ WrongProcess     a kernel cannot be used in this process: a forked child, gevent's threads
 └─ ControlError     a kernel that is controlled over netlink said no
"""

from __future__ import annotations


class TestingError(Exception):
    """Base of this package's errors."""

    __test__ = False  # no test class, whatever its name says


class EmulatorError(TestingError):
    """The emulator itself failed; the cause has the traceback."""


class TimeIsUp(TestingError, AssertionError):
    """Nothing came of it within the time allowed."""


class NotUsed(TestingError, AssertionError):
    """Nobody asked the emulated kernel, or a part of what the test prepared had no effect."""


class KernelClosed(TestingError, RuntimeError):
    """The kernel was closed before, at the end of its test or its ``with`` block."""


class WrongProcess(TestingError, RuntimeError):
    """The kernel cannot be used here: in a forked child, or among gevent's threads."""


class ControlError(TestingError):
    """A kernel that is controlled over netlink said no; ``errno`` is its number."""

    def __init__(self, errno: int, said: str) -> None:
        super().__init__(said)
        self.errno = errno
