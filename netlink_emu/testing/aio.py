"""The handle's waiting methods for async tests, on trio or asyncio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import trio

if TYPE_CHECKING:
    import os
    import subprocess

    from netlink_emu.journal.entries import MessageView
    from netlink_emu.testing.inprocess.threads import ClientThread
    from netlink_emu.testing.kernel import EmulatedKernel

T = TypeVar("T")


class AsyncKernel:
    """The waiting methods of :class:`EmulatedKernel`, each in a worker thread."""

    def __init__(self, kernel: EmulatedKernel) -> None:
        self._kernel = kernel

    async def wait_for_listener(
        self, cpu: int | Iterable[int] | None = None, **options: Any
    ) -> list[int]:
        """See :meth:`EmulatedKernel.wait_for_listener`."""
        return await in_thread(partial(self._kernel.wait_for_listener, cpu, **options))

    async def wait_for_request(self, **criteria: Any) -> MessageView:
        """See :meth:`EmulatedKernel.wait_for_request`."""
        return await in_thread(partial(self._kernel.wait_for_request, **criteria))

    async def wait_until(self, condition: Callable[[EmulatedKernel], T], **options: float) -> T:
        """See :meth:`EmulatedKernel.wait_until`."""
        return await in_thread(partial(self._kernel.wait_until, condition, **options))

    async def run(
        self, argv: Sequence[str | os.PathLike[str]], **options: Any
    ) -> subprocess.CompletedProcess[Any]:
        """See :meth:`EmulatedKernel.run`."""
        return await in_thread(partial(self._kernel.run, argv, **options))

    async def result(self, thread: ClientThread[T], **options: Any) -> T:
        """See :meth:`ClientThread.result`."""
        return await in_thread(partial(thread.result, **options))


async def in_thread(function: Callable[[], T]) -> T:
    """Call a blocking function in a worker thread of the running loop, trio's or asyncio's.

    If cancelled, the thread continues until its own time limit.
    """
    if trio.lowlevel.in_trio_run():
        return await trio.to_thread.run_sync(function, abandon_on_cancel=True)
    import asyncio

    return await asyncio.to_thread(function)
