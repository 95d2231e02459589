"""Recording and replaying clients: in a network namespace of their own, and as user nobody."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from helpers.nets import SECONDS

from netlink_emu.cassettes import Answer, Cassette, Request, read_cassette
from netlink_emu.cassettes.match import blanked
from netlink_emu.protocol.format import HOST_ORDER

PROGRAMS: Final = Path(__file__).parents[1] / "clients" / "programs"
NETLINK_EMU: Final = (sys.executable, "-m", "netlink_emu.cli.main")
# Whoever may read our files, and nothing else.
NOBODY: Final = (
    "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
    "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
)  # fmt: skip
_SETUP: Final = (
    "ip link set lo up && ip link add v0 address 02:00:00:00:00:01 type veth "
    "peer name v1 address 02:00:00:00:00:02 && ip link set v0 up && "
    "ip addr add 192.0.2.1/24 dev v0 && ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev v0 && "
    'exec "$@"'
)
Ended = tuple[int, str, str]


def run(command: Sequence[str | Path], *, inside: bool = True) -> Ended:
    """How a command ends, ``inside`` a network namespace that has some links."""
    setup = ("unshare", "-n", "sh", "-c", _SETUP, "sh") if inside else ()
    done = subprocess.run(
        [*setup, *command],
        capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False,
        cwd=PROGRAMS,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def record(file: Path, command: Sequence[str | Path], *, inside: bool = True) -> Ended:
    """Record a command to a file."""
    return run([*NETLINK_EMU, "record", "-o", file, "--", *command], inside=inside)


def replay(file: Path, command: Sequence[str | Path]) -> Ended:
    """Replay it, as nobody if we may become that."""
    become = NOBODY if os.geteuid() == 0 else ()
    return run([*become, *NETLINK_EMU, "replay", file, "--", *command], inside=False)


def read(file: Path) -> Cassette:
    return read_cassette(file.read_bytes(), str(file))


def exchange(cassette: Cassette, kind: type[Request | Answer] | None = None) -> list[list[bytes]]:
    """What passed on each socket, without the numbers that no two runs have alike."""
    wanted = (Request, Answer) if kind is None else kind
    return [
        [
            blanked(event.data, HOST_ORDER)
            for event in stream.events
            if isinstance(event, Request | Answer) and isinstance(event, wanted)
        ]
        for stream in cassette.streams
    ]


@functools.cache
def may_record() -> bool:
    """Whether there is a kernel for us to record: root, and a namespace with links."""
    if os.geteuid() or not all(map(shutil.which, ("unshare", "ip", "setpriv"))):
        return False
    return run(["true"])[0] == 0
