"""The shipped corpus: complete, canonical, and with nothing twice."""

from __future__ import annotations

from collections import Counter

from netlink_emu.conformance.cases.corpus import GROUPS, corpus_files, load_corpus
from netlink_emu.conformance.cases.corpus_form import read_cases, write_cases
from netlink_emu.conformance.cases.exceptions import not_emulated, parse


def test_every_group_of_the_recording_is_there() -> None:
    counts = Counter(case.group for case in load_corpus())
    assert set(GROUPS) <= counts.keys()
    assert counts.total() >= 570
    assert all(count >= 20 for group, count in counts.items() if group in GROUPS)


def test_names_are_unique() -> None:
    names = Counter(case.name for case in load_corpus())
    assert [name for name, count in names.items() if count > 1] == []


def test_files_are_as_the_writer_writes_them() -> None:
    for file in corpus_files():
        text = file.read_text("utf-8")
        assert write_cases(read_cases(text)) == text, file.name


def test_a_step_is_a_line() -> None:
    text = corpus_files()[0].read_text("utf-8")
    steps = sum(len(case.steps) for case in read_cases(text))
    assert text.count('\n    {"op": ') == steps


def test_exceptions_name_cases_that_exist() -> None:
    names = {case.name for case in load_corpus()}
    assert not_emulated().keys() <= names


def test_exceptions_have_reasons() -> None:
    assert parse("# none\n\na_case: because\n") == {"a_case": "because"}


def test_an_exception_without_a_reason_is_refused() -> None:
    import pytest

    with pytest.raises(ValueError, match="no reason is given in 'a_case'"):
        parse("a_case")
