"""What the handle's tests share: a kernel, and messages as a client would send them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netlink_emu.testing import EmulatedKernel
from netlink_emu.testing.remote.kernel import Remote


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", cpus=4) as kernel:
        yield kernel


@pytest.fixture
def remote(kernel: EmulatedKernel) -> Iterator[Remote]:
    """Controls the kernel of a test, which must allow that."""
    with Remote(kernel.path) as remote:
        yield remote
