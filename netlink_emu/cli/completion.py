"""``netlink-emu completion``: what a shell needs to complete our command lines."""

from __future__ import annotations

import enum
from importlib.resources import files
from typing import Annotated

from netlink_emu.cli.usage.declare import Argument


class Shell(enum.StrEnum):
    """The shells that we know."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


# As each shell wants the file called.
FILES = {Shell.BASH: "netlink-emu", Shell.ZSH: "_netlink-emu", Shell.FISH: "netlink-emu.fish"}


def completion(
    shell: Annotated[Shell, Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print a script with which a shell completes commands, options and their values.

    An installation puts it where bash and fish find it by themselves.
    """
    print((files("netlink_emu.cli") / "completion-scripts" / FILES[shell]).read_text(), end="")
