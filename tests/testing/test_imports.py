"""What a test's first client imports: it waits for that."""

from __future__ import annotations

import subprocess
import sys

import pytest
from helpers.imports import brought_by_construct
from helpers.interposed import needs_interposer
from helpers.nets import SECONDS

FIRST = """
import sys
from netlink_emu.testing import EmulatedKernel
with EmulatedKernel() as kernel:
    {client}
print(*sys.modules)
"""
NEEDLESS = {"yaml", "typer", "click", "rich", "asyncio", "pytest", "netlink_emu.cassettes",
            "netlink_emu.interpose.recording", "netlink_emu.conformance"}  # fmt: skip


@needs_interposer
@pytest.mark.parametrize(
    "client", ["kernel.popen(['true']).wait()", "kernel.thread(int).result()"]
)
def test_a_first_client_imports_what_it_needs(client: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST.format(client=client)],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert not (NEEDLESS - brought_by_construct()) & set(done.stdout.split())
