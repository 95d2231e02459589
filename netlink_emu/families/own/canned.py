"""Answers that are the same whatever the request: of an operation that a test is not about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from netlink_emu.protocol.errors import NetlinkError

MAX_ERRNO: Final = 4095  # include/linux/err.h


def failure(
    errno: str | int, message: str, *, attr: str | None, missing: str | None
) -> Callable[[], NetlinkError]:
    """Makes the error anew each time; raises ValueError for an errno that there is not."""
    if isinstance(errno, int) and not 0 < errno <= MAX_ERRNO:
        raise ValueError(f"an errno is a number from 1 to {MAX_ERRNO}, not {errno}")

    def make() -> NetlinkError:
        return NetlinkError(errno, message, attr=attr, missing=missing)

    make()
    return make


class Canned:
    """Values, or an error, ``left`` times; None: always."""

    def __init__(
        self,
        answers: list[Mapping[Any, Any]],
        error: Callable[[], NetlinkError] | None,
        times: int | None,
    ) -> None:
        if times is not None and times < 1:
            raise ValueError(f"an answer is given once or oftener, not {times} times")
        self._answers = answers
        self._error = error
        self._left = times

    def wanted(self) -> bool:
        """Whether it is to be given still."""
        return self._left is None or self._left > 0

    def __call__(self, _family: object, _request: object) -> list[Mapping[Any, Any]]:
        if self._left is not None:
            self._left -= 1
        if self._error is not None:
            raise self._error()
        return self._answers
