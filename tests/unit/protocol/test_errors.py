"""NetlinkError and the extended ack."""

from __future__ import annotations

import errno

import pytest

from netlink_emu.protocol.errors import ERRNOS, NetlinkError, NetlinkExtAck, errno_name


@pytest.mark.parametrize(("number", "text"), [(errno.ERANGE, "ERANGE"), (524, "errno 524")])
def test_error_names_its_errno(number: int, text: str) -> None:
    error = NetlinkError(number)
    assert error.errno == number
    assert str(error) == text


@pytest.mark.parametrize("name", ["EOPNOTSUPP", "EAGAIN", "EDEADLK"])
def test_of_two_names_the_kernels_is_used(name: str) -> None:
    assert errno_name(ERRNOS[name]) == name


@pytest.mark.parametrize("name", ["ENOTSUP", "EWOULDBLOCK", "EDEADLOCK", "ESRCH"])
def test_both_names_are_known(name: str) -> None:
    assert ERRNOS[name] == getattr(errno, name)


def test_extack_starts_empty() -> None:
    extack = NetlinkExtAck()
    names = ("msg", "bad_attr", "policy", "cookie", "miss_type", "miss_nest")
    assert [getattr(extack, name) for name in names] == [None] * 6


def test_an_extack_is_filled_alone() -> None:
    filled, other = NetlinkExtAck(), NetlinkExtAck()
    filled.msg, filled.bad_attr = "genlmsghdr.reserved field is not 0", 16
    assert (other.msg, other.bad_attr) == (None, None)
