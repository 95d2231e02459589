"""A server in a thread of its own, and plain Unix datagram clients: what any language could do."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import trio
from helpers.nets import SECONDS

from netlink_emu.families import BootedKernel, boot
from netlink_emu.kernel.profile import KernelConfig, Profile
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.scenario import parse_scenario
from netlink_emu.machine.timeline import Timeline
from netlink_emu.server.serve import Server, serve
from netlink_emu.server.service import CredentialPolicy, everyone_is_root
from netlink_emu.server.statistics import Statistics

T = TypeVar("T")

FAMILY: Final = 0x1F
FENCE_SEQ: Final = 0xFFFF_FFF0
# NLMSG_NOOP that wants an ack, which comes after the answers to all that was sent before.
FENCE: Final = struct.pack("=IHHII", 16, 1, 0x5, FENCE_SEQ, 0)

LIVE: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "data" / "live_6.18.json").read_text()
)["cases"]


def request(command: int, attr: int, payload: bytes, *, ack: bool = False, seq: int = 1) -> bytes:
    """A TASKSTATS request with one attribute."""
    tlv = struct.pack("=HH", 4 + len(payload), attr) + payload + bytes(-len(payload) % 4)
    flags = 0x5 if ack else 0x1
    return struct.pack("=IHHIIBBH", 20 + len(tlv), FAMILY, flags, seq, 0, command, 1, 0) + tlv


def register(cpulist: str) -> bytes:
    return request(1, 3, cpulist.encode() + b"\0", ack=True)


class Serving:
    """A server under test, on a machine with a virtual clock."""

    def __init__(self, path: Path, kernel: BootedKernel, clock: VirtualClock) -> None:
        self.path: Final = path
        self.kernel: Final = kernel
        self.clock: Final = clock
        self.failure: BaseException | None = None
        self._server: Server | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._stop: trio.Event | None = None
        self._started = threading.Event()

    def call(self, function: Callable[..., T], *args: object) -> T:
        """Run a function in the server's thread, between its own doings."""
        assert self._token is not None
        return trio.from_thread.run_sync(function, *args, trio_token=self._token)

    def statistics(self) -> Statistics:
        assert self._server is not None
        return self.call(self._server.statistics)

    def play(self, toml: str, seconds: float) -> None:
        """Carry out a scenario to its end, in no time."""
        timeline = Timeline(parse_scenario(toml), self.kernel.machine)
        self.call(timeline.play, self.clock, seconds)

    def until(self, holds: Callable[[Statistics], bool]) -> Statistics:
        """Look at the statistics until something holds."""
        deadline = time.monotonic() + SECONDS
        while not holds(statistics := self.statistics()):
            assert time.monotonic() < deadline, statistics
        return statistics

    def listeners(self) -> dict[int, list[int]]:
        """The portids registered for each CPU."""
        taskstats = self.kernel.taskstats
        assert taskstats is not None
        return self.call(lambda: {cpu: list(who) for cpu, who in taskstats.listeners.items()})

    def client(self, name: str | Path = "", *, connect: bool = True) -> Client:
        return Client(self.path, name, connect=connect)

    async def main(self, policy: CredentialPolicy) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._stop = trio.Event()
        async with trio.open_nursery() as nursery:
            self._server = await nursery.start(
                lambda task_status: serve(
                    self.kernel, self.path, policy=policy, task_status=task_status
                )
            )
            self._started.set()
            await self._stop.wait()
            nursery.cancel_scope.cancel()

    def run(self, policy: CredentialPolicy) -> None:
        try:
            trio.run(self.main, policy)
        except BaseException as exc:
            self.failure = exc
        finally:
            self._started.set()

    def wait_started(self) -> None:
        assert self._started.wait(SECONDS)
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        if self._stop is not None and self.failure is None:
            self.call(self._stop.set)


@contextmanager
def serving(
    path: Path,
    *,
    cpus: int = 4,
    config: KernelConfig | None = None,
    policy: CredentialPolicy = everyone_is_root,
) -> Iterator[Serving]:
    """A server at ``path``; a failure of its own fails the test."""
    clock = VirtualClock()
    machine = Machine(cpus=cpus, clock=clock)
    kernel = boot(machine, Profile() if config is None else Profile(config=config))
    server = Serving(path, kernel, clock)
    thread = threading.Thread(target=server.run, args=(policy,))
    thread.start()
    try:
        server.wait_started()
        yield server
    finally:
        server.stop()
        thread.join(SECONDS)
    if server.failure is not None:
        raise server.failure


class Client:
    """A plain AF_UNIX datagram client."""

    def __init__(self, server: Path, name: str | Path, *, connect: bool) -> None:
        self.server: Final = str(server)
        self.sock: Final = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.settimeout(SECONDS)
        self.sock.bind(str(name))
        if connect:
            self.sock.connect(self.server)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.sock.close()

    def send(self, datagram: bytes) -> None:
        self.sock.sendto(datagram, self.server)

    def recv(self) -> bytes:
        return self.sock.recv(1 << 20)

    def ask(self, datagram: bytes) -> list[bytes]:
        """All answers to one datagram."""
        self.send(datagram)
        self.send(FENCE)
        return self.until_fence()

    def until_fence(self) -> list[bytes]:
        answers: list[bytes] = []
        while True:
            answer = self.recv()
            if len(answer) == 36 and struct.unpack_from("=I", answer, 8)[0] == FENCE_SEQ:
                return answers
            answers.append(answer)


def hello(
    *,
    portid: int = 0,
    groups: int = 0,
    options: tuple[int, ...] = (),
    rcvbuf: int = 0,
    version: int = 1,
) -> bytes:
    """struct netlink_emu_hello, written down anew as a client in another language would."""
    mask = sum(1 << option for option in options)
    magic = b"\0\0\0\0netlink-emu\0"
    return struct.pack("=16sIiIIII", magic, version, 0, portid, groups, mask, rcvbuf)


def hello_answer(datagram: bytes) -> tuple[int, int]:
    """(errno, portid) of the answer to a hello."""
    magic, version, error, portid, *_rest = struct.unpack("=16sIiIIII", datagram)
    assert (magic, version) == (b"\0\0\0\0netlink-emu\0", 1)
    return error, portid


def check_answers(case: dict[str, Any], answers: list[bytes]) -> None:
    """Compare with what the live kernel answered: whole messages, or their beginnings."""
    assert len(answers) == len(case["replies"])
    for answer, expected in zip(answers, case["replies"], strict=True):
        if "hex" in expected:
            assert answer.hex() == expected["hex"]
        else:
            assert len(answer) == expected["len"]
            assert answer.hex().startswith(expected["prefix"])
