"""Emulated kernels for unittest: a mixin that closes them, and shows the exchange of a failure."""

from __future__ import annotations

import functools
import inspect
import unittest
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from netlink_emu.testing.errors import WrongValue, hide
from netlink_emu.testing.factory import KernelFactory
from netlink_emu.testing.settings.options import KernelDefaults, KernelOptions

if TYPE_CHECKING:
    from netlink_emu.testing.kernel import EmulatedKernel

__tracebackhide__ = hide


class EmulatedKernelMixin:
    """A mixin for test cases: ``class TestMonitor(EmulatedKernelMixin, unittest.TestCase)``.

    ``self.netlink_emu("6.1", cpus=4)`` makes a kernel, which is closed after the test's cleanups.
    ``self.kernel`` is a kernel with ``netlink_emu_options``. A test fails if no client talked to
    its kernel (see ``allow_unused``). The error of a failing test has the exchange as a note. With
    ``netlink_emu_here`` the whole test function runs in ``self.kernel``.
    """

    netlink_emu_options: ClassVar[KernelDefaults] = {}
    netlink_emu_here: ClassVar[bool] = False

    def netlink_emu(
        self, release: str | None = None, **options: Unpack[KernelOptions]
    ) -> EmulatedKernel:
        """Make a kernel on a new machine; the arguments are those of EmulatedKernel."""
        return self._netlink_emu_factory(release, **options)

    @functools.cached_property
    def kernel(self) -> EmulatedKernel:
        """The kernel of this test."""
        return self.netlink_emu()

    @functools.cached_property
    def _netlink_emu_factory(self) -> KernelFactory:
        assert isinstance(self, unittest.TestCase)
        stack = ExitStack()
        self.addCleanup(stack.close)
        return KernelFactory(stack, self.netlink_emu_options, None, shared=False)

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """See unittest.TestCase."""
        assert isinstance(self, unittest.TestCase)
        name = self._testMethodName
        before = self.__dict__.get(name)  # pytest puts it there, and takes it away
        if hasattr(self, name):  # else TestCase says so
            setattr(self, name, self._netlink_emu_watch(getattr(self, name)))
        try:
            return super().run(result)  # type: ignore[misc,no-any-return]  # TestCase's
        finally:
            self.__dict__.pop(name, None)
            if before is not None:
                self.__dict__[name] = before
            self.__dict__.pop("kernel", None)
            self.__dict__.pop("_netlink_emu_factory", None)

    def _netlink_emu_watch(self, method: Callable[[], Any]) -> Callable[[], Any]:
        if inspect.iscoroutinefunction(method):
            if self.netlink_emu_here:
                raise WrongValue("netlink_emu_here is not for async tests: use kernel.thread()")

            @functools.wraps(method)
            async def watched_async() -> object:
                __tracebackhide__ = True
                with self._netlink_emu_said():
                    return await method()

            return watched_async

        @functools.wraps(method)
        def watched() -> object:
            __tracebackhide__ = True
            with self._netlink_emu_said():
                if not self.netlink_emu_here:
                    return method()
                from netlink_emu.testing.here import run_here

                return run_here(self.kernel, method)

        return watched

    @contextmanager
    def _netlink_emu_said(self) -> Iterator[None]:
        """What the kernels have to say of the test within."""
        try:
            yield
            for kernel in self._netlink_emu_factory.kernels:
                kernel.usage.assert_used()
        except unittest.SkipTest:
            raise
        except BaseException as exc:
            for kernel in self._netlink_emu_factory.kernels:
                said = kernel.report(without=getattr(exc, "told", ()))
                if said:
                    exc.add_note(f"--- netlink-emu: Linux {kernel.profile.release}\n{said}")
            raise
