"""Clients of the kernel that a handle has in its hands: programs, threads, sockets."""

from __future__ import annotations

import os
import socket as _socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from netlink_emu.machine.credentials import Cred
from netlink_emu.testing.core import BootOptions, KernelCore
from netlink_emu.testing.errors import NotUsed

if TYPE_CHECKING:
    from netlink_emu.interpose.supervisor import Supervisor
    from netlink_emu.server.serve import Server
    from netlink_emu.testing.inprocess.threads import ClientThread
    from netlink_emu.testing.process import ClientProcess

T = TypeVar("T")


class KernelWithClients(KernelCore):
    """Starts clients, serves them, and ends them. ``uid`` is whom they are in the kernel."""

    def __init__(self, options: BootOptions, uid: int) -> None:
        super().__init__(options)
        self._uid: Final = uid
        self._supervisors: list[Supervisor] = []
        self._server: Server | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._sockets: list[_socket.socket] = []
        self.threads: list[ClientThread[Any]] = []
        self.clients: list[ClientProcess] = []
        self.closed = False

    # --- life

    def close(self) -> None:
        """End its clients, close its sockets; the journal can still be read.

        Raises EmulatorError if something of ours failed that nobody has been told.
        """
        if self.closed:
            return
        self.closed = True
        self._end_clients()
        self.cgroups.close()
        self._raise_failures()

    def reset(self) -> None:
        """As new: clients ended, sockets closed, tasks, listeners, faults and journal forgotten.

        What was handed out before (tasks, cgroups) is of the past. :attr:`path` stays.
        """
        self._raise_failures()
        serves = self._server is not None
        self._end_clients(keep_directory=True)
        self.cgroups.close()
        self._boot()
        if serves:
            self._start_server()

    def _end_clients(self, *, keep_directory: bool = False) -> None:
        for client in self.clients:
            client.kill()
        for client in self.clients:
            client.wait()
        self.clients = []
        for sock in self._sockets:
            sock.close()
        self._sockets = []
        if self._loop is not None:
            for running in reversed(self._running):
                running.cancel(self._loop)
        self._running, self._supervisors, self._server = [], [], None
        for thread in self.threads:
            thread.join(1.0)  # its sockets are closed; what else it does is its own business
        self.threads = []
        if self._directory is not None and not keep_directory:
            self._directory.cleanup()
            self._directory = None

    # --- clients

    def popen(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        stdin: int | None = subprocess.DEVNULL,
        allow_io_uring: bool = False,
    ) -> ClientProcess:
        """Start an unmodified program, whose generic netlink sockets are of this kernel.

        So are those of what it starts. It is ended with the kernel. Raises FileNotFoundError and
        PermissionError as subprocess.Popen, and interpose.errors.Unsupported with what this
        machine lacks.
        """
        from netlink_emu.testing.interposed import start_interposed

        self.call(lambda: None)  # what failed before is said before
        loop = self._get_loop()
        client, supervisor = start_interposed(
            self.kernel,
            [os.fspath(arg) for arg in argv],
            cred=self._cred(),
            ended=self._waiting.notify,
            env=env,
            cwd=cwd,
            stdin=stdin,
            allow_io_uring=allow_io_uring,
        )
        self.clients.append(client)
        loop.call(lambda: self._supervisors.append(supervisor))
        self._start(partial(_serve_clients, supervisor))
        return client

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        input: bytes | str | None = None,
        timeout: float = 30.0,
        require_use: bool = True,
        text: bool = True,
        **options: Any,
    ) -> subprocess.CompletedProcess[Any]:
        """Run an unmodified program to its end, with output captured (as text unless told not).

        Raises TimeIsUp when it runs longer than ``timeout`` seconds, and NotUsed if it made no
        generic netlink socket (``require_use=False`` allows that). Other options are those of
        :meth:`popen`.
        """
        client = self.popen(
            argv, stdin=subprocess.DEVNULL if input is None else subprocess.PIPE, **options
        )
        if input is not None:
            # A client that does not read its input has closed it.
            with suppress(BrokenPipeError), client.stdin as stdin:
                stdin.write(input.encode() if isinstance(input, str) else input)
        try:
            code = client.wait(timeout)
        finally:
            client.kill()
        if require_use and not self.call(lambda: client.summary.sockets):
            raise NotUsed(
                "the client made no generic netlink socket; require_use=False allows that\n"
                + client.describe()
            )
        out, err = client.stdout, client.stderr
        done: subprocess.CompletedProcess[Any] = subprocess.CompletedProcess(
            client.args,
            code,
            out.decode(errors="replace") if text else out,
            err.decode(errors="replace") if text else err,
        )
        return done

    def thread(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> ClientThread[T]:
        """Start a function of the test's process, whose generic netlink sockets are emulated.

        It runs in a thread of its own, and so may what it calls: sockets, pyroute2, asyncio and
        trio loops, C extensions, threads and processes that it starts. The rest of the process
        keeps its own netlink. ``kernel.thread(f).result()`` is what the function returns.
        """
        from netlink_emu.interpose.client import fds
        from netlink_emu.testing.inprocess.service import serve
        from netlink_emu.testing.inprocess.threads import ClientThread, Start

        self.call(lambda: None)  # what failed before is said before
        ours, theirs = _socket.socketpair()
        self._start(partial(serve, self.kernel, ours, self._cred()))
        profile = self.profile
        high = fds.choose_high(fds.open_files_limit())
        start = Start(profile.release, profile.arch.name, profile.config, high, self._uid)
        thread = ClientThread(
            partial(function, *args, **kwargs),
            getattr(function, "__name__", repr(function)),
            start,
            theirs,
            self._waiting.notify,
        )
        self.threads.append(thread)
        return thread

    def connect(self, *, portid: int = 0, rcvbuf: int = 0) -> _socket.socket:
        """A plain socket, connected to this kernel: send a request, receive the answers.

        It is an AF_UNIX one (SOCK_SEQPACKET), whose datagrams are those of a netlink socket.
        ``portid`` 0 is autobind's choice; ``rcvbuf`` is SO_RCVBUF. It is closed with the kernel.
        """
        from netlink_emu.testing.connect import connect

        sock = connect(self.path, portid=portid, rcvbuf=rcvbuf)
        self._sockets.append(sock)
        return sock

    @property
    def path(self) -> Path:
        """A Unix datagram socket where the kernel is served, for clients in any language."""
        if self._server is None:
            self._start_server()
        assert self._server is not None
        return self._server.path

    def _start_server(self) -> None:
        from netlink_emu.server.serve import serve

        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="netlink-emu-")
        cred = self._cred()
        self._server = self._start(
            partial(
                serve,
                self.kernel,
                Path(self._directory.name) / "socket",
                policy=lambda _machine, _ucred: cred,
            )
        )

    def _cred(self) -> Cred:
        return Cred.for_ids(self.kernel.machine.init_user_ns, self._uid, self._uid)

    # --- what they are about

    def _flush(self) -> None:
        for supervisor in self._supervisors:
            supervisor.flush()
        if self._server is not None:
            self._server.flush()

    def _hopeless(self) -> str | None:
        """Why nobody will do anything any more: all clients have ended."""
        if self._failures:
            self._raise_failures()
        if self._sockets or self._server is not None or not self._running:
            return None
        if any(c.running for c in self.clients) or any(t.running for t in self.threads):
            return None
        # What serves a program ends when that, and all that it started, has closed its sockets.
        if not all(running.ended.done() for running in self._running):
            return None
        return "every client has ended"

    def _describe_clients(self) -> list[str]:
        processes = [client.describe() for client in self.clients]
        return processes + [thread.describe() for thread in self.threads]


async def _serve_clients(supervisor: Supervisor, task_status: Any) -> None:
    task_status.started()
    await supervisor.run()
