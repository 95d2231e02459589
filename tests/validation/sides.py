"""Both sides: the machine's kernel through real sockets, and the emulated one."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from helpers.kernel import Bench, make_bench
from helpers.nets import SECONDS

from netlink_emu.families.own import Family
from netlink_emu.families.own.bind import Handlers, bind
from netlink_emu.families.own.recording import RecordedFamily, RecordedOp, read_recording
from netlink_emu.kernel.genetlink import GenlFamily, GenlInfo, GenlValidate
from netlink_emu.kernel.releases import profile_for
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.genetlink import CtrlCmd
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLM_F_DUMP,
    NLMSG_DONE,
    NLMSG_ERROR,
    nlmsg_walk,
)
from netlink_emu.testing.remote.recorder import record_family

from .facts import HIGHEST, LENIENT, LOOKS, NAMES, RESV_START_OP, UNTOLD
from .make import Request

SPECS: Final = Path(__file__).parents[1] / "data" / "specs" / "7.3"
_CLONE_NEWNET: Final = 0x40000000
_SOL_NETLINK, _NETLINK_EXT_ACK = 270, 11
_READ: Final = 1 << 16
_PATIENCE: Final = SECONDS  # for one answer, against a hang


def plain(datagram: bytes) -> bytes:
    """A datagram without portids, which differ."""
    data = bytearray(datagram)
    for offset, header in nlmsg_walk(datagram):
        data[offset + 12 : offset + 16] = bytes(4)
        if header.nlmsg_type == NLMSG_ERROR:
            data[offset + 32 : offset + 36] = bytes(4)
    return bytes(data)


def is_last(datagram: bytes) -> bool:
    """Whether nothing more answers a request."""
    return any(h.nlmsg_type in (NLMSG_ERROR, NLMSG_DONE) for _, h in nlmsg_walk(datagram))


def _open(extack: bool) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    sock.settimeout(_PATIENCE)
    if extack:
        sock.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
    return sock


def _open_elsewhere(extack: bool) -> socket.socket:
    """A socket in a network namespace of its own, which ends with it; raises PermissionError."""
    found: list[socket.socket | BaseException] = []

    def run() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET):
            found.append(PermissionError(ctypes.get_errno(), "a network namespace of its own"))
        else:
            found.append(_open(extack))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    (sock,) = found
    if isinstance(sock, BaseException):
        raise sock
    return sock


class Live:
    """The machine's kernel. Families whose every operation is tried are tried elsewhere."""

    def __init__(self) -> None:
        with contextlib.ExitStack() as stack:  # what is open if one of them cannot be

            def both(open: Callable[[bool], socket.socket]) -> dict[bool, socket.socket]:
                return {extack: stack.enter_context(open(extack)) for extack in (False, True)}

            self._here: Final = both(_open)
            self._elsewhere: Final = both(_open_elsewhere)
            self._open: Final = stack.pop_all()

    def close(self) -> None:
        self._open.close()

    def ask(self, request: Request) -> list[bytes]:
        """All that answers a request."""
        sockets = self._here if request.family in LOOKS else self._elsewhere
        sock = sockets[request.extack]
        sock.send(request.data)
        found: list[bytes] = []
        while not found or not is_last(found[-1]):
            found.append(sock.recv(_READ))
        return [plain(data) for data in found]

    def record(self, name: str) -> RecordedFamily | None:
        """The family as the kernel describes it; None if it has none of that name."""
        payload = name.encode() + b"\0"
        attr = struct.pack("=HH", 4 + len(payload), 2) + payload + bytes(-len(payload) % 4)
        answers = []
        for cmd, flags in (
            (CtrlCmd.CTRL_CMD_GETFAMILY, 4),
            (CtrlCmd.CTRL_CMD_GETPOLICY, NLM_F_DUMP),
        ):
            header = struct.pack("=IHHIIBBH", 20 + len(attr), 16, 1 | flags, 1, 0, cmd, 2, 0)
            answers.append(
                self.ask(Request("nlctrl", cmd, bool(flags & 0x100), False, "", header + attr))
            )
        if int.from_bytes(answers[0][0][4:6], "little") == NLMSG_ERROR:
            return None
        return read_recording(answers[0], answers[1])


class Emulated:
    """The same families, whose handlers say that they were reached."""

    def __init__(self, families: dict[str, RecordedFamily], release: str) -> None:
        self._bench: Final[Bench] = make_bench(profile_for(release, arch=os.uname().machine))
        self.reached = False
        for name, family in families.items():
            if name != "nlctrl":
                self._bench.kernel.genl.register_family(self._family(family))
        self._sockets: Final = {extack: self._bench.sock(0) for extack in (False, True)}
        self._sockets[True].setsockopt(
            self._bench.current, _SOL_NETLINK, _NETLINK_EXT_ACK, b"\1\0\0\0"
        )

    def _family(self, family: RecordedFamily) -> GenlFamily:
        for op in family.ops:
            _add_untold(family, op)
        lenient = LENIENT.get(family.name)
        validate: dict[int, GenlValidate] = (
            {} if lenient is None else {op.cmd: lenient for op in family.ops}
        )
        return family.family(
            doit=self._doit,
            dumpit=self._dumpit,
            resv_start_op=RESV_START_OP.get(family.name, 0),
            validate=validate,
        )

    def _doit(self, _info: GenlInfo) -> None:
        self.reached = True
        raise NetlinkError("ENOTUNIQ")

    def _dumpit(self, _info: GenlInfo) -> Iterator[bytes]:
        self.reached = True
        raise NetlinkError("ENOTUNIQ")

    def ask(self, request: Request) -> list[bytes]:
        """All that answers a request; :attr:`reached` says whether a handler was called."""
        self.reached = False
        found = self._bench.ask(self._sockets[request.extack], request.data)
        if request.family == "nlctrl":
            # Our own handler: only what it refuses without looking at its families is validation.
            self.reached = not (len(found) == 1 and _is_validation(found[0]))
        return [plain(data) for data in found]


class FromSpecs(Emulated):
    """The same families as users have them: from the kernel's specs, a recording over each."""

    def _family(self, family: RecordedFamily) -> GenlFamily:
        with tempfile.TemporaryDirectory() as folder:
            recording = Path(folder) / "recording.json"
            recording.write_text(json.dumps({"families": [record_family(family.name)]}))
            own = Family.from_spec(SPECS / f"{family.name}.yaml", recording=recording)
        handlers = Handlers(otherwise_do=self._reach, otherwise_dump=self._reach)
        return replace(bind(own, own.declaration, handlers), id=family.id)

    def _reach(self, _family: object, _request: object) -> None:
        self.reached = True
        raise NetlinkError("ENOTUNIQ")


def _add_untold(family: RecordedFamily, op: RecordedOp) -> None:
    highest = HIGHEST.get(family.name, {}).get(op.cmd)
    if highest is not None and op.do is not None:
        family.policies.extend(op.do, highest)
    policy, _ = family.policy(op.do)
    for (cmd, *nests, attribute), rule in UNTOLD.get(family.name, {}).items():
        inside = policy if cmd == op.cmd else None
        for nest in nests:
            inside = inside[nest].nested if inside else None
        if isinstance(inside, dict):
            inside[attribute] = rule


def _is_validation(datagram: bytes) -> bool:
    kind = int.from_bytes(datagram[4:6], "little")
    errno = -int.from_bytes(datagram[16:20], "little", signed=True)
    return kind == NLMSG_ERROR and errno in (22, 34, 95)


def record_all(live: Live) -> dict[str, RecordedFamily]:
    """The families that this machine's kernel has."""
    found = {name: live.record(name) for name in NAMES}
    return {name: family for name, family in found.items() if family is not None}
