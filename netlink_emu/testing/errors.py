"""Errors in tests with an emulated kernel.

TestingError
 ├─ EmulatorError    a bug in netlink-emu, raised in the test that met it
  ├─ FamilyFailed     a function of the test's own family failed
  ├─ TimeIsUp         a wait timed out; says what happened instead
  ├─ NotUsed          no client talked to the kernel, or a part of the test had no effect
  ├─ KernelClosed     a kernel was used after its end
  ├─ WrongProcess     a kernel cannot be used in this process: a forked child, gevent's threads
  ├─ WrongType        an argument has the wrong type or an unknown name
  ├─ WrongValue       an argument has the right type, but makes no sense
  ├─ NoSuchName       journal or faults have no such method
  ├─ NoSuchTask       no task has this pid
  └─ ControlError     a kernel that is controlled over netlink refused a request
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def _printable(said: str) -> str:
    """Without what a client may have put in to fool a terminal."""
    from netlink_emu.protocol.reading.printable import printable_lines  # every session has us

    return printable_lines(said)


class TestingError(Exception):
    """Base of this package's errors."""

    __test__ = False  # no test class, whatever its name says


class EmulatorError(TestingError):
    """The emulator itself failed; the cause has the traceback."""


class FamilyFailed(TestingError):
    """A family's function raised something else than NetlinkError; see the cause."""


class TimeIsUp(TestingError, AssertionError):
    """A wait timed out; ``told`` are the clients that the message describes."""

    def __init__(self, said: str, told: Sequence[object] = ()) -> None:
        super().__init__(_printable(said))
        self.told = told


class NotUsed(TestingError, AssertionError):
    """No client talked to the emulated kernel, or something that the test set up had no effect."""


class KernelClosed(TestingError, RuntimeError):
    """The kernel is closed: its test or its ``with`` block has ended."""


class WrongProcess(TestingError, RuntimeError):
    """The kernel cannot be used here: in a forked child, or among gevent's threads."""


class WrongType(TestingError, TypeError):
    """An argument has the wrong type or an unknown name."""


class WrongValue(TestingError, ValueError):
    """An argument makes no sense."""


class NoSuchName(TestingError, AttributeError):
    """There is no method or attribute of this name."""


class NoSuchTask(TestingError, KeyError):
    """No task has this pid; ``args`` has the message."""

    __str__ = Exception.__str__  # of a KeyError it is a repr


class ControlError(TestingError):
    """A kernel that is controlled over netlink refused a request, with ``errno``."""

    def __init__(self, errno: int, said: str) -> None:
        super().__init__(_printable(said))
        self.errno = errno


def hide(excinfo: Any) -> bool:
    """For ``__tracebackhide__``: pytest shows no frames of ours where the test itself erred."""
    exc = excinfo.value
    ours = type(exc).__module__.startswith("netlink_emu.") or isinstance(exc, AssertionError)
    return ours and not isinstance(exc, EmulatorError)
