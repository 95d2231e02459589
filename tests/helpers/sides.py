"""Real clients, run twice: as they are, on a real kernel, and under ``netlink-emu run``."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from typing import Final

import pytest
from helpers.interposed import NETLINK_EMU
from helpers.nets import SECONDS

SEARCHED: Final = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Side:
    """Where a client runs."""

    def __init__(self, name: str) -> None:
        self.name: Final = name

    @property
    def emulated(self) -> bool:
        return self.name == "emulated"

    def run(
        self, *command: str | os.PathLike[str], options: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run the client to its end; skips the test if it is not installed."""
        if shutil.which(command[0], path=SEARCHED) is None:
            pytest.skip(f"{command[0]} is not installed")
        prefix = (*NETLINK_EMU, "run", *options, "--") if self.emulated else ()
        return subprocess.run(
            [*prefix, *command],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            # iotop-c reads the width of its output from here.
            env=os.environ | {"LC_ALL": "C", "COLUMNS": "200", "PATH": SEARCHED},
        )


def has_taskstats() -> bool:
    """Whether the real kernel knows TASKSTATS and answers us."""
    if os.geteuid() != 0:
        return False
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
        request = bytes.fromhex(
            "24000000 1000 0100 01000000 00000000 03010000 0e000200 5441534b5354415453000000"
        )
        sock.send(request)
        return sock.recv(4096)[4] == 16
