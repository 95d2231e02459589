"""Makes the kernels of a test; see the fixture ``netlink_emu``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from netlink_emu.testing.errors import hide
from netlink_emu.testing.settings.options import KernelDefaults, KernelOptions, RecordMode

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from netlink_emu.testing.kernel import EmulatedKernel

__tracebackhide__ = hide


class KernelFactory:
    """Makes emulated kernels, which are closed at the end of the fixture's scope.

    ``defaults`` are arguments that the caller does not give; ``cassettes`` gives the cassette of
    each, where the test's marker asks for one, ``record`` how they are made. ``shared`` says
    whether its kernels outlive a test.
    """

    def __init__(
        self,
        stack: ExitStack,
        defaults: KernelDefaults,
        files: Callable[[], str] | None,
        *,
        shared: bool,
        cassettes: Callable[[], Path] | None = None,
        record: RecordMode = "none",
    ) -> None:
        self._stack = stack
        self._defaults = defaults
        self._files = files
        self._cassettes = cassettes
        self._record: RecordMode = record
        self.shared = shared
        self.kernels: list[EmulatedKernel] = []
        self.over = False

    def __call__(
        self, release: str | None = None, **options: Unpack[KernelOptions]
    ) -> EmulatedKernel:
        """A new kernel on a machine of its own; the arguments are those of EmulatedKernel."""
        from netlink_emu.testing import checks
        from netlink_emu.testing.kernel import EmulatedKernel

        checks.keywords("an emulated kernel", options, KernelOptions.__annotations__)
        arguments = KernelDefaults(**{**self._defaults, **options})
        if release is not None:
            arguments["release"] = release
        if self._cassettes is not None and "cassette" not in options:
            arguments["cassette"] = self._cassettes()
        if "cassette" in arguments:
            arguments.setdefault("record", self._record)
        kernel = EmulatedKernel(**arguments)
        self._stack.enter_context(kernel)
        if self._files is not None:
            self._stack.enter_context(kernel.journal_to(self._files()))
        self.kernels.append(kernel)
        return kernel
