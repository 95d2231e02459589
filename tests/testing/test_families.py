"""Families of a test's own through the handle: names, slips, groups, clients that come and go."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from errno import EBUSY, EINVAL, EIO, ENOBUFS, ENOENT
from typing import Any

import pytest
from helpers.interposed import needs_interposer
from helpers.messages import receive
from helpers.nets import SECONDS

from netlink_emu.journal.match import UnknownName
from netlink_emu.kernel.genetlink import GenlFamily, GenlInfo, GenlOp
from netlink_emu.protocol.family import decode, encode
from netlink_emu.protocol.reading.render import message_json
from netlink_emu.testing import (
    Attribute,
    AttributeSet,
    EmulatedKernel,
    Enumeration,
    Family,
    FamilyFailed,
    NetlinkError,
    Request,
)

MODES = Enumeration("mode", {"slow": 1, "bright": 2}, flags=True)
RGB = AttributeSet("rgb", Attribute("red", "u8"), Attribute("green", "u8"))
LAMP = AttributeSet(
    "lamp",
    Attribute("name", "string", max_len=15),
    Attribute("level", "u8", max=11),
    Attribute("colour", nested=RGB),
    Attribute("mode", "u32", enum=MODES),
    Attribute("spots", "indexed-array", sub_type="nest", nested=RGB),
)
ECHO, SLIP = 1, 2


@pytest.fixture
def lamp() -> Family:
    lamp = Family("lamp", attributes=LAMP, groups=["events"])

    @lamp.do("echo")
    def echo(_lamp: Family, request: Request) -> dict[Any, Any]:
        if "level" in request and request["level"] == 0:
            raise NetlinkError("ENOENT", "no light", attr="level")
        return dict(request)

    @lamp.do("slip")
    def slip(_lamp: Family, request: Request) -> None:
        request["nmae"]

    lamp.event("changed")
    return lamp


@pytest.fixture
def kernel(lamp: Family) -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", families=[lamp]) as kernel:
        yield kernel


def message(family: Family, cmd: int, values: dict[Any, Any], flags: int = 5) -> bytes:
    data = encode(LAMP, values)
    number = family.genl.id
    return struct.pack("=IHHIIBBH", 20 + len(data), number, flags, 1, 0, cmd, 1, 0) + data


def ask(kernel: EmulatedKernel, family: Family, cmd: int, values: dict[Any, Any]) -> Any:
    sock = kernel.connect()
    sock.send(message(family, cmd, values, flags=1))
    return receive(sock)


def test_names_are_known_in_journal_and_report(kernel: EmulatedKernel, lamp: Family) -> None:
    values = {
        "name": "desk", "level": 7, "colour": {"red": 1, "green": 2}, "mode": ["bright"],
        "spots": [{"red": 3}], 99: b"\1\2",
    }  # fmt: skip
    ask(kernel, lamp, ECHO, values)
    report = kernel.report()
    for line in (
        "lamp echo REQUEST", 'name "desk"', "level 7", "red 1", 'mode "bright"',
        "99 (unknown) 0102",
    ):  # fmt: skip
        assert line in report
    requests = kernel.journal.requests
    assert requests(family="lamp", cmd="echo", attrs={"level": 7, "mode": ["bright"]})
    assert requests(attrs={"colour": {"red": 1}, "spots": [{"red": 3}]})
    assert not requests(attrs={"colour": {"red": 2}})
    (view,) = requests(cmd="echo")
    written = json.dumps(message_json(view.message))
    assert '{"attr": "mode", "value": ["bright"]}' in written
    assert '{"attr": 99, "value": {"hex": "0102"}}' in written
    assert kernel.journal.answers(cmd="echo", errno=EINVAL)


def test_near_misses_are_told_by_name(kernel: EmulatedKernel, lamp: Family) -> None:
    ask(kernel, lamp, ECHO, {"level": 7, "name": "desk"})
    near = kernel.journal.requests(family="lamp", cmd="echo", attrs={"level": 8}).explain()
    assert "lamp echo" in near
    assert "but level is 7" in near
    with pytest.raises(UnknownName, match="no command 'ehco', did you mean echo"):
        kernel.journal.requests(cmd="ehco")
    with pytest.raises(UnknownName, match="no attribute 'levle', did you mean level"):
        kernel.wait_for_request(family="lamp", attrs={"levle": 1})


def test_faults_and_waits_take_the_names(kernel: EmulatedKernel, lamp: Family) -> None:
    kernel.faults.errno("EBUSY", family="lamp", cmd="echo", attrs={"level": 3})
    assert ask(kernel, lamp, ECHO, {"level": 2}).error is None
    assert ask(kernel, lamp, ECHO, {"level": 3}).errno_name == "EBUSY"
    assert kernel.wait_for_request(family="lamp", cmd="echo", count=2).errno == 16


def test_a_family_declared_as_in_c_is_known_by_name_and_number() -> None:
    def doit(info: GenlInfo) -> None:
        raise KeyError("slip")

    family = GenlFamily("LOW", 1, (GenlOp(3, doit=doit),))
    with EmulatedKernel(families=[family]) as kernel:
        sock = kernel.connect()
        sock.send(struct.pack("=IHHIIBBH", 20, family.id, 5, 1, 0, 3, 1, 0))
        assert receive(sock).errno_name == "EIO"
        with pytest.raises(FamilyFailed, match="a function of family LOW raised KeyError: 'slip'"):
            kernel.call(lambda: None)
        assert kernel.journal.requests(family="LOW", cmd=3, errno="EIO")
        near = kernel.journal.requests(family="LOW", cmd=4).explain()
        assert "but its command is 3" in near
        with pytest.raises(UnknownName, match="no family 'LO', did you mean LOW"):
            kernel.journal.requests(family="LO")
        with pytest.raises(UnknownName, match="there is no family 19"):
            kernel.journal.requests(family=19)


def test_a_slip_answers_once_and_fails_the_test(kernel: EmulatedKernel, lamp: Family) -> None:
    sock = kernel.connect()
    sock.send(message(lamp, SLIP, {}))
    assert receive(sock).error == -EIO
    sock.send(message(lamp, ECHO, {"level": 0}))
    assert receive(sock).error == -ENOENT
    with pytest.raises(FamilyFailed, match="raised ValueError: there is no attribute") as caught:
        kernel.call(lambda: None)
    cause = caught.value.__cause__
    assert cause is not None
    assert "slip" in [frame.name for frame in traceback.extract_tb(cause.__traceback__)]
    kernel.call(lambda: None)  # told once


@pytest.mark.parametrize("how", [pytest.fail, pytest.skip, sys.exit])
@pytest.mark.parametrize("flags", [1, 0x301])
def test_what_is_no_exception_is_a_slip_too(how: Callable[[str], Any], flags: int) -> None:
    """pytest.fail() and sys.exit() in a function would end the thread of all kernels."""
    family = Family("low", attributes=LAMP)

    @family.do("get")
    def get(_family: Family, _request: Request) -> None:
        how("not this")

    @family.dump("get")
    def dump(_family: Family, _request: Request) -> Iterator[dict[str, Any]]:
        how("nor this")
        yield {"level": 1}

    with EmulatedKernel(families=[family]) as kernel:
        sock = kernel.connect()
        sock.send(message(family, 1, {}, flags=flags))
        sock.settimeout(SECONDS)
        answer = sock.recv(1 << 16)  # NLMSG_ERROR, or NLMSG_DONE
        assert struct.unpack_from("=i", answer, 16) == (-EIO,)
        with pytest.raises(FamilyFailed, match=r"a function of family low raised \w+: n.* this"):
            kernel.advance(0)
        kernel.advance(0)


def test_a_slip_of_which_nobody_was_told_fails_at_the_end(lamp: Family) -> None:
    kernel = EmulatedKernel(families=[lamp])
    sock = kernel.connect()
    sock.send(message(lamp, SLIP, {}))
    receive(sock)
    with pytest.raises(FamilyFailed):
        kernel.close()


# --- groups


class Listener:
    """A client in a thread: joins when it is told, reads when it is told."""

    def __init__(self, kernel: EmulatedKernel, lamp: Family, *, rcvbuf: int = 0) -> None:
        self.join, self.joined = threading.Event(), threading.Event()
        self.read = threading.Event()
        self._group, self._rcvbuf = lamp.genl.mcgrp_offset, rcvbuf
        self._kernel, self._lamp = kernel, lamp
        self._thread = kernel.thread(self._listen)

    def _listen(self) -> list[Any]:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
            sock.bind((0, 0))
            if self._rcvbuf:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._rcvbuf)
            assert self.join.wait(SECONDS)
            sock.setsockopt(270, 1, self._group)  # NETLINK_ADD_MEMBERSHIP
            self.joined.set()
            assert self.read.wait(SECONDS)
            sock.setblocking(False)
            return list(self._all(sock))

    @staticmethod
    def _all(sock: socket.socket) -> Iterator[Any]:
        while True:
            try:
                data = sock.recv(4096)
            except BlockingIOError:
                return
            except OSError as error:
                yield error.errno
            else:
                yield decode(LAMP, data[20:])["level"]

    def joins(self) -> None:
        before = self._lamp.listeners()
        self.join.set()
        assert self.joined.wait(SECONDS)
        # CPython keeps its lock in setsockopt(): the kernel hears of it a moment later.
        self._kernel.wait_until(lambda _: self._lamp.listeners() > before, timeout=SECONDS)

    def heard(self) -> list[Any]:
        """The levels that it was told, and the errnos that it met, in order."""
        self.read.set()
        return self._thread.result(SECONDS)


@needs_interposer
def test_three_listeners_one_late_one_overrun(kernel: EmulatedKernel, lamp: Family) -> None:
    early, late = Listener(kernel, lamp), Listener(kernel, lamp)
    narrow = Listener(kernel, lamp, rcvbuf=2304)
    early.joins()
    narrow.joins()
    lamp.notify("changed", {"level": 1})
    late.joins()
    for level in range(2, 12):
        lamp.notify("changed", {"level": level})
    assert early.heard() == [*range(1, 12)]
    assert late.heard() == [*range(2, 12)]
    heard = narrow.heard()
    # ENOBUFS comes first, as soon as it asks; what had room is there, what had none is lost.
    assert heard[0] == ENOBUFS
    assert heard[1:] == [*range(1, len(heard))]
    assert 1 < len(heard) < 12
    lost = kernel.journal.drops(family="lamp")
    assert len(lost) == 12 - len(heard)
    assert kernel.journal.events(family="lamp", cmd="changed", attrs={"level": 11})
    assert len(kernel.journal.overruns()) == 1


def test_a_group_that_nobody_joined(kernel: EmulatedKernel, lamp: Family) -> None:
    lamp.notify("changed", {"level": 1})
    assert not kernel.journal.events(family="lamp")


# --- coming and going


def test_a_family_comes_and_goes_and_each_boot_has_it_anew(lamp: Family) -> None:
    with EmulatedKernel("5.10", arch="x86_64") as kernel:
        kernel.register_family(lamp)
        lamp.state["level"] = 5
        assert ask(kernel, lamp, ECHO, {"level": 2}).cmd_number == ECHO
        kernel.unregister_family(lamp)
        assert ask(kernel, lamp, ECHO, {}).errno_name == "ENOENT"
    with EmulatedKernel("5.10", arch="x86_64", families=[lamp]) as kernel:
        assert lamp.state == {}
        lamp.state["level"] = 5
        kernel.reset()
        assert lamp.state == {}
        assert ask(kernel, lamp, ECHO, {"level": 2}).error is None


PLAN = """
[[family]]
name = "lamp"
timeline = [{ at = 0.5, fail = "echo", errno = "EBUSY" }, { at = 1.5, forget = "echo" }]
"""


def test_a_scenario_changes_a_family(kernel: EmulatedKernel, lamp: Family) -> None:
    kernel.play(PLAN, seconds=1)
    assert ask(kernel, lamp, ECHO, {"level": 3}).error == -EBUSY
    kernel.advance(1)
    assert ask(kernel, lamp, ECHO, {"level": 3}).error is None
    with pytest.raises(ValueError, match="no family 'lmap' was added"):
        kernel.play(PLAN.replace('"lamp"', '"lmap"'), seconds=1)
