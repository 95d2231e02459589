"""Clients of a kernel: programs, threads of the test's process, sockets."""

from __future__ import annotations

import atexit
import os
import socket as _socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, AnyStr, Final, TypeVar, Unpack

from netlink_emu.machine.credentials import Cred
from netlink_emu.testing.directory import Directory
from netlink_emu.testing.errors import NotUsed, hide
from netlink_emu.testing.handle.booted import Booted
from netlink_emu.testing.settings.options import Argv, PopenOptions
from netlink_emu.testing.waiting import TIMEOUT, Waiting

if TYPE_CHECKING:
    from netlink_emu.interpose.loop import CallLoop
    from netlink_emu.interpose.supervisor import Supervisor
    from netlink_emu.server.serve import Server
    from netlink_emu.testing.handle.cassette import CassetteHandle
    from netlink_emu.testing.handle.interposed import Answering
    from netlink_emu.testing.inprocess.local import LocalSockets
    from netlink_emu.testing.inprocess.threads import ClientThread
    from netlink_emu.testing.process import ClientProcess
    from netlink_emu.testing.thread.loop import Running

__tracebackhide__ = hide

T = TypeVar("T")


_STARTED: Final[set[Clients]] = set()


@atexit.register
def _end_all() -> None:
    """Nothing that was started outlives the process, whoever forgot to close its kernel."""
    for clients in list(_STARTED):
        clients.end()


class Clients:
    """Starts clients, serves them, and ends them. ``uid`` is whom they are in the kernel."""

    def __init__(
        self,
        booted: Booted,
        waiting: Waiting,
        directory: Directory,
        uid: int,
        cassette: CassetteHandle | None = None,
    ) -> None:
        self._booted: Final = booted
        self._cassette: Final = cassette
        self._calls: Final = booted.calls
        self._waiting: Final = waiting
        self._directory: Final = directory
        self._uid: Final = uid
        # Who starts something while all is ended either comes too late, or is ended, too.
        self._starting: Final = threading.RLock()
        self._running: list[Running] = []
        self._supervisors: list[Supervisor] = []
        self._locals: list[LocalSockets] = []
        self.patched_because = ""
        self._server: Server | None = None
        self._sockets: list[_socket.socket] = []
        self.threads: list[ClientThread[Any]] = []
        self.processes: list[ClientProcess[Any]] = []
        self._calls.flush = self._flush

    # --- starting

    @contextmanager
    def _start(self) -> Iterator[None]:
        """Around what is started, for :meth:`end` to find."""
        with self._starting:
            self._calls.check()
            _STARTED.add(self)
            if self._cassette is not None:
                self._cassette.look_after()
            yield

    def popen(
        self,
        argv: Argv,
        kind: type[AnyStr],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        stdin: int | None = subprocess.DEVNULL,
        allow_io_uring: bool = False,
    ) -> ClientProcess[AnyStr]:
        from netlink_emu.interpose.supervisor import Supervisor
        from netlink_emu.testing.handle.interposed import emulated, recorded, start_interposed

        with self._start():
            recording = None if self._cassette is None else self._cassette.recording
            answering: Answering[CallLoop] = (
                emulated(self._booted.kernel, self._cred())
                if recording is None
                else recorded(recording)
            )
            client, loop = start_interposed(
                [os.fspath(arg) for arg in argv],
                answering,
                ended=self._waiting.notify,
                env=env,
                cwd=cwd,
                stdin=stdin,
                allow_io_uring=allow_io_uring,
                kind=kind,
            )
            self.processes.append(client)
            if recording is not None:
                # Rarely wanted, and long to import.
                from netlink_emu.interpose.recording.recorder import Recorder

                assert isinstance(loop, Recorder)
                assert self._cassette is not None
                self._cassette.is_recorded_by(loop)
            elif isinstance(loop, Supervisor):
                self._calls.loop.call(partial(self._supervisors.append, loop))
            self._running.append(self._calls.start(partial(_serve_clients, loop)))
        return client

    def run(
        self,
        argv: Argv,
        kind: type[AnyStr],
        *,
        input: bytes | str | None = None,
        timeout: float = TIMEOUT,
        require_use: bool = True,
        **options: Unpack[PopenOptions],
    ) -> subprocess.CompletedProcess[AnyStr]:
        from netlink_emu.testing.process import as_kind

        options["stdin"] = subprocess.DEVNULL if input is None else subprocess.PIPE
        client = self.popen(argv, kind, **options)
        if input is not None:
            # A client that does not read its input has closed it.
            with suppress(BrokenPipeError), client.stdin as stdin:
                stdin.write(as_kind(kind, input))
        try:
            code = client.wait(timeout)
        finally:
            client.end()
        if require_use and not self._calls.call(lambda: client.summary.sockets):
            raise NotUsed(
                "the client made no generic netlink socket; require_use=False allows that\n"
                + client.describe()
            )
        return subprocess.CompletedProcess(client.args, code, client.stdout, client.stderr)

    def thread(self, function: Callable[[], T], name: str) -> ClientThread[T]:
        from netlink_emu.interpose.client import fds
        from netlink_emu.testing.inprocess.service import serve
        from netlink_emu.testing.inprocess.threads import ClientThread, Start

        high = fds.choose_high(fds.open_files_limit())
        with self._start():
            ours, theirs = _socket.socketpair()
            service = partial(serve, self._booted.kernel, ours, self._cred())
            self._running.append(self._calls.start(service))
            profile = self._booted.kernel.profile
            start = Start(
                profile.release,
                profile.arch.name,
                profile.config,
                high,
                self._uid,
                frozenset(self._booted.kernel.answered),
            )
            thread = ClientThread(function, name, start, theirs, self._waiting.notify)
            self.threads.append(thread)
        return thread

    @contextmanager
    def patched(self, why: str) -> Iterator[None]:
        """Within, netlink sockets that this process makes in Python are the kernel's.

        ``why`` says what keeps the threads of :meth:`thread` from working.
        """
        from netlink_emu.testing.inprocess.local import LocalSockets
        from netlink_emu.testing.inprocess.patch import Patch

        with self._start():
            local = LocalSockets(self._booted.kernel, self._cred())
            self._running.append(self._calls.start(local.run))
            self._calls.loop.call(lambda: self._locals.append(local))
            self.patched_because = why
        with Patch(local, self._calls).applied():
            yield

    def connect(self, *, portid: int, rcvbuf: int) -> _socket.socket:
        from netlink_emu.testing.handle.connect import connect

        with self._start():
            sock = connect(self.path, portid=portid, rcvbuf=rcvbuf)
            self._sockets.append(sock)
        return sock

    # --- the server

    @property
    def path(self) -> Path:
        """The socket of the server, which runs from the first look on."""
        with self._start():
            if self._server is None:
                self.serve()
            assert self._server is not None
            return self._server.path

    @property
    def served(self) -> bool:
        return self._server is not None

    def serve(self) -> None:
        from netlink_emu.server.serve import serve

        cred = self._cred()
        path = self._directory.path / "socket"
        running = self._calls.start(
            partial(serve, self._booted.kernel, path, policy=lambda _machine, _ucred: cred)
        )
        self._server = running.started.result()
        self._running.append(running)

    def _cred(self) -> Cred:
        return Cred.for_ids(self._booted.kernel.machine.init_user_ns, self._uid, self._uid)

    def _flush(self) -> None:
        for supervisor in self._supervisors:
            supervisor.flush()
        for local in self._locals:
            local.flush()
        if self._server is not None:
            self._server.flush()

    # --- ending

    def end(self) -> None:
        """End all of them, and what serves them; a forked child has none of its own."""
        if self._calls.is_forked:
            return
        with self._starting:
            for client in self.processes:
                client.end()
            for client in self.processes:
                client.wait()
            for sock in self._sockets:
                sock.close()
            for running in reversed(self._running):
                running.cancel(self._calls.loop)
            for thread in self.threads:
                thread.join(1.0)  # its sockets are closed; what else it does is its own business
            self._sockets, self._running, self._supervisors, self._server = [], [], [], None
            self._locals = []
            self.processes, self.threads = [], []
            _STARTED.discard(self)

    # --- what they are about

    def hopeless(self) -> str | None:
        """Why nobody will do anything any more: all clients have ended."""
        self._calls.check()
        if self._sockets or self._server is not None or not self._running:
            return None
        if any(c.running for c in self.processes) or any(t.running for t in self.threads):
            return None
        # What serves a program ends when that, and all that it started, has closed its sockets.
        if not all(running.ended.done() for running in self._running):
            return None
        return "every client has ended"

    @property
    def all(self) -> list[ClientProcess[Any] | ClientThread[Any]]:
        """Programs, then threads."""
        return [*self.processes, *self.threads]


async def _serve_clients(loop: CallLoop, task_status: Any) -> None:
    task_status.started()
    await loop.run()
