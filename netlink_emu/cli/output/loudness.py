"""How much a command says on standard error: ``-q`` and ``-v``, the same in every command.

| what is said | ``-q`` | usually | ``-v`` |
|---|---|---|---|
| errors, and what was asked for (:func:`netlink_emu.cli.output.errors.say`) | yes | yes | yes |
| remarks (:func:`remark`), and how far something is that takes long | | yes | yes |
| what is being done, and how long it took (:func:`detail`) | | | yes |

What a command prints on standard output is the same with all of them.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from netlink_emu.cli.output.errors import say

if TYPE_CHECKING:
    import argparse


class Loudness(enum.IntEnum):
    """How much is said."""

    QUIET = 0
    USUAL = 1
    VERBOSE = 2


# What each option is called in Python, its names on the command line, and its help.
QUIET: Final = ("quiet", ("--quiet", "-q"), "Print only errors: no remarks, no progress.")
VERBOSE: Final = (
    "verbose",
    ("--verbose", "-v"),
    "Also print what is done, and how long it takes.",
)

_chosen = Loudness.USUAL


def choose(*, quiet: bool, verbose: bool) -> None:
    """What the options of a command say; without any, what is chosen stays.

    Raises ValueError if both are given.
    """
    global _chosen  # of the process, as its standard error is
    if quiet and verbose:
        raise ValueError("-q and -v exclude each other")
    if quiet or verbose:
        _chosen = Loudness.QUIET if quiet else Loudness.VERBOSE


def forget() -> None:
    """As before any option."""
    global _chosen
    _chosen = Loudness.USUAL


def loudness() -> Loudness:
    """How much is said now."""
    return _chosen


def remark(text: str) -> None:
    """Something a user should know that is no error."""
    if _chosen >= Loudness.USUAL:
        say(text)


def detail(text: str) -> None:
    """A detail, which ``-v`` shows."""
    if _chosen >= Loudness.VERBOSE:
        say(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options for a script that reads its arguments with argparse; see :func:`choose`."""
    which = parser.add_mutually_exclusive_group()
    for name, flags, text in (QUIET, VERBOSE):
        which.add_argument(*flags, dest=name, action="store_true", help=text)
