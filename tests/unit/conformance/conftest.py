"""What several test modules here use."""

from __future__ import annotations

import pytest
from helpers.broken import boot_with

from netlink_emu.conformance.targets.emulator import Boot


@pytest.fixture
def broken_boot() -> Boot:
    """Boots kernels whose every message has a flag too many."""

    def set_a_flag(data: bytearray) -> None:
        data[6] ^= 0x02  # NLM_F_MULTI

    return boot_with(set_a_flag)
