"""Opens and closes files and sockets in many threads, executes, stops: ``python -m load.busy``.

Runs under ``netlink-emu run --tasks host``, and listens for exits, so that all of it is traced.
Commands and answers are lines of JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from bench.messages import register

from load.wire import ask_own, open_socket, receive

HELD: Final = 40  # files that a thread has open at a time, at most
THREADS: Final = 6  # of a process that executes


class Busy:
    """What one order does, counted; ``wrong`` says what must not be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.did: Counter[str] = Counter()
        self.wrong: list[str] = []

    def files(self, threads: int, rounds: int, seed: int) -> None:
        """Each thread with files of its own, each of which must stay what it is."""
        running = [
            threading.Thread(target=self._guarded, args=(rounds, f"{seed} {number}"))
            for number in range(threads)
        ]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    def _guarded(self, rounds: int, seed: str) -> None:
        try:
            self._open_and_close(rounds, random.Random(seed), self._folder / seed)
        except OSError as exc:
            self._say(f"{seed}: {exc}")

    def _open_and_close(self, rounds: int, chance: random.Random, path: Path) -> None:
        path.write_text("")
        own = path.stat().st_ino
        held: list[int] = []
        for _ in range(rounds):
            if chance.random() < 0.1:
                self._ask()
            elif len(held) < HELD and chance.random() < 0.6:
                held.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            elif held:
                fd = held.pop(chance.randrange(len(held)))
                if os.fstat(fd).st_ino != own:
                    self._say(f"descriptor {fd} is another file")
                os.close(fd)
        for fd in held:
            os.close(fd)
        with self._lock:
            self.did["rounds"] += rounds

    def _ask(self) -> None:
        with open_socket("netlink", "") as sock:
            ask_own(sock, "netlink", "")
            if not receive(sock):
                self._say("a socket of the emulated kernel is at its end")
        with self._lock:
            self.did["sockets"] += 1

    def _say(self, text: str) -> None:
        with self._lock:
            self.wrong.append(text)

    def execs(self, count: int, seed: int) -> None:
        """Processes with threads, one of which executes, stopped and continued meanwhile."""
        chance = random.Random(seed)
        for number in range(count):
            pid = os.fork()
            if pid == 0:
                _execute(random.Random(f"{seed} {number}"))
            if chance.random() < 0.5:
                time.sleep(chance.uniform(0, 0.003))
                os.kill(pid, signal.SIGSTOP)
                time.sleep(chance.uniform(0, 0.0006))
                os.kill(pid, signal.SIGCONT)
            if chance.random() < 0.2:
                self._reap(os.WNOHANG)
        while self._reap(0):
            pass

    def _reap(self, options: int) -> bool:
        try:
            pid, _ = os.waitpid(-1, options)
        except ChildProcessError:
            return False
        self.did["ended"] += pid > 0
        return pid > 0


def _execute(chance: random.Random) -> None:
    """In a new process: threads that end, one that executes, and a leader that may end first."""
    when = chance.uniform(0, 0.003)

    def execute() -> None:
        time.sleep(when)
        os.execv("/bin/true", ["true"])

    try:
        for number in range(THREADS):
            target = execute if number == THREADS // 2 else lambda: time.sleep(when / 2)
            threading.Thread(target=target).start()
        time.sleep(chance.uniform(0, 0.005))
        if chance.random() < 0.3:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(3600)
    finally:
        os._exit(1)


def carry_out(order: dict[str, Any], folder: Path) -> dict[str, Any]:
    busy = Busy(folder)
    do = order.pop("do")
    if do == "files":
        busy.files(**order)
    else:
        busy.execs(**order)
    return {**busy.did, "wrong": busy.wrong[:5]}


def drain(sock: socket.socket) -> None:
    """The listener reads now and then, as listeners do; it may have lost some."""
    sock.setblocking(False)
    while True:
        try:
            receive(sock)
        except BlockingIOError:
            return


def main() -> None:
    with open_socket("netlink", "") as listener, tempfile.TemporaryDirectory() as name:
        listener.send(register(f"0-{(os.cpu_count() or 1) - 1}"))
        receive(listener)
        print("true", flush=True)  # noqa: T201
        for line in sys.stdin:
            answer = carry_out(json.loads(line), Path(name))
            drain(listener)
            print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
