"""A plain socket connected to a served kernel: the hand-over of a private channel."""

from __future__ import annotations

import array
import socket
from pathlib import Path

from netlink_emu.backends.unix_paths import connectable
from netlink_emu.protocol.errors import errno_name
from netlink_emu.protocol.ours.hello import HELLO, Hello, decode_hello, encode_hello


def connect(path: Path, *, portid: int = 0, rcvbuf: int = 0) -> socket.socket:
    """Hand one end of a SEQPACKET pair to the server at ``path``; returns the other.

    The kernel's socket is closed when that is. Raises OSError with the errno of bind(2) where
    the portid is taken.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))
            hello = encode_hello(Hello(portid=portid, rcvbuf=rcvbuf))
            with connectable(path) as name:
                way.sendmsg([hello], [rights], 0, name)
        answer = decode_hello(ours.recv(HELLO.size))
    except BaseException:
        ours.close()
        raise
    if answer is None or answer.error:
        ours.close()
        number = answer.error if answer is not None else 71
        raise OSError(number, f"the emulated kernel says {errno_name(number)}")
    return ours
