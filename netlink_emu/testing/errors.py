"""What goes wrong in a test with an emulated kernel.

TestingError
 ├─ EmulatorError   a mistake of netlink-emu's own, raised in the test that met it
 ├─ TimeIsUp        something was waited for in vain; says what happened instead
 ├─ NotUsed         a client that was run made no generic netlink socket
 └─ ControlError    a kernel that is controlled over netlink said no
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
    """The client has not asked the emulated kernel for anything."""


class ControlError(TestingError):
    """A kernel that is controlled over netlink said no; ``errno`` is its number."""

    def __init__(self, errno: int, said: str) -> None:
        super().__init__(said)
        self.errno = errno
