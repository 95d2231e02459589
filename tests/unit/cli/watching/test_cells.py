"""Text in a terminal's cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.cli.watching.cells import Span, Style, clip, fit, fit_line, width_of

TEXTS = st.text(alphabet=st.characters() | st.sampled_from("\x1b\x9b\n\r漢字e\u0301ｱ🙂\u202e"))


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("abc", 3), ("漢字", 4), ("e\u0301", 1), ("aｱ", 2), ("\uff41", 2)]
)
def test_how_many_cells_a_text_takes(text: str, width: int) -> None:
    assert width_of(text) == width


@pytest.mark.parametrize(
    ("text", "width", "clipped"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abcd", 1, "…"),
        ("abcd", 0, ""),
        ("漢字漢字", 5, "漢字…"),
        ("漢字漢字", 4, "漢…"),
        ("\x1b[31m", 8, "\\x1b[31m"),
        ("a\nb", 8, "a\\nb"),
    ],
)
def test_what_is_too_long_is_cut_and_what_is_not_printable_escaped(
    text: str, width: int, clipped: str
) -> None:
    assert clip(text, width) == clipped


@given(TEXTS, st.integers(0, 40), st.booleans())
def test_a_text_that_is_fitted_has_its_width_and_nothing_for_the_terminal(
    text: str, width: int, right: bool
) -> None:
    done = fit(text, width, right=right)
    assert width_of(done) == width
    assert done.isprintable()


@given(st.lists(TEXTS, max_size=4), st.integers(1, 40))
def test_a_line_is_as_wide_as_the_screen(texts: list[str], width: int) -> None:
    line = fit_line([Span(text, Style.BAD) for text in texts], width)
    assert sum(width_of(span.text) for span in line) == width
    assert all(span.text.isprintable() for span in line)
