"""A line that is typed at the foot of the view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final


class Prompt:
    """``label`` and what is typed after it; ``finish`` is for the caller, to be given that.

    ``before`` are lines that were typed before, the oldest first.
    """

    def __init__(
        self, label: str, text: str, finish: Callable[[str], None], before: Sequence[str] = ()
    ) -> None:
        self.label: Final = label
        self.text = text
        self.at = len(text)
        self.finish: Final = finish
        self._lines: Final = [*before, text]
        self._line = len(before)

    def key(self, key: str) -> bool | None:
        """Take a key. True: it is finished; False: it is given up; None: it goes on."""
        if key == "ENTER":
            return True
        if key == "ESC":
            return False
        if len(key) == 1 and key.isprintable():
            self.text = self.text[: self.at] + key + self.text[self.at :]
            self.at += 1
        elif key == "BACKSPACE":
            if self.at:
                self.text = self.text[: self.at - 1] + self.text[self.at :]
                self.at -= 1
        elif key == "DELETE":
            self.text = self.text[: self.at] + self.text[self.at + 1 :]
        elif key in ("UP", "DOWN"):
            self._recall(-1 if key == "UP" else 1)
        elif key == "CTRL-U":
            self.text, self.at = self.text[self.at :], 0
        else:
            moves = {"LEFT": self.at - 1, "RIGHT": self.at + 1, "HOME": 0, "END": len(self.text)}
            self.at = max(0, min(len(self.text), moves.get(key, self.at)))
        return None

    def _recall(self, by: int) -> None:
        self._lines[self._line] = self.text
        self._line = max(0, min(len(self._lines) - 1, self._line + by))
        self.text = self._lines[self._line]
        self.at = len(self.text)
