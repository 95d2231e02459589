"""Which cases to run: ``-k`` expressions, as pytest has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from .case import Case

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<mark>[()])|'(?P<a>[^']*)'|"(?P<b>[^"]*)"|(?P<word>[^\s()]+))"""
)

Matcher = Callable[[Case], bool]


class ExpressionError(ValueError):
    """An expression that is none; the message says where."""


def select(cases: Iterable[Case], expression: str | None) -> list[Case]:
    """The cases that an expression matches; all of them without one.

    A word matches where it is part of the name, the group or the title, in any case of letters;
    ``and``, ``or``, ``not`` and parentheses combine. Raises ExpressionError.
    """
    matches = parse(expression) if expression and expression.strip() else None
    return [case for case in cases if matches is None or matches(case)]


def parse(expression: str) -> Matcher:
    """An expression as a function; raises ExpressionError."""
    return _Parser(expression).parse()


def _word(text: str) -> Matcher:
    needle = text.lower()
    return lambda case: any(needle in part.lower() for part in (case.name, case.group, case.title))


class _Parser:
    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(expression.rstrip()):
            match = _TOKEN.match(expression, position)
            if match is None:
                raise ExpressionError(f"cannot read {expression[position:]!r} of {expression!r}")
            position = match.end()
            if match["mark"]:
                self._tokens.append(("mark", match["mark"]))
            elif match["word"] in ("and", "or", "not"):
                self._tokens.append(("operator", match["word"]))
            else:
                text = next(t for t in (match["a"], match["b"], match["word"]) if t is not None)
                self._tokens.append(("word", text))
        self._next = 0

    def parse(self) -> Matcher:
        matcher = self._either()
        if self._next < len(self._tokens):
            raise ExpressionError(f"{self._peek()[1]!r} is out of place in {self._expression!r}")
        return matcher

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "the end")

    def _take(self, kind: str, text: str) -> bool:
        if self._peek() == (kind, text):
            self._next += 1
            return True
        return False

    def _either(self) -> Matcher:
        matcher = self._both()
        while self._take("operator", "or"):
            matcher = _or(matcher, self._both())
        return matcher

    def _both(self) -> Matcher:
        matcher = self._one()
        while self._take("operator", "and"):
            matcher = _and(matcher, self._one())
        return matcher

    def _one(self) -> Matcher:
        if self._take("operator", "not"):
            return _not(self._one())
        if self._take("mark", "("):
            matcher = self._either()
            if not self._take("mark", ")"):
                raise ExpressionError(f"a parenthesis of {self._expression!r} is not closed")
            return matcher
        kind, text = self._peek()
        if kind != "word":
            raise ExpressionError(f"a word is missing before {text!r} in {self._expression!r}")
        self._next += 1
        return _word(text)


def _or(a: Matcher, b: Matcher) -> Matcher:
    return lambda case: a(case) or b(case)


def _and(a: Matcher, b: Matcher) -> Matcher:
    return lambda case: a(case) and b(case)


def _not(a: Matcher) -> Matcher:
    return lambda case: not a(case)
