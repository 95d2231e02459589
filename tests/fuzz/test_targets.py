"""The targets over the corpus, over mutations of it, and over hypothesis' bytes: a bounded run."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import corpus
from fuzz.targets import TARGETS

MUTATIONS = 300


def mutate(data: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """Change a few bytes, cut, repeat, or join with another input."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randint(0, len(changed))
        match dice.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                changed[at : at + dice.randint(1, 8)] = b""
            case 2:
                changed[at:at] = dice.choice([b"\0", b"\xff", b"9", b"-", b"\x7f\xff\xff\xff"])
            case 3:
                changed[at:] = dice.choice(others)[at:]
            case _:
                changed[at:at] = changed[at : at + dice.randint(1, 16)]
    return bytes(changed[:4096])


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus(name: str) -> None:
    inputs = corpus.load(name)
    assert len(inputs) >= 3
    for data in inputs:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutations_of_it(name: str) -> None:
    dice = random.Random(f"{name} 1")
    inputs = corpus.load(name)
    for _ in range(MUTATIONS):
        TARGETS[name](mutate(dice.choice(inputs), inputs, dice))


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
@settings(max_examples=100)
def test_any_bytes(name: str, data: st.DataObject) -> None:
    TARGETS[name](data.draw(st.binary(max_size=400)))


def test_a_target_that_finds_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks of the targets are not empty: a walk that goes too far is found."""
    monkeypatch.setattr("fuzz.targets.nla_walk", lambda *_: iter([(1, 4, 100)]))
    with pytest.raises(AssertionError):
        TARGETS["attributes"](bytes(20))
