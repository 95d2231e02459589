"""Connect to the kernel of a server, for ``netlink-emu run --connect``."""

from __future__ import annotations

import array
import socket
from pathlib import Path
from typing import Final

from netlink_emu.backends.remote import RemoteKernel
from netlink_emu.backends.unix_paths import connectable
from netlink_emu.backends.wire import Wire
from netlink_emu.kernel.kernel import MAX_LINKS
from netlink_emu.kernel.releases import UnknownArchError, UnknownReleaseError, profile_for
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.ours.relay import RELAY_HELLO, RelayHello, RelayWish, ReportKind

# A kernel answers at once: a server that does not is as good as gone.
_PATIENCE: Final = 10.0


class ConnectError(Exception):
    """There is no server, or one of another version."""


def connect(path: Path, *, uid: int | None = None, net_admin: bool = True) -> RemoteKernel:
    """Return the kernel of the server at ``path``; raises ConnectError.

    Clients have the credentials that the server gives them, or less:
    another ``uid``, or no CAP_NET_ADMIN.
    """
    wishes = RelayWish(0)
    if uid is not None:
        wishes |= RelayWish.UID
    if not net_admin:
        wishes |= RelayWish.NO_NET_ADMIN
    stream = _hand_over(path, RelayHello(wishes=int(wishes), uid=uid or 0))
    return welcomed(Wire(stream, _PATIENCE), path)


def welcomed(wire: Wire, path: Path) -> RemoteKernel:
    """Wait until the server describes its kernel, and return it; raises ConnectError."""
    welcome = wire.wait()
    if welcome is None or welcome.kind != ReportKind.WELCOME:
        wire.close()
        raise ConnectError(
            f"the server at {path} does not take calls: it is of another version, has as many "
            "commands as it takes, or has no descriptor left"
        )
    release, arch, protocols, *_ = f"{welcome.data.decode('utf-8', 'replace')}\0\0".split("\0")
    try:
        kernel = RemoteKernel(profile_for(release, arch=arch), wire)
    except (UnknownReleaseError, UnknownArchError) as exc:
        wire.close()
        raise ConnectError(
            f"the server at {path} has a kernel that is not known here: {exc}"
        ) from exc
    for number in protocols.split(","):
        if number.isdecimal() and len(number) <= 2 and int(number) < MAX_LINKS:
            kernel.here.take(int(number))
    return kernel


def _hand_over(path: Path, hello: RelayHello) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))
    try:
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            with connectable(path) as name:
                way.connect(name)
            way.sendmsg([RELAY_HELLO[HOST_ORDER].encode(hello)], [rights])
    except OSError as exc:
        ours.close()
        raise ConnectError(f"no server can be reached at {path}: {exc.strerror or exc}") from exc
    return ours
