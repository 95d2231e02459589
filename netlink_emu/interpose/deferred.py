"""A command whose emulated kernel is made when it is first called: most start sooner than that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from netlink_emu.interpose.foreground import Answering, Foreground

if TYPE_CHECKING:
    from netlink_emu.interpose.errands import Errands
    from netlink_emu.interpose.launch import Launched
    from netlink_emu.kernel.kernel import Kernel


class DeferredForeground(Foreground):
    """One command; see Foreground. ``make`` is called once, with the first call or never.

    The ends of clients happen in its kernel if it shall have ``live_exits``.
    """

    def __init__(
        self,
        make: Callable[[], Kernel],
        command: Sequence[str],
        *,
        live_exits: bool,
        allow_io_uring: bool = False,
        fake_root: bool = False,
        native_waits: bool = False,
    ) -> None:
        super().__init__(
            None,
            command,
            allow_io_uring=allow_io_uring,
            fake_root=fake_root,
            native_waits=native_waits,
        )
        self._make = make
        self._traces = live_exits

    def _answering(self, launched: Launched[int], errands: Errands, signals: int) -> Answering:
        self._backend = kernel = self._make()
        if self._traces:
            self._live_exits = kernel
        return super()._answering(launched, errands, signals)
