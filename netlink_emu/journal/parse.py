"""Criteria from text, as command lines and NETLINK_EMU have them."""

from __future__ import annotations

from typing import Any, Final

NUMBERS: Final = frozenset({"pid", "portid"})
WORDS: Final = frozenset({"cmd", "family", "kind", "comm", "errno"})


def parse_criteria(text: str) -> dict[str, Any]:
    """The arguments of ``Journal.match()`` for ``cmd=TASKSTATS_CMD_GET pid=42 X_ATTR_PID=7``.

    An attribute may stand without a value. Raises ValueError for what is no criterion.
    """
    criteria: dict[str, Any] = {}
    for word in text.split():
        add_criterion(criteria, word)
    return criteria


def add_criterion(criteria: dict[str, Any], word: str) -> None:
    """Add one word of such a text."""
    key, equals, value = word.partition("=")
    if key.isupper():
        criteria[key] = number_or_text(value) if equals else None
    elif not equals:
        raise ValueError(f"{word!r} has no value: write {word}=...")
    elif key in NUMBERS:
        criteria[key] = number(key, value)
    elif key in WORDS:
        criteria[key] = number_or_text(value) if key == "errno" else value
    else:
        known = ", ".join(sorted(NUMBERS | WORDS))
        raise ValueError(f"{key!r} is not a criterion: use one of {known}, and attributes by name")


def number(key: str, value: str) -> int:
    """A number in any notation of Python's; ValueError with the key."""
    try:
        return int(value, 0)
    except ValueError:
        raise ValueError(f"{key} is {value!r}, which is not a number") from None


def number_or_text(value: str) -> int | str:
    try:
        return int(value, 0)
    except ValueError:
        return value
