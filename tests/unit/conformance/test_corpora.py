"""The recordings of other kernels that are shipped: read, chosen, packed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from netlink_emu.conformance.cases import corpora, pack
from netlink_emu.conformance.cases.corpora import UnknownCorpusError, choose
from netlink_emu.conformance.cases.corpus_form import read_cases, write_cases
from netlink_emu.conformance.cases.harmless import harm
from netlink_emu.conformance.cases.shape import check_shape
from netlink_emu.kernel.releases import profile_for

DATA = Path(__file__).parents[2] / "data" / "transcripts"


def test_kernels_of_both_byte_orders_and_alignments_are_there() -> None:
    cases = corpora.load_corpora(corpora.corpus_names())
    counts = Counter(case.corpus for case in cases)
    assert set(counts) == set(corpora.corpus_names())
    assert all(count >= 480 for count in counts.values())
    assert {case.order.name for case in cases} == {"little", "big"}
    machines = {case.corpus: case.machine for case in cases if case.machine is not None}
    assert {machine.efficient_unaligned_access for machine in machines.values()} == {True, False}
    for name, machine in machines.items():
        assert machine.arch_name is not None
        assert machine.release is not None
        profile_for(machine.release, arch=machine.arch_name)
        assert name.startswith(machine.release)


def test_they_can_be_read_and_written() -> None:
    """As any transcript from elsewhere: each is whole, and does no harm to a real machine."""
    for name, text in corpora.read_archive().items():
        if not name.endswith(corpora.CASES):
            continue
        cases = list(read_cases(text))
        assert write_cases(cases) == text, name
        assert len({case.name for case in cases}) == len(cases)
        for case in cases:
            check_shape(case)
            assert not harm(case), case.name


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["5.10"], ["5.10.46-um", "5.10.262-amd64"]),
        (["6.1-s390x"], ["6.1.176-s390x"]),
        (["6.1-x86_64"], ["6.1.176-amd64", "6.1.192-amd64"]),
        (["6.12.117"], ["6.12.117-amd64"]),
        (["7.3", "6.18"], ["6.18.44-amd64", "7.3-rc7-amd64", "7.3-rc7-s390x"]),
        (["7.3-rc7-s390x"], ["7.3-rc7-s390x"]),
        (["um"], ["5.10.46-um", "6.1.176-um", "6.12.113-um", "7.2.7-um"]),
    ],
)
def test_names(names: list[str], chosen: list[str]) -> None:
    assert list(choose(names)) == chosen


def test_all_are_chosen_once() -> None:
    assert choose(["all", "5.10"]) == corpora.corpus_names()


@pytest.mark.parametrize("name", ["6.2", "", "6.1-mips", "amd", "5.1"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(UnknownCorpusError, match=r"is shipped; there are 5\.10\.46-um, "):
        choose([name])


def test_packing_gives_what_was_packed(tmp_path: Path) -> None:
    folder = tmp_path / "transcripts"
    folder.mkdir()
    for name in ("event_exit_0.json", "get_pid_zombie.json"):
        shutil.copy(DATA / name, folder)
    (tmp_path / "machine.json").write_text(json.dumps({"release": "6.18.44"}))
    files = pack.files_of("mine", tmp_path)
    assert corpora.write_archive(files) == corpora.write_archive(dict(reversed(files.items())))
    assert files["mine/machine.json"] == '{"release": "6.18.44"}'
    names = [case.name for case in read_cases(files["mine/cases.json"])]
    assert names == ["get_pid_zombie", "event_exit_0"]  # in the order of the groups


def test_the_archive_is_as_the_writer_writes_it() -> None:
    path = Path(corpora.__file__).with_name(corpora.ARCHIVE)
    assert corpora.unpack(corpora.write_archive(corpora.read_archive())) == corpora.read_archive()
    assert path.stat().st_size < 400_000  # of thirteen kernels
