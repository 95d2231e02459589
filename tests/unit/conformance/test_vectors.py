"""A recorder's transcripts: in, out, and through the corpus's own form without loss."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from helpers.transcripts import case_to_json, load_directory

from netlink_emu.conformance.cases.case import CaseError
from netlink_emu.conformance.cases.corpus_form import read_cases, write_cases
from netlink_emu.conformance.cases.structure import stats_blocks
from netlink_emu.conformance.cases.vectors import case_from_json
from netlink_emu.protocol.format import LITTLE
from netlink_emu.protocol.reading.structs import layout_of

HERE = Path(__file__).parents[2] / "data" / "transcripts"
# A folder with more of them, where there is one.
MORE = os.environ.get("NETLINK_EMU_VECTORS")
TRANSCRIPTS = [
    pytest.param(source, id=str(path))
    for folder in [HERE, *([Path(MORE)] if MORE else [])]
    for path, source in load_directory(folder)
]


def comparable(transcript: dict[str, Any]) -> dict[str, Any]:
    """Without what is derived, or the recorder's bookkeeping; symbols in one order."""
    out = {k: v for k, v in transcript.items() if k not in ("decoded", "attempts")}
    out["symbols"] = sorted(out["symbols"], key=lambda entry: json.dumps(entry, sort_keys=True))
    out["relations"] = [
        {k: v for k, v in relation.items() if k != "observed"} for relation in out["relations"]
    ]
    return out


@pytest.mark.parametrize("source", TRANSCRIPTS)
def test_there_and_back(source: dict[str, Any]) -> None:
    assert comparable(case_to_json(case_from_json(source))) == comparable(source)


@pytest.mark.parametrize("source", TRANSCRIPTS)
def test_through_the_form_of_the_corpus(source: dict[str, Any]) -> None:
    case = case_from_json(source)
    text = write_cases([case])
    assert list(read_cases(text)) == [case]
    assert write_cases(read_cases(text)) == text


@pytest.mark.parametrize("source", TRANSCRIPTS)
def test_the_recorders_own_decoding_follows_from_bytes_and_masks(source: dict[str, Any]) -> None:
    """What was called exact and varying in each STATS block is what the masks say."""
    case = case_from_json(source)
    for entry in source["decoded"]:
        blocks = [block for m in entry["messages"] for block in m.get("blocks", ())]
        if not blocks:
            continue
        datagrams = case.steps[entry["step"]].expect.datagrams
        assert datagrams is not None
        payload = datagrams[entry["datagram"]].payload
        found = list(stats_blocks(payload.data, LITTLE))
        assert len(found) == len(blocks)
        for block, told in zip(found, blocks, strict=True):
            values = block.layout.codec().decode(payload.data, block.offset)
            masked = {m.symbol.name for m in payload.masks if m.symbol.kind == "STATS"}
            if block.group:
                masked = {
                    m.symbol.name
                    for m in payload.masks
                    if m.symbol.kind == "STATS" and block.covers(m.offset)
                }
            exact = {n for n, v in values.items() if n not in masked and (v != bytes(32) and v)}
            assert exact == set(told["exact"])
            nonzero = {n for n in masked if values.get(n)}
            assert nonzero == set(told["volatile_nonzero"])


def test_a_layout_for_every_recorded_block() -> None:
    v16 = (16).to_bytes(2, "little")
    assert layout_of(v16 + bytes(558)) is not None
    assert layout_of(bytes(560)) is not None  # AGGR_TGID of an exit event, before 7.1
    assert layout_of(v16 + bytes(559)) is None


def test_an_unknown_operation_is_named() -> None:
    source = {"name": "x", "steps": [{"op": "levitate"}]}
    with pytest.raises(CaseError, match="step 0: unknown operation levitate"):
        case_from_json(source)


def test_an_unknown_call_is_named() -> None:
    with pytest.raises(CaseError, match="step 0: recv: via 'peek' is none of recv, recvfrom, r"):
        case_from_json({"name": "x", "steps": [{"op": "recv", "sock": "a", "via": "peek"}]})


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(CaseError, match=r"step 0: bind.*sock"):
        case_from_json({"name": "x", "steps": [{"op": "bind", "pid": 1}]})


def test_a_transcript_without_steps() -> None:
    with pytest.raises(CaseError, match="'steps'"):
        case_from_json({"name": "x"})


def test_keys_that_nobody_knows_are_kept() -> None:
    source = {"name": "x", "steps": [{"op": "close", "sock": "a", "mood": "good", "result": 0}]}
    case = case_from_json(source)
    assert case.steps[0].extra == {"mood": "good"}
    assert case_to_json(case)["steps"][0]["mood"] == "good"
    assert list(read_cases(write_cases([case]))) == [case]
