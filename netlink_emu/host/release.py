"""The release of the host's kernel, by mainline's numbers."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

# Distributions keep the patch level out of uname's release: Debian has it in its version, Ubuntu
# in a file of its own.
_DEBIAN: Final = re.compile(r"\bDebian (\d+\.\d+(?:\.\d+)?)")
_NUMBERS: Final = re.compile(r"\d+\.\d+(?:\.\d+)?")
_SIGNATURE: Final = "/proc/version_signature"


def upstream_release() -> str:
    """Mainline's number of this kernel, as far as it tells; of a candidate, the release's."""
    for pattern, text in (
        (_DEBIAN, os.uname().version),
        (_NUMBERS, _signature().rpartition(" ")[2]),
    ):
        if match := pattern.search(text):
            return match[match.re.groups]
    return os.uname().release.partition("-rc")[0]


def release_number() -> str:
    """The same without what a vendor adds (6.18.44 of 6.18.44-cloud); empty if it has none."""
    match = _NUMBERS.match(upstream_release())
    return match[0] if match else ""


def _signature() -> str:
    try:
        return Path(_SIGNATURE).read_text().strip()
    except OSError:
        return ""
