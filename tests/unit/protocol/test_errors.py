"""NetlinkError and the extended ack."""

from __future__ import annotations

import errno

import pytest

from netlink_emu.protocol.errors import NetlinkError, NetlinkExtAck


@pytest.mark.parametrize(("number", "text"), [(errno.ERANGE, "ERANGE"), (524, "524")])
def test_error_names_its_errno(number: int, text: str) -> None:
    error = NetlinkError(number)
    assert error.errno == number
    assert str(error) == text


def test_extack_starts_empty() -> None:
    extack = NetlinkExtAck()
    assert {getattr(extack, name) for name in extack.__slots__} == {None}
    with pytest.raises(AttributeError):
        extack.message = "a misspelt member"  # type: ignore[attr-defined]
