"""Random sequences of steps: a machine of sockets, options, listeners and tasks.

A sequence is plain data: it can be carried out anywhere, cut down, and become a case.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import MAIN, Step
from netlink_emu.conformance.cases.masked import MaskedBytes

from .requests import NO_TASK, Requests

CPUS: Final = frozenset({0, 1})  # that tasks are bound to
_SOCKETS: Final = ("a", "b", "c", "d")
_TASKS: Final = ("c1", "c2", "c3", "c4", "c5", "c6")
_MOST_TASKS: Final = 3  # alive at a time
# Left out of SOL_SOCKET: what takes pointers or names (filters, devices), and what tells of the
# machine (cookies, CPUs, network cards, memory, and the compat of 32 bits).
_UNFIT: Final = frozenset({25, 26, 27, 28, 31, 46, 49, 50, 51, 52, 55, 56, 57, 66, 67, 71})
_LEVELS: Final = (
    (270, tuple(range(14))),
    (1, (3, 4, 7, 8, 16, 38, 39, 33)),
    (1, tuple(option for option in range(85) if option not in _UNFIT)),
    (0, (1, 2)),
)
_NAMESPACES: Final = (["net"], ["user"], ["pid"], ["user", "net"], ["user", "pid", "net"])
_VALUES: Final = (0, 1, 1, 1, 16, 2, 5, 64, 65, -1, 2304, 5000, 100000)


class Sequences:
    """Sequences from a seed. The same seed gives the same sequence on every machine."""

    def __init__(self, seed: int) -> None:
        self.rng: Final = random.Random(seed)
        self.requests: Final = Requests(self.rng)
        self.steps: list[Step] = []
        self.socks: dict[str, str] = {}  # name -> task that has it
        self.tasks: list[str] = []  # alive
        self.zombies: list[str] = []
        self.threads: dict[str, str] = {}  # thread -> its task
        self.fds: list[str] = []
        self.inits: set[str] = set()
        self.portids: Final = [0x50000000 + self.rng.getrandbits(24) for _ in range(3)]
        self.unused_tasks: Final = list(_TASKS)

    def make(self, length: int) -> list[Step]:
        """A sequence of about ``length`` steps, ending with every queue read empty."""
        self._open("a")
        actions: list[tuple[int, Callable[[], None]]] = [
            (3, lambda: self._open(self.rng.choice(_SOCKETS))),
            (3, self._bind),
            (1, self._connect),
            (1, self._close),
            (4, self._setsockopt),
            (2, self._look),
            (14, self._send),
            (4, self._register),
            (2, self._send_to_user),
            (7, self._recv),
            (4, self._spawn),
            (1, self._thread),
            (5, self._end),
            (2, self._reap),
            (1, self._fd),
            (1, self._burst),
        ]
        weights = [weight for weight, _ in actions]
        while len(self.steps) < length:
            self.rng.choices([action for _, action in actions], weights)[0]()
        for sock, task in self.socks.items():
            self._add(ops.Recv(sock=sock), task)
        return self.steps

    def _add(self, op: ops.Op, task: str = MAIN) -> None:
        self.steps.append(Step(op, task=None if task == MAIN else task))

    def _sock(self) -> tuple[str, str]:
        name = self.rng.choice(list(self.socks))
        return name, self.socks[name]

    # --- sockets

    def _open(self, name: str) -> None:
        if name in self.socks:
            return
        task = MAIN
        if self.tasks and self.rng.random() < 0.2:
            task = self.rng.choice(self.tasks)
        kind = self.rng.choice(("raw", "raw", "dgram"))
        self.socks[name] = task
        self._add(ops.Socket(sock=name, type=kind), task)
        if self.rng.random() < 0.8:
            self._add(ops.Bind(sock=name, pid=self._portid(), groups=0), task)

    def _portid(self) -> int:
        return self.rng.choice((*self.portids, *self.portids, 0))

    def _bind(self) -> None:
        name, task = self._sock()
        if self.rng.random() < 0.1:
            raw = self.rng.randbytes(self.rng.choice((0, 2, 11, 12, 20)))
            self._add(ops.Bind(sock=name, addr_hex=raw.hex()), task)
            return
        groups = self.rng.choice((0, 0, 0, 0x8000, 1, 0x80008000))
        self._add(ops.Bind(sock=name, pid=self._portid(), groups=groups), task)

    def _connect(self) -> None:
        name, task = self._sock()
        if self.rng.random() < 0.3:
            self._add(ops.Connect(sock=name, addr_hex="00" * 12), task)
        else:
            groups = self.rng.choice((0, 0, 0, 0x8000))
            self._add(ops.Connect(sock=name, pid=self._portid(), groups=groups), task)

    def _close(self) -> None:
        if len(self.socks) > 1:
            name, task = self._sock()
            del self.socks[name]
            self._add(ops.Close(sock=name), task)
        if not self.socks:
            self._open("a")

    def _setsockopt(self) -> None:
        name, task = self._sock()
        level, options = self.rng.choice(_LEVELS)
        option = self.rng.choice(list(options))
        if self.rng.random() < 0.1:
            raw = self.rng.randbytes(self.rng.choice((0, 1, 3, 4, 8)))
            self._add(
                ops.SetSockOpt(sock=name, level=level, opt=option, value_hex=raw.hex()), task
            )
        else:
            value = self.rng.choice(_VALUES)
            self._add(ops.SetSockOpt(sock=name, level=level, opt=option, value=value), task)

    def _look(self) -> None:
        name, task = self._sock()
        level, options = self.rng.choice(_LEVELS)
        looks: tuple[ops.Op, ...] = (
            ops.GetSockName(sock=name),
            ops.GetPeerName(sock=name),
            ops.Poll(sock=name),
            ops.ProcNetlink(sock=name),
            ops.ListMemberships(sock=name, len=self.rng.choice((0, 4, 8, 16))),
            ops.GetSockOpt(
                sock=name,
                level=level,
                opt=self.rng.choice(list(options)),
                len=self.rng.choice((None, None, 0, 2, 8)),
            ),
        )
        self._add(self.rng.choice(looks), task)

    # --- messages

    def _known(self) -> list[str]:
        return [*self.tasks, *self.zombies, *self.threads]

    def _send(self) -> None:
        name, task = self._sock()
        payload = self.requests.datagram(self._known(), self.fds if task == MAIN else ())
        addr = self.rng.choice(([0, 0], [0, 0x8000])) if self.rng.random() < 0.1 else None
        send = ops.Send(sock=name, payload=payload, addr=addr, cmsg_creds=self._creds())
        self._add(send, task)
        if self.rng.random() < 0.5:
            self._add(ops.Recv(sock=name), task)

    def _burst(self) -> None:
        """More answers than a small buffer takes."""
        name, task = self._sock()
        self._add(ops.SetSockOpt(sock=name, level=1, opt=8, value=1), task)
        for _ in range(self.rng.randint(2, 6)):
            self._add(ops.Send(sock=name, payload=self.requests.datagram(self._known())), task)

    def _register(self) -> None:
        name, task = self._sock()
        cpus = self.rng.choice((b"0\0", b"1\0", b"0-1\0"))
        self._add(ops.Send(sock=name, payload=self.requests.register(cpus)), task)

    def _send_to_user(self) -> None:
        name, task = self._sock()
        to = self.rng.choice((*self.portids, *self.portids, 0x50FFFFFF))
        data = self.rng.randbytes(self.rng.choice((0, 1, 16, 20, 300)))
        groups = self.rng.choice((0, 0, 0x8000))
        payload, creds = MaskedBytes(data), self._creds()
        self._add(ops.Send(sock=name, payload=payload, addr=[to, groups], cmsg_creds=creds), task)

    def _creds(self) -> list[Any] | None:
        """SCM_CREDENTIALS to send: none most often; one's own, a user's, a forgery."""
        if self.rng.random() < 0.85:
            return None
        ids = (0, 0, 0, 5, 65534, 0xFFFFFFFF)
        pid = self.rng.choice(("self", "self", 1, NO_TASK))
        return [pid, self.rng.choice(ids), self.rng.choice(ids)]

    def _recv(self) -> None:
        name, task = self._sock()
        if self.rng.random() < 0.7:
            self._add(ops.Recv(sock=name), task)
            return
        self._add(
            ops.Recv(
                sock=name,
                n=self.rng.choice((1, 1, 2)),
                bufsize=self.rng.choice((None, 16, 20, 36, 100, 600)),
                ctrl=self.rng.choice((None, None, 0, 24)),
                flags=self.rng.choice((None, None, 0x2, 0x20, 0x22)),
            ),
            task,
        )

    # --- tasks

    def _spawn(self) -> None:
        if len(self.tasks) >= _MOST_TASKS or not self.unused_tasks:
            return
        name = self.unused_tasks.pop(0)
        self.tasks.append(name)
        ids = [65534, 65534] if self.rng.random() < 0.2 else None
        unshare = None
        if ids is None and self.rng.random() < 0.2:
            unshare = self.rng.choice(_NAMESPACES)
        if unshare is not None and "pid" in unshare:
            self.inits.add(name)
        cpu = self.rng.randrange(2)
        self._add(ops.Spawn(cpu=cpu, comm=f"fuzz-{name}", ids=ids, unshare=unshare), name)

    def _thread(self) -> None:
        if not self.tasks:
            return
        task = self.rng.choice(self.tasks)
        name = f"{task}.t1"
        if name not in self.threads:
            self.threads[name] = task
            self._add(ops.Thread(thread=name, cpu=self.rng.randrange(2), comm=name), task)

    def _end(self) -> None:
        if not self.tasks:
            return
        task = self.rng.choice(self.tasks)
        thread = f"{task}.t1"
        if thread in self.threads and self.rng.random() < 0.4:
            del self.threads[thread]
            code = self.rng.randrange(4)
            self._add(ops.Exit(how="exit_thread", code=code, thread=thread), task)
            return
        self.tasks.remove(task)
        if thread in self.threads:
            # How the threads of a process that ends as a whole come in order is up to the
            # scheduler: not a thing to compare.
            del self.threads[thread]
            self._add(ops.Exit(how="exit_thread", code=0, thread=thread), task)
        self.socks = {name: owner for name, owner in self.socks.items() if owner != task}
        # The first task of a pid namespace does not get its own signals.
        if task not in self.inits and self.rng.random() < 0.3:
            signal = self.rng.choice((9, 15, 6, 11))
            self._add(ops.Exit(how="raise", signal=signal), task)
        else:
            self._add(ops.Exit(how="exit_group", code=self.rng.randrange(300)), task)
        self.zombies.append(task)
        if not self.socks:
            self._open("a")

    def _reap(self) -> None:
        if self.zombies:
            task = self.zombies.pop(0)
            self._add(ops.Reap(), task)

    def _fd(self) -> None:
        if len(self.fds) >= 2:
            return
        name = f"fd{len(self.fds)}"
        self.fds.append(name)
        path = self.rng.choice(("/tmp", "/etc/passwd", "/sys/fs/cgroup/freezer/tasks"))
        what = "pipe" if self.rng.random() < 0.3 else None
        self._add(ops.Open(fd=name, what=what, path=None if what else path))
