"""A kernel of a test that answers nobody: as a server after SIGSTOP, Ctrl-Z, or in a debugger."""

from __future__ import annotations

import threading
from typing import Final, Self

from helpers.nets import SECONDS

from netlink_emu.testing import EmulatedKernel


class Stopped:
    """The thread that serves a kernel's clients stands still."""

    def __init__(self, kernel: EmulatedKernel) -> None:
        self._stopped: Final = threading.Event()
        self._over: Final = threading.Event()
        self._thread: Final = threading.Thread(target=kernel.call, args=(self._stand,))

    def _stand(self) -> None:
        self._stopped.set()
        assert self._over.wait(SECONDS)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._stopped.wait(SECONDS)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join(SECONDS)
