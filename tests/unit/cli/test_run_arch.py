"""``netlink-emu run --arch``: what a command of this machine could never read."""

from __future__ import annotations

import sys

import pytest

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.run import run


def test_the_other_byte_order_is_refused() -> None:
    arch, order = ("s390x", "big") if sys.byteorder == "little" else ("x86_64", "little")
    with pytest.raises(UserError) as caught:
        run(["true"], arch=arch)
    assert str(caught.value) == (
        f"{arch} is {order}-endian, and a command of this {sys.byteorder}-endian machine "
        "cannot read its messages"
    )


def test_an_unknown_machine_is_refused() -> None:
    with pytest.raises(UserError, match=r"^unknown architecture 'vax'; known are x86_64, "):
        run(["true"], arch="vax")
