"""Fixed answers, for operations that a test is not about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from netlink_emu.protocol.errors import NetlinkError

MAX_ERRNO: Final = 4095  # include/linux/err.h


def failure(
    errno: str | int, message: str, *, attr: str | None, missing: str | None
) -> Callable[[], NetlinkError]:
    """Return a function that makes the error; raises ValueError for an unknown errno."""
    if isinstance(errno, int) and not 0 < errno <= MAX_ERRNO:
        raise ValueError(f"an errno is a number from 1 to {MAX_ERRNO}, not {errno}")

    def make() -> NetlinkError:
        return NetlinkError(errno, message, attr=attr, missing=missing)

    make()
    return make


class Canned:
    """Values, or an error, to give ``left`` times (None: always)."""

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
        """Whether it applies to one more request."""
        return self._left is None or self._left > 0

    def __call__(self, _family: object, _request: object) -> list[Mapping[Any, Any]]:
        if self._left is not None:
            self._left -= 1
        if self._error is not None:
            raise self._error()
        return self._answers
