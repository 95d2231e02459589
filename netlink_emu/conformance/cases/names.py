"""Names that transcripts use for numbers of system calls."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

SOCKET_TYPES: Final = {
    "stream": 1,
    "dgram": 2,
    "raw": 3,
    "rdm": 4,
    "seqpacket": 5,
    "packet": 10,
}
POLICIES: Final = {"other": 0, "normal": 0, "fifo": 1, "rr": 2, "batch": 3, "idle": 5}
NOTHING: Final = "EAGAIN (nothing within 200ms)"  # what a drained queue is recorded as
POLL_ASKED: Final = 0x147  # IN PRI OUT RDNORM WRNORM; ERR and HUP come unasked
DEFAULT_BUFSIZE: Final = 65536
DEFAULT_CTRL: Final = 512
_MSG_FLAGS: Final = {
    0x01: "OOB",
    0x08: "CTRUNC",
    0x20: "TRUNC",
    0x80: "EOR",
    0x2000: "ERRQUEUE",
    0x40000000: "CMSG_CLOEXEC",
}
_MSG_NUMBERS: Final = {name: number for number, name in _MSG_FLAGS.items()}
_POLL: Final = {
    0x001: "IN",
    0x002: "PRI",
    0x004: "OUT",
    0x008: "ERR",
    0x010: "HUP",
    0x020: "NVAL",
    0x040: "RDNORM",
    0x080: "RDBAND",
    0x100: "WRNORM",
    0x200: "WRBAND",
    0x2000: "RDHUP",
}


def _names_of(bits: int, names: Mapping[int, str]) -> str:
    found = [names.get(1 << i, hex(1 << i)) for i in range(bits.bit_length()) if bits >> i & 1]
    return "|".join(found)


def msg_flags_names(flags: int) -> str:
    """``TRUNC|CTRUNC`` for msg_flags, ``0`` for none."""
    return _names_of(flags, _MSG_FLAGS) or "0"


def msg_flags_number(names: str) -> int:
    """msg_flags from its names, or from numbers where a recorder has no name.

    Raises ValueError.
    """
    parts = (part.removeprefix("MSG_") for part in names.split("|"))
    return sum({_MSG_NUMBERS[part] if part in _MSG_NUMBERS else int(part, 0) for part in parts})


def poll_names(events: int) -> str:
    """``IN|OUT`` for the events of poll(2), ``0`` for none."""
    return _names_of(events, _POLL) or "0"


def socket_type(kind: str | int) -> int:
    return SOCKET_TYPES[kind] if isinstance(kind, str) else kind


def comm_bytes(comm: str) -> bytes:
    """A transcript's comm: one byte for each character where that is possible."""
    try:
        return comm.encode("latin-1")
    except UnicodeEncodeError:
        return comm.encode()


def sockopt_value(value: int | None, value_hex: str | None) -> bytes:
    """The bytes for setsockopt(2): an int of the host, or as they are."""
    if value_hex is not None:
        return bytes.fromhex(value_hex)
    return struct.pack("=I", (value or 0) & 0xFFFF_FFFF)


def signal_number(signal: str | int) -> int:
    """A signal by number or by its name without SIG, as Linux numbers them on x86 and ARM."""
    if isinstance(signal, int):
        return signal
    if signal.isdigit():
        return int(signal)
    return _SIGNALS[signal.removeprefix("SIG")]


_SIGNAL_NAMES: Final = """
HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP
TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS
"""
_SIGNALS: Final = {name: number for number, name in enumerate(_SIGNAL_NAMES.split(), start=1)}
