"""A whole test in an emulated kernel: its function runs in a thread whose netlink is emulated."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from netlink_emu.testing.errors import hide

if TYPE_CHECKING:
    from netlink_emu.testing.kernel import EmulatedKernel

__tracebackhide__ = hide

T = TypeVar("T")


def run_here(kernel: EmulatedKernel, function: Callable[..., T], /, **arguments: Any) -> T:
    """Call a function in a thread of ``kernel``; return and raise what it does.

    It sees the context variables that are set. What ends the wait for it ends it, too: Ctrl-C, or
    a time-out that raises in the main thread.
    """
    __tracebackhide__ = True
    context = contextvars.copy_context()

    def call() -> T:
        return context.run(function, **arguments)

    call.__name__ = getattr(function, "__name__", "the test")
    thread = kernel.thread(call)
    try:
        return thread.result(None)
    finally:
        if thread.running:
            thread.interrupt()
