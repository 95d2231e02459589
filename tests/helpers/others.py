"""``netlink-emu`` for other users, where the checkout may lie in somebody's closed home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from typing import Final

from helpers.installed import ROOT
from helpers.interposed import NETLINK_EMU
from helpers.nobody import AS_NOBODY

# One that other users may run: a virtual environment may lie in somebody's private home.
PYTHON: Final = shutil.which("python3", path="/usr/bin:/bin") or sys.executable


def ours_for_others() -> tuple[str, ...]:
    """``netlink-emu`` by an interpreter that others may run, with our modules; () if none is.

    --fake-root starts the interpreter once more, as whoever we are then.
    """
    modules = os.pathsep.join((sysconfig.get_path("purelib"), str(ROOT)))
    by_the_systems = ("env", f"PYTHONPATH={modules}", PYTHON, *NETLINK_EMU[1:])
    for command in (NETLINK_EMU, by_the_systems):
        tried = [*AS_NOBODY, "env", *command, "--version"]
        if subprocess.run(tried, capture_output=True, check=False).returncode == 0:
            return command
    return ()
