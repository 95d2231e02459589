"""socket.socket with other methods while a test runs, where no system call can be stopped.

Only AF_NETLINK sockets are touched, and only those that this process makes in Python. Programs
that the test starts, and code in C, talk to this machine's kernel.
"""

from __future__ import annotations

import _socket
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from trio import _socket as trio_socket

from netlink_emu.interpose.sockets import EmulatedSocket
from netlink_emu.protocol.netlink import AF_NETLINK
from netlink_emu.testing.errors import WrongProcess
from netlink_emu.testing.inprocess.local import LocalSockets
from netlink_emu.testing.inprocess.methods import Methods
from netlink_emu.testing.thread.calls import Calls

# Python's own property makes an enum of it.
_FAMILY: Final = _socket.socket.family.__get__


class Patch:
    """Gives AF_NETLINK sockets of this process to ``local``, while it is entered."""

    def __init__(self, local: LocalSockets, calls: Calls) -> None:
        self._calls: Final = calls
        self._methods: Final = Methods(local, calls)
        self._answers: Final = local.backend.answers
        self._pid: Final = os.getpid()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Replace the methods of socket.socket, and put them back at the end."""
        with ExitStack() as stack:
            for name in Methods.NAMES:
                stack.enter_context(_replaced(socket.socket, name, self._method))
            stack.enter_context(_replaced(socket.socket, "__init__", self._init))
            stack.enter_context(_replaced(socket.socket, "_real_close", self._close))
            stack.enter_context(
                _replaced(trio_socket._SocketType, "_nonblocking_helper", _as_patched)
            )
            yield

    def _ours(self, own: socket.socket) -> EmulatedSocket | None:
        if _FAMILY(own) != AF_NETLINK or self._calls.loop.is_here:
            return None
        self._check_process()
        return self._methods.find(own.fileno())

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise WrongProcess(
                "this process was forked from a test with here=True, whose netlink sockets are "
                f"emulated in process {self._pid} alone, as seccomp is not available here: use "
                "kernel.path"
            )

    # --- what replaces the methods, given the original

    def _method(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        ours = getattr(self._methods, name)

        def method(own: socket.socket, *args: Any, **options: Any) -> Any:
            sock = self._ours(own)
            if sock is None:
                return original(own, *args, **options)
            return ours(own, sock, *args, **options)

        return method

    def _init(self, original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        def init(
            own: socket.socket,
            family: int = -1,
            type: int = -1,
            proto: int = -1,
            fileno: int | None = None,
        ) -> None:
            if fileno is not None:
                kind = self._methods.kind(fileno)
                if kind is not None:
                    family = AF_NETLINK if family == -1 else family
                    type = kind[0] if type == -1 else type
                    proto = kind[1] if proto == -1 else proto
                original(own, family, type, proto, fileno)
            elif family != AF_NETLINK or self._calls.loop.is_here or not self._takes(proto):
                original(own, family, type, proto)
            else:
                type, proto = (socket.SOCK_STREAM if type == -1 else type), max(proto, 0)
                fd = self._methods.open(type, proto)
                try:
                    original(own, family, type, proto, fd)
                except BaseException:
                    os.close(fd)
                    raise

        return init

    def _takes(self, protocol: int) -> bool:
        self._check_process()
        return self._answers(max(protocol, 0))

    def _close(self, original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        def real_close(own: socket.socket, *args: Any) -> None:
            ours = _FAMILY(own) == AF_NETLINK and os.getpid() == self._pid
            original(own, *args)
            if ours:
                self._methods.closed()

        return real_close


def _as_patched(original: Callable[..., Any], _name: str) -> Callable[..., Any]:
    """trio has taken the methods of socket.socket when it was imported: take those of now."""

    async def helper(own: Any, wait: Any, function: Any, *args: Any, **options: Any) -> Any:
        if _FAMILY(own._sock) == AF_NETLINK:
            function = getattr(socket.socket, function.__name__)
        return await original(own, wait, function, *args, **options)

    return helper


@contextmanager
def _replaced(
    cls: type, name: str, make: Callable[[Callable[..., Any], str], Callable[..., Any]]
) -> Iterator[None]:
    """Replace a method of a class by what ``make`` makes of it; inherited ones are shadowed."""
    before = cls.__dict__.get(name)
    setattr(cls, name, make(getattr(cls, name), name))
    try:
        yield
    finally:
        if before is None:
            delattr(cls, name)
        else:
            setattr(cls, name, before)
