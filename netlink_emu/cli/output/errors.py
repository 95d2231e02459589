"""How the command line ends when something is wrong: one sentence, and an exit status.

What a user can mend is a :class:`UserError`; everything else is a mistake of ours and is the
only thing that shows a traceback.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import traceback
from errno import EMFILE
from typing import Final

from netlink_emu.protocol.reading.printable import printable, printable_lines

EXIT_USER: Final = 1  # wrong usage is 2, which typer sets
EXIT_BUG: Final = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as a shell reports it
# Where bugs are reported to. The project has no public address yet; this is the one place.
REPORT_TO: Final = "the project's issue tracker"
# Every command does with so many descriptors; where there are more, who lacks one has lost some.
_FEW_FILES: Final = 64


class UserError(Exception):
    """Something the user can mend, said in one sentence without a full stop."""


def leaves(exc: BaseException) -> list[BaseException]:
    """The exceptions inside nested groups: trio's nurseries wrap what they raise."""
    if isinstance(exc, BaseExceptionGroup):
        return [leaf for inner in exc.exceptions for leaf in leaves(inner)]
    return [exc]


def say(text: str) -> None:
    """A sentence for the user, beside what the command prints; lost where nobody can hear it."""
    to_stderr(f"netlink-emu: {printable(text)}\n")


def to_stderr(text: str) -> None:
    """Write lines; a standard error that is closed or full changes no exit status."""
    if sys.stderr is None:  # print() would take the standard output
        return
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(printable_lines(text))
        sys.stderr.flush()


def _as_told(exc: BaseException) -> BaseException:
    """An exception; a UserError for what the user's limits withhold, whoever wanted it."""
    if isinstance(exc, RuntimeError) and str(exc) == "can't start new thread":
        from netlink_emu.interpose.launch import NO_PROCESS

        return UserError(f"no thread can be started: {NO_PROCESS}")
    if isinstance(exc, OSError) and exc.errno == EMFILE:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < _FEW_FILES:
            return UserError(
                f"this process may open {soft} files at most (RLIMIT_NOFILE), which are too few: "
                "raise the limit, as with ulimit -n"
            )
    return exc


def report(exc: BaseException) -> int:
    """Say on stderr what ended the command; returns the exit status."""
    found = [*map(_as_told, leaves(exc))]
    bugs = [e for e in found if not isinstance(e, UserError | KeyboardInterrupt)]
    if bugs:
        from netlink_emu.cli.output.circumstances import circumstances  # seldom wanted, we hope

        to_stderr("".join(traceback.format_exception(exc)))
        to_stderr("".join(f"{line}\n" for line in circumstances()))
        say(
            "this is a bug in netlink-emu: please report it, with all of the text above, to "
            f"{REPORT_TO}"
        )
        return EXIT_BUG
    said = dict.fromkeys(str(e) for e in found if isinstance(e, UserError))
    for sentence in said:
        say(sentence)
    return EXIT_USER if said else EXIT_INTERRUPTED
