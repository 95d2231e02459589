"""The pytest plugin: fixtures around :class:`netlink_emu.testing.EmulatedKernel`.

Every pytest session loads this, so that netlink-emu itself is imported when a test asks for a
kernel, and not before.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from netlink_emu.testing.kernel import EmulatedKernel

MARKER: Final = (
    "netlink_emu(release, arch, cpus, tasks, uid, delayacct, config, families, control, seed): "
    "the defaults of the kernels that this test makes"
)
_OPTIONS: Final = frozenset(MARKER.partition("(")[2].partition(")")[0].split(", "))
_SECTION: Final = "netlink-emu"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("netlink-emu")
    group.addoption(
        "--netlink-emu-journal",
        metavar="DIR",
        help="write the exchange of every test with an emulated kernel to DIR, as pcapng",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


class KernelFactory:
    """Makes emulated kernels, which are closed at the end of the fixture's scope.

    ``defaults`` are arguments that the caller does not give.
    """

    def __init__(
        self, stack: ExitStack, defaults: dict[str, Any], files: Callable[[], str] | None
    ) -> None:
        self._stack = stack
        self._defaults = defaults
        self._files = files
        self.kernels: list[EmulatedKernel] = []
        self.over = False

    def __call__(self, release: str | None = None, **options: Any) -> EmulatedKernel:
        """A new kernel on a machine of its own; the arguments are those of EmulatedKernel."""
        from netlink_emu.testing.kernel import EmulatedKernel

        if release is not None:
            options["release"] = release
        kernel = EmulatedKernel(**{**self._defaults, **options})
        self._stack.enter_context(kernel)
        if self._files is not None:
            self._stack.enter_context(kernel.journal_to(self._files()))
        self.kernels.append(kernel)
        return kernel


@pytest.fixture(scope="session")
def netlink_emu_defaults() -> dict[str, Any]:
    """Arguments for every emulated kernel; override this fixture in a conftest.py.

    A test's marker comes before it, and the call of the factory before that.
    """
    return {}


def _factory(request: pytest.FixtureRequest, defaults: dict[str, Any]) -> Iterator[KernelFactory]:
    from contextlib import ExitStack

    with ExitStack() as stack:
        factory = KernelFactory(stack, defaults, _journal_files(request))
        known = _factories(request.config)
        known.append(factory)
        try:
            yield factory
        finally:
            factory.over = True  # and forgotten when the next test begins


@pytest.fixture
def netlink_emu(
    request: pytest.FixtureRequest, netlink_emu_defaults: dict[str, Any]
) -> Iterator[KernelFactory]:
    """Makes emulated kernels for one test: ``kernel = netlink_emu("6.1", cpus=4)``."""
    yield from _factory(request, {**netlink_emu_defaults, **_marked(request.node)})


@pytest.fixture
def netlink_emu_kernel(netlink_emu: KernelFactory) -> EmulatedKernel:
    """One emulated kernel, as the test's marker says."""
    return netlink_emu()


@pytest.fixture(scope="module")
def netlink_emu_module(
    request: pytest.FixtureRequest, netlink_emu_defaults: dict[str, Any]
) -> Iterator[KernelFactory]:
    """Makes emulated kernels that last as long as the module; see ``reset()``."""
    yield from _factory(request, netlink_emu_defaults)


@pytest.fixture(scope="session")
def netlink_emu_session(
    request: pytest.FixtureRequest, netlink_emu_defaults: dict[str, Any]
) -> Iterator[KernelFactory]:
    """Makes emulated kernels that last as long as the session; see ``reset()``."""
    yield from _factory(request, netlink_emu_defaults)


def _marked(node: pytest.Item) -> dict[str, Any]:
    """The arguments of the test's markers; the nearest comes first."""
    options: dict[str, Any] = {}
    for marker in node.iter_markers("netlink_emu"):
        own = dict(marker.kwargs)
        if marker.args:
            own["release"], *more = marker.args
            if more:
                raise pytest.UsageError("netlink_emu takes one argument by position, the release")
        unknown = own.keys() - _OPTIONS
        if unknown:
            raise pytest.UsageError(
                f"netlink_emu has no {', '.join(sorted(unknown))}; "
                f"it has {', '.join(sorted(_OPTIONS))}"
            )
        options = {**own, **options}
    return options


# --- what is said of a test that failed

_FACTORIES: Final = pytest.StashKey[list[KernelFactory]]()
_MARKS: Final = pytest.StashKey[dict[int, int]]()


def _factories(config: pytest.Config) -> list[KernelFactory]:
    return config.stash.setdefault(_FACTORIES, [])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    factories = _factories(item.config)
    factories[:] = [factory for factory in factories if not factory.over]
    # Kernels that were there before tell of this test only.
    kernels = [kernel for factory in factories for kernel in factory.kernels]
    if kernels:
        item.stash[_MARKS] = {id(kernel): kernel.journal.number for kernel in kernels}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        marks = item.stash.get(_MARKS, {})
        for factory in _factories(item.config):
            for kernel in factory.kernels:
                said = kernel.report(since=marks.get(id(kernel), 0))
                if said:
                    title = f"{_SECTION}: Linux {kernel.profile.release}"
                    report.sections.append((title, said))
    return report


def _journal_files(request: pytest.FixtureRequest) -> Callable[[], str] | None:
    directory = request.config.getoption("--netlink-emu-journal")
    if directory is None:
        return None
    import itertools
    import re
    from pathlib import Path

    Path(directory).mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]+", "-", request.node.nodeid or "session").strip("-")
    numbers = itertools.count(1)

    def next_file() -> str:
        number = next(numbers)
        suffix = "" if number == 1 else f"-{number}"
        return str(Path(directory) / f"{stem}{suffix}.pcapng")

    return next_file
