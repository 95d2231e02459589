"""A whole test in an emulated kernel: its function runs in a thread whose netlink is emulated."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from netlink_emu.interpose.errors import Unsupported
from netlink_emu.testing.errors import hide

if TYPE_CHECKING:
    from netlink_emu.testing.kernel import EmulatedKernel

__tracebackhide__ = hide

T = TypeVar("T")


def run_here(kernel: EmulatedKernel, function: Callable[..., T], /, **arguments: Any) -> T:
    """Call a function in a thread of ``kernel``; return and raise what it does.

    It sees the context variables that are set. What ends the wait for it ends it, too: Ctrl-C, or
    a time-out that raises in the main thread. Where seccomp is not available, it is called in this
    thread, and the methods of socket.socket are replaced meanwhile.
    """
    __tracebackhide__ = True
    context = contextvars.copy_context()

    def call() -> T:
        return context.run(function, **arguments)

    call.__name__ = getattr(function, "__name__", "the test")
    clients = kernel._parts.clients
    thread = None
    try:
        thread = kernel.thread(call)
        return thread.result(None)
    except Unsupported as exc:
        if thread is not None:
            if thread.entered:
                raise
            clients.threads.remove(thread)
        why = str(exc)
    finally:
        if thread is not None and thread.running:
            thread.interrupt()
    with clients.patched(why):
        return call()


def patched_because(kernel: EmulatedKernel) -> str:
    """Why tests in this kernel run with patched sockets; empty if they do not."""
    return kernel._parts.clients.patched_because
