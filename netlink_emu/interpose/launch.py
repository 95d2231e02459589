"""Starting a client under the filter, which a thread of ours installs for itself and dies with.

A seccomp filter belongs to a thread and is inherited by what it starts. The listener's descriptor
lands in our own table, so that no helper process is needed to hand it over.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

from netlink_emu.interpose.errors import InterposeError, SpawnError, Unsupported
from netlink_emu.interpose.filter.bpf_filter import Instruction
from netlink_emu.interpose.filter.seccomp import Listener, Notification, install_filter

T = TypeVar("T")

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
# Python ignores these at its start; a program begins with their default.
_RESTORED: Final = (signal.SIGPIPE, signal.SIGXFSZ)
_POLL_MS: Final = 1
NO_PROCESS: Final = "no process is left to this user or cgroup (RLIMIT_NPROC, ulimit -u; pids.max)"
_FAKE_ROOT: Final = Path(__file__).with_name("fake_root.py")


@dataclass(slots=True)
class Launched(Generic[T]):
    """A listener and what the launcher thread returned.

    ``pending`` are calls of the new client that stopped before anybody served them.
    """

    listener: Listener
    value: T
    pending: list[Notification] = field(default_factory=list)


def launch(program: Sequence[Instruction], start: Callable[[], T]) -> Launched[T]:
    """Run ``start`` in a fresh thread under the filter; what it starts inherits the filter.

    Raises what ``start`` raises, or Unsupported. The thread's own calls are let pass until it
    ends, also where this process has descriptors beyond the filter's threshold.
    """
    launcher = _Launcher(program, start)
    start_thread(launcher)
    pending = launcher.serve()
    launcher.join()
    if launcher.error is not None:
        if launcher.listener is not None:
            launcher.listener.close()
        raise launcher.error
    assert launcher.listener is not None
    return Launched(launcher.listener, launcher.result[0], pending)


def start_thread(thread: threading.Thread) -> None:
    """Start it; raises Unsupported where no process is left to us."""
    try:
        thread.start()
    except RuntimeError as exc:
        raise Unsupported(f"no thread can be started: {NO_PROCESS}") from exc


class _Launcher(threading.Thread, Generic[T]):
    def __init__(self, program: Sequence[Instruction], start: Callable[[], T]) -> None:
        super().__init__(name="netlink-emu launcher")
        self._program = program
        self._start_client = start
        self._tried = threading.Event()
        self.listener: Listener | None = None
        self.result: list[T] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.listener = Listener(install_filter(self._program))
            self._tried.set()
            self.result.append(self._start_client())
        except BaseException as exc:
            self.error = exc
        finally:
            self._tried.set()

    def serve(self) -> list[Notification]:
        """Let this thread's calls pass while it runs; returns the calls of others."""
        self._tried.wait()
        pending: list[Notification] = []
        if self.listener is None:
            return pending
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        while self.is_alive():
            for _, events in _ready(poll):
                if not events & select.POLLIN:
                    return pending
                notification = self.listener.receive()
                if notification is None:
                    continue
                if notification.tid == self.native_id:
                    self.listener.let_pass(notification.id)
                else:
                    pending.append(notification)
        return pending


def _ready(poll: select.poll) -> list[tuple[int, int]]:
    try:
        return poll.poll(_POLL_MS)
    except OSError:  # the thread goes on all the same, and ends
        return []


def spawn_command(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    blocked: Iterable[int] | None = None,
    fake_root: bool = False,
) -> int:
    """Start a program as a shell would; returns its pid.

    It gets ``blocked`` as its signal mask, else ours. With ``fake_root`` it is root of a user
    namespace of its own, unless it is root anyway. Raises SpawnError in words for the user.
    """
    environment = own_environment() if env is None else dict(env)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ()) if blocked is None else blocked
    path = find_program(command[0], environment)
    if fake_root and os.geteuid():
        helper = (sys.executable, "-I", "-S", str(_FAKE_ROOT))
        try:
            return _posix_spawn(sys.executable, [*helper, path, *command], environment, mask)
        except OSError as exc:  # as where the interpreter lies in somebody else's home
            raise _spawn_error(sys.executable, exc) from exc
    try:
        return _posix_spawn(path, command, environment, mask)
    except OSError as exc:
        if exc.errno == errno.ENOEXEC:  # a script without "#!", which execvp() gives to sh
            return _posix_spawn("/bin/sh", ["sh", path, *command[1:]], environment, mask)
        raise _spawn_error(command[0], exc) from exc


def _posix_spawn(
    path: str, argv: Sequence[str], env: Mapping[str, str], mask: Iterable[int]
) -> int:
    return os.posix_spawn(path, list(argv), env, setsigmask=mask, setsigdef=_RESTORED)


def own_environment() -> dict[str, str]:
    """Our environment as it was given to us: in a C locale Python sets LC_CTYPE (PEP 538)."""
    environment = dict(os.environ)
    given = Path("/proc/self/environ").read_bytes().split(b"\0")
    if not any(entry.startswith(b"LC_CTYPE=") for entry in given):
        environment.pop("LC_CTYPE", None)
    return environment


def find_program(name: str, env: Mapping[str, str]) -> str:
    """The path that execvp(3) would take; raises SpawnError."""
    if "/" in name:
        return name
    forbidden = False
    for directory in os.get_exec_path(env):
        path = Path(directory) / name
        try:
            found = path.is_file()
        except PermissionError:  # the directory is not ours to search
            continue
        if not found:
            continue
        if os.access(path, os.X_OK):
            return str(path)
        forbidden = True
    if forbidden:
        raise SpawnError(f"{name}: permission denied", NOT_EXECUTABLE)
    raise SpawnError(f"{name}: command not found", NOT_FOUND)


def _spawn_error(name: str, exc: OSError) -> InterposeError:
    if exc.errno == errno.EAGAIN:
        return SpawnError(f"{name} cannot be started: {NO_PROCESS}", NOT_EXECUTABLE)
    status = NOT_FOUND if exc.errno == errno.ENOENT else NOT_EXECUTABLE
    return SpawnError(f"{name}: {os.strerror(exc.errno or 0).lower()}", status)
