"""The pytest plugin: fixtures around :class:`netlink_emu.testing.EmulatedKernel`.

Every pytest session loads this, so that netlink-emu itself is imported when a test asks for a
kernel, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from netlink_emu.testing.factory import KernelFactory
from netlink_emu.testing.settings.marks import (
    CASSETTE_MARKER,
    MARKER,
    cassette_files,
    marked,
    project_options,
)
from netlink_emu.testing.settings.options import KernelDefaults

if TYPE_CHECKING:
    from pathlib import Path

    from netlink_emu.testing.kernel import EmulatedKernel
    from netlink_emu.testing.usage import Mark, Unused

_SECTION: Final = "netlink-emu"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("netlink-emu")
    group.addoption(
        "--netlink-emu-journal",
        metavar="DIR",
        help="write the exchange of every test with an emulated kernel to DIR, as pcapng",
    )
    for name, what in (
        ("release", "the release that kernels emulate by default"),
        ("arch", "the architecture of kernels by default"),
        ("cpus", "the number of CPUs of kernels by default"),
        ("cassettes", "the folder of a test's cassettes, beside its file by default"),
    ):
        parser.addini(f"netlink_emu_{name}", what, default="")
    parser.addini("netlink_emu_families", "YAML specs of kernels' families", type="paths")
    group.addoption(
        "--netlink-emu-html",
        metavar="DIR",
        help="write what clients and kernel said to DIR when a test fails, as pages for a browser",
    )
    group.addoption(
        "--netlink-record",
        metavar="MODE",
        choices=("none", "once", "new_episodes", "all"),
        default="none",
        help="make cassettes by asking this machine's kernel: none (the default), once, "
        "new_episodes, all",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    config.addinivalue_line("markers", CASSETTE_MARKER)


@pytest.fixture(scope="session")
def netlink_emu_defaults() -> KernelDefaults:
    """Arguments for every emulated kernel; override this fixture in a conftest.py.

    A test's marker overrides them, and the call of the factory overrides the marker.
    """
    return {}


def _factory(
    request: pytest.FixtureRequest,
    defaults: KernelDefaults,
    *,
    shared: bool,
    cassettes: Callable[[], Path] | None = None,
) -> Iterator[KernelFactory]:
    from contextlib import ExitStack

    defaults = KernelDefaults(**{**project_options(request.config), **defaults})
    with ExitStack() as stack:
        factory = KernelFactory(
            stack,
            defaults,
            _journal_files(request),
            shared=shared,
            cassettes=cassettes,
            record=request.config.getoption("--netlink-record"),
        )
        _factories(request.config).append(factory)
        try:
            yield factory
        finally:
            factory.over = True  # and forgotten when the next test begins


@pytest.fixture
def netlink_emu(
    request: pytest.FixtureRequest, netlink_emu_defaults: KernelDefaults
) -> Iterator[KernelFactory]:
    """A factory of emulated kernels for one test: ``kernel = netlink_emu("6.1", cpus=4)``."""
    __tracebackhide__ = True
    options, _here = marked(request.node)
    defaults = KernelDefaults(**{**netlink_emu_defaults, **options})
    cassettes = cassette_files(request.node)
    yield from _factory(request, defaults, shared=False, cassettes=cassettes)


@pytest.fixture
def netlink_emu_kernel(netlink_emu: KernelFactory) -> EmulatedKernel:
    """One emulated kernel, with the options of the test's marker."""
    return netlink_emu()


@pytest.fixture(scope="module")
def netlink_emu_module(
    request: pytest.FixtureRequest, netlink_emu_defaults: KernelDefaults
) -> Iterator[KernelFactory]:
    """A factory of emulated kernels that last as long as the module; see ``reset()``."""
    yield from _factory(request, netlink_emu_defaults, shared=True)


@pytest.fixture(scope="session")
def netlink_emu_session(
    request: pytest.FixtureRequest, netlink_emu_defaults: KernelDefaults
) -> Iterator[KernelFactory]:
    """A factory of emulated kernels that last as long as the session; see ``reset()``."""
    yield from _factory(request, netlink_emu_defaults, shared=True)


# --- a whole test in a kernel


def pytest_itemcollected(item: pytest.Item) -> None:
    here = any(marker.kwargs.get("here") for marker in item.iter_markers("netlink_emu"))
    if here and isinstance(item, pytest.Function) and "netlink_emu" not in item.fixturenames:
        item.fixturenames.append("netlink_emu")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    import inspect

    if not _is_here(pyfuncitem) or inspect.iscoroutinefunction(pyfuncitem.obj):
        # An async function is run by its plugin, or by none: pytest says so then.
        return (yield)
    from netlink_emu.testing.here import patched_because, run_here

    kernel, function = _kernel_of(pyfuncitem), pyfuncitem.obj

    def in_the_kernel(**arguments: Any) -> object:
        __tracebackhide__ = True
        pyfuncitem.stash[_RAN_HERE] = True
        return run_here(kernel, function, **arguments)

    pyfuncitem.obj = in_the_kernel
    try:
        return (yield)
    finally:
        pyfuncitem.obj = function
        why = patched_because(kernel)
        if why:
            pyfuncitem.user_properties.append((_PATCHED, why))


def _is_here(item: pytest.Item) -> bool:
    return item.get_closest_marker("netlink_emu") is not None and marked(item)[1]


def _kernel_of(item: pytest.Function) -> EmulatedKernel:
    """The kernel that the fixtures of a test have made, or one as its marker says."""
    kernels = _kernels_of(item)
    if len(kernels) > 1:
        raise pytest.UsageError(
            f"here=True: the fixtures of this test have made {len(kernels)} kernels, "
            "so that it is not clear in which of them it shall run"
        )
    if kernels:
        return kernels[0]
    factory = item.funcargs["netlink_emu"]
    assert isinstance(factory, KernelFactory)
    return factory()


def _kernels_of(item: pytest.Item) -> list[EmulatedKernel]:
    """The kernels that are a test's own, and those shared ones that its fixtures have given it."""
    given = [id(value) for value in getattr(item, "funcargs", {}).values()]
    return [
        kernel
        for factory in _factories(item.config)
        for kernel in factory.kernels
        if not factory.over and (not factory.shared or id(kernel) in given)
    ]


# --- a test that had no effect on its kernel is not green

_FACTORIES: Final = pytest.StashKey[list[KernelFactory]]()
_NUMBERS: Final = pytest.StashKey[dict[int, int]]()  # the journals' at the begin of a test
_USE: Final = pytest.StashKey[dict[int, "Mark"]]()
_RAN_HERE: Final = pytest.StashKey[bool]()
_PATCHED: Final = "netlink_emu_patched"  # a property of the report, with the reason
_TOLD: Final = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    shared = [k for f in _factories(item.config) if f.shared and not f.over for k in f.kernels]
    item.stash[_USE] = {id(kernel): kernel.usage.mark() for kernel in shared}
    result = yield
    if _is_here(item) and not item.stash.get(_RAN_HERE, False):
        pytest.fail(
            "here=True had no effect: this test's function is not called by pytest. In a "
            "unittest.TestCase and for async tests of plugins that run them by themselves, use "
            "kernel.thread(function).",
            pytrace=False,
        )
    text = _explain(unused for kernel in _kernels_of(item) for unused in _unused(item, kernel))
    if text:
        item.stash[_TOLD] = True
        pytest.fail(text, pytrace=False)
    return result


def _unused(item: pytest.Item, kernel: EmulatedKernel) -> list[Unused]:
    return kernel.usage.unused(_since(item, kernel))


def _since(item: pytest.Item, kernel: EmulatedKernel) -> Mark | None:
    """The state of a kernel that was there before the test."""
    return item.stash.get(_USE, {}).get(id(kernel))


def _explain(unused: Iterable[Unused]) -> str:
    unused = list(unused)
    if not unused:
        return ""
    from netlink_emu.testing.usage import explain

    return explain(unused)


# --- what is said of a test that failed


def _factories(config: pytest.Config) -> list[KernelFactory]:
    return config.stash.setdefault(_FACTORIES, [])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    factories = _factories(item.config)
    factories[:] = [factory for factory in factories if not factory.over]
    # Kernels that were there before tell of this test only.
    kernels = [kernel for factory in factories for kernel in factory.kernels]
    if kernels:
        item.stash[_NUMBERS] = {id(kernel): kernel.journal.number for kernel in kernels}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        numbers = item.stash.get(_NUMBERS, {})
        told = getattr(call.excinfo and call.excinfo.value, "told", ())
        for factory in _factories(item.config):
            for kernel in factory.kernels:
                said = kernel.report(since=numbers.get(id(kernel), 0), without=told)
                hint = _hint(item, kernel)
                page = _page(item, report, kernel, numbers.get(id(kernel), 0))
                if said or hint or page:
                    title = f"{_SECTION}: Linux {kernel.profile.release}"
                    report.sections.append((title, "\n".join(filter(None, (said, hint, page)))))
    return report


def _page(item: pytest.Item, report: pytest.TestReport, kernel: EmulatedKernel, since: int) -> str:
    """Write the page of a test that failed, and link it; what the report says of it."""
    directory = item.config.getoption("--netlink-emu-html")
    entries = [entry for entry in kernel.journal if entry.number > since]
    if directory is None or not entries:
        return ""
    from netlink_emu.testing.artifact import link_from, write_page_file

    title = f"{item.nodeid}: Linux {kernel.profile.release}"
    try:
        path = write_page_file(directory, item.nodeid, title, entries, kernel.journal.epoch_ns)
    except OSError as exc:
        return f"(no page of it in {directory}: {exc.strerror})"
    item.user_properties.append(("netlink_emu_html", path))
    html = item.config.pluginmanager.getplugin("html")  # pytest-html
    where = item.config.getoption("htmlpath", None)
    if html is not None and where is not None:
        link = html.extras.url(link_from(where, path), name="netlink-emu")
        vars(report)["extras"] = [*getattr(report, "extras", []), link]
    return f"as a page: {path}"


def _hint(item: pytest.Item, kernel: EmulatedKernel) -> str:
    """That nobody asked a kernel is the likely reason for a failure."""
    if item.stash.get(_TOLD, False) or kernel not in _kernels_of(item):
        return ""
    return _explain(kernel.usage.unasked(_since(item, kernel)))


def _journal_files(request: pytest.FixtureRequest) -> Callable[[], str] | None:
    directory = request.config.getoption("--netlink-emu-journal")
    if directory is None:
        return None
    import itertools
    from pathlib import Path

    from netlink_emu.testing.artifact import stem_of

    Path(directory).mkdir(parents=True, exist_ok=True)
    stem = stem_of(request.node.nodeid or "session")
    numbers = itertools.count(1)

    def next_file() -> str:
        number = next(numbers)
        suffix = "" if number == 1 else f"-{number}"
        return str(Path(directory) / f"{stem}{suffix}.pcapng")

    return next_file


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = [
        str(why)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, why in report.user_properties
        if name == _PATCHED
    ]
    if reasons:
        tests = "1 test" if len(reasons) == 1 else f"{len(reasons)} tests"
        terminalreporter.write_line(
            f"netlink-emu: {tests} with here=True ran with patched sockets, as {reasons[0]}. "
            "Programs that they start, and code in C, ask this machine's kernel."
        )
