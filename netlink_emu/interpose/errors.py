"""What keeps the interposer from working on this machine.

InterposeError
 ├─ Unsupported      the host's kernel, or who restricts it, lacks something
 ├─ AlreadySupervised  another supervisor's filter is in force (EBUSY)
 └─ SpawnError       the command cannot be run; carries the shell's exit status for that
"""

from __future__ import annotations


class InterposeError(Exception):
    """Base of this package's errors; each is one sentence without a full stop."""


class Unsupported(InterposeError):
    """The host lacks what the interposer needs."""


class AlreadySupervised(Unsupported):
    """A seccomp listener is in force already: a kernel allows one in a line of filters."""

    def __init__(self) -> None:
        super().__init__(
            "another seccomp supervisor already answers for this process "
            "(netlink-emu run inside netlink-emu run, or a container runtime's)"
        )


class SpawnError(InterposeError):
    """A command that cannot be run; ``status`` is 127 (not found) or 126, as in a shell."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
