"""What goes wrong in a test with an emulated kernel.

TestingError
 ├─ EmulatorError    a mistake of netlink-emu's own, raised in the test that met it
 ├─ FamilyFailed     a function of a family of the test's own failed
 ├─ TimeIsUp         something was waited for in vain; says what happened instead
 ├─ NotUsed          nobody asked the emulated kernel, or a part of the test had no effect
 ├─ KernelClosed     a kernel was used after its end
 ├─ WrongProcess     a kernel cannot be used in this process: a forked child, gevent's threads
 ├─ WrongType        an argument is of the wrong type, or has a name that there is not
 ├─ WrongValue       an argument is of the right type, and makes no sense
 ├─ NoSuchName       journal or faults have no such method
 ├─ NoSuchTask       no task has this number
 └─ ControlError     a kernel that is controlled over netlink said no
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netlink_emu.protocol.reading.printable import printable_lines


class TestingError(Exception):
    """Base of this package's errors."""

    __test__ = False  # no test class, whatever its name says


class EmulatorError(TestingError):
    """The emulator itself failed; the cause has the traceback."""


class FamilyFailed(TestingError):
    """A function of a family raised what is no NetlinkError; the cause has the traceback."""


class TimeIsUp(TestingError, AssertionError):
    """Nothing came of it within the time allowed; ``told`` are the clients that it tells of."""

    def __init__(self, said: str, told: Sequence[object] = ()) -> None:
        super().__init__(printable_lines(said))
        self.told = told


class NotUsed(TestingError, AssertionError):
    """Nobody asked the emulated kernel, or a part of what the test prepared had no effect."""


class KernelClosed(TestingError, RuntimeError):
    """The kernel was closed before, at the end of its test or its ``with`` block."""


class WrongProcess(TestingError, RuntimeError):
    """The kernel cannot be used here: in a forked child, or among gevent's threads."""


class WrongType(TestingError, TypeError):
    """An argument is of the wrong type, or of a name that there is not."""


class WrongValue(TestingError, ValueError):
    """An argument makes no sense."""


class NoSuchName(TestingError, AttributeError):
    """There is no method or attribute of this name."""


class NoSuchTask(TestingError, KeyError):
    """No task has this number; ``args`` are a sentence."""

    __str__ = Exception.__str__  # of a KeyError it is a repr


class ControlError(TestingError):
    """A kernel that is controlled over netlink said no; ``errno`` is its number."""

    def __init__(self, errno: int, said: str) -> None:
        super().__init__(printable_lines(said))
        self.errno = errno


def hide(excinfo: Any) -> bool:
    """For ``__tracebackhide__``: pytest shows no frames of ours where the test itself erred."""
    exc = excinfo.value
    ours = type(exc).__module__.startswith("netlink_emu.") or isinstance(exc, AssertionError)
    return ours and not isinstance(exc, EmulatorError)
