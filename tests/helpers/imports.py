"""What our libraries import by themselves, so that it is no fault of ours."""

from __future__ import annotations

import functools
import subprocess
import sys


@functools.cache
def brought_by_construct() -> frozenset[str]:
    """Modules that come with construct: its pdb imports asyncio since Python 3.14."""
    program = "import construct, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return frozenset(done.stdout.split())
