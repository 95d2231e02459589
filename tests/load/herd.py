"""A herd of clients in one process: ``python -m load.herd PATH CONFIGURATION``.

The configuration is JSON: ``sockets`` of which ``listeners`` register, ``deaf`` of those do not
read before they are told to, ``kind`` is a kind of socket or "mixed", ``seed``. Commands and
answers are lines of JSON on standard input and output.
"""

from __future__ import annotations

import json
import os
import random
import select
import socket
import struct
import sys
import time
from typing import Any

from bench.messages import register
from helpers.nets import SECONDS

from load.record import Record
from load.wire import CPUS, HELLO, KINDS, NLMSG_ERROR, ask_own, open_socket, receive, send

BATCH = 64
ALL = f"0-{CPUS - 1}"


class Listener:
    """One client that registers."""

    def __init__(self, sock: socket.socket, kind: str, cpulist: str) -> None:
        self.sock = sock
        self.record = Record(kind, cpulist)
        self.stamps: list[tuple[int, int]] = []

    def receive(self) -> bytes:
        return receive(self.sock, self._overrun)

    def _overrun(self) -> None:
        self.record.enobufs += 1

    def read(self, most: int = BATCH, *, stamping: bool = False) -> int:
        """Read what is there; how many datagrams that were."""
        count, take = 0, self.record.take
        while count < most:
            try:
                datagram = self.receive()
            except BlockingIOError:
                break
            if not datagram:
                sys.exit("the server has closed a channel")
            pid = take(datagram)
            if stamping and pid is not None:
                self.stamps.append((pid, time.monotonic_ns()))
            count += 1
        return count


class Herd:
    """The clients; see the module."""

    def __init__(self, path: str, config: dict[str, Any]) -> None:
        self.path = path
        self.stamping = bool(config.get("stamps"))
        self.pace = float(config.get("pace", 0.0))
        self.poll = select.epoll()
        self.by_fd: dict[int, Listener] = {}
        self.idle: list[socket.socket] = []
        kinds = [config["kind"]] if config["kind"] != "mixed" else list(KINDS)
        count = config["listeners"]
        for number in range(config["sockets"]):
            kind = kinds[number % len(kinds)]
            sock = open_socket(kind, path)
            sock.settimeout(SECONDS)
            if kind == "channel":
                sock.recv(len(HELLO))
            if number < count:
                # Who does not read hears of all, so as to lose something soon.
                cpulist = ALL if number < config["deaf"] else cpulist_of(number)
                cpulist = config.get("cpulist", cpulist)
                self._register(Listener(sock, kind, cpulist))
            else:
                ask_own(sock, kind, path)
                sock.recv(4096)
                self.idle.append(sock)
        self.listeners = list(self.by_fd.values())
        self.deaf = self.listeners[: config["deaf"]]
        for listener in self.listeners[config["deaf"] :]:
            self.poll.register(listener.sock, select.EPOLLIN)

    def _register(self, listener: Listener) -> None:
        sock, record = listener.sock, listener.record
        send(sock, record.kind, self.path, register(record.cpulist))
        while record.take(datagram := listener.receive()) is not None:
            pass
        kind, portid, error = struct.unpack_from("=4xH6xIi", datagram)
        assert (kind, error) == (NLMSG_ERROR, 0), (kind, error)
        record.portid = portid
        sock.settimeout(0)
        self.by_fd[sock.fileno()] = listener

    def serve(self) -> None:
        """Read, and do as standard input says, until it ends."""
        self.poll.register(0, select.EPOLLIN)
        os.set_blocking(0, False)
        rest = b""
        while True:
            for fd, _ in self.poll.poll():
                if fd:
                    self.by_fd[fd].read(stamping=self.stamping)
                    if self.pace:
                        time.sleep(self.pace)  # a slow reader
                    continue
                data = os.read(0, 1 << 16)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    print(json.dumps(self.do(json.loads(line))), flush=True)  # noqa: T201

    def do(self, order: dict[str, Any]) -> object:
        match order:
            case {"do": "read all"}:  # who was deaf reads from now on, and nobody is slow
                self.pace = 0.0
                for listener in self.deaf:
                    self.poll.register(listener.sock, select.EPOLLIN)
                self.deaf = []
                return sum(listener.read(1 << 30) for listener in self.listeners)
            case {"do": "report"}:
                return [each.record.report() | {"stamps": each.stamps} for each in self.listeners]
            case {"do": "vanish", "count": count, "seed": seed}:
                return vanish(self.path, count, random.Random(seed))
        raise ValueError(f"what is {order}?")


def cpulist_of(number: int) -> str:
    """For most listeners one CPU, for some four, for a few all."""
    if number % 200 == 199:
        return ALL
    if number % 20 == 19:
        first = number % (CPUS - 3)
        return f"{first}-{first + 3}"
    return str(number % CPUS)


def vanish(path: str, count: int, chance: random.Random) -> int:
    """Clients that come, ask for something or nothing, and are gone without a word."""
    for _ in range(count):
        kind = chance.choice(KINDS)
        sock = open_socket(kind, path)
        sock.settimeout(SECONDS)
        for _ in range(chance.randrange(3)):
            if chance.random() < 0.5:
                ask_own(sock, kind, path)
            else:
                send(sock, kind, path, register(str(chance.randrange(CPUS))))
        if chance.random() < 0.3 and kind == "channel":
            sock.recv(4096)
        sock.close()
    return count


def main() -> None:
    herd = Herd(sys.argv[1], json.loads(sys.argv[2]))
    print("true", flush=True)  # noqa: T201
    herd.serve()


if __name__ == "__main__":
    main()
