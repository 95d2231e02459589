"""Transcripts from text, in either form: the corpus's, or a recorder's."""

from __future__ import annotations

import json

from .case import Case, CaseError
from .corpus_form import read_cases
from .shape import check_shape
from .vectors import case_from_json


def read_transcripts(text: str) -> list[Case]:
    """The case or cases of a file; raises CaseError, in one sentence, where it is none.

    Reading does nothing else: what a case does, it does when it is run.
    """
    try:
        source = json.loads(text)
        if isinstance(source, dict) and "cases" in source:
            cases = list(read_cases(text))
        else:
            cases = [case_from_json(source)]
        for case in cases:
            check_shape(case)
        return cases
    except RecursionError as exc:
        raise CaseError("it is nested too deeply") from exc
    # Everything is taken from where the form has it: what is not there, or is something else,
    # shows as one of these.
    except (CaseError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        said = str(exc) or type(exc).__name__
        raise CaseError(" ".join(said.split())[:200]) from exc
