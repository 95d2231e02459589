"""The recordings of other kernels that are shipped, all in one archive that has them once.

``corpora.tar.xz`` has a folder for each: ``machine.json``, and the cases in :mod:`.corpus_form`.
What is equal between kernels, the steps above all, takes room once. ``tar xf``
unpacks it into folders for ``--vectors``.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import io
import lzma
import tarfile
from collections.abc import Iterable, Mapping
from typing import Final

from .case import Case
from .corpus import load_corpus
from .corpus_form import read_cases
from .machine import FILE_NAME, machine_from_text

ARCHIVE: Final = "corpora.tar.xz"
CASES: Final = "cases.json"
DEFAULT: Final = "6.18.44-amd64"  # the one whose files lie open
_CPUS_NAMES: Final = {"x86_64": "amd64"}


class UnknownCorpusError(ValueError):
    """No recording of that name is shipped."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no recording of {name!r} is shipped; there are {', '.join(known)}")


def corpus_names() -> tuple[str, ...]:
    """What is shipped, oldest release first: ``5.10.262-amd64``."""
    names = {name.partition("/")[0] for name in read_archive()}
    return tuple(sorted(names | {DEFAULT}, key=_age))


def _age(name: str) -> tuple[list[int], str]:
    release, _, rest = name.partition("-")
    return [int(part) for part in release.split(".")], rest


def choose(wanted: Iterable[str]) -> tuple[str, ...]:
    """The recordings that names choose, in their order; raises UnknownCorpusError.

    A name is a release or its series (``5.10``), with an architecture or without (``6.1-um``),
    an architecture alone, or ``all``.
    """
    names = corpus_names()
    chosen: dict[str, None] = {}
    for name in wanted:
        found = [each for each in names if name == "all" or _is_meant(name, each)]
        if not found:
            raise UnknownCorpusError(name, names)
        chosen.update(dict.fromkeys(found))
    return tuple(name for name in names if name in chosen)


def _is_meant(name: str, corpus: str) -> bool:
    release, _, arch = corpus.rpartition("-")
    for spelled in {arch, *(alias for alias, label in _CPUS_NAMES.items() if label == arch)}:
        if name == spelled or name in (f"{release}-{spelled}", release):
            return True
        series, _, of = name.partition("-")
        if f"{release}.".startswith(f"{series}.") and of in ("", spelled):
            return True
    return f"{release}-".startswith(f"{name}-")


def load_corpora(names: Iterable[str]) -> list[Case]:
    """The cases of these recordings, each with its machine and where it is from."""
    cases: list[Case] = []
    wanted = tuple(names)
    texts = read_archive() if set(wanted) - {DEFAULT} else {}
    for name in wanted:
        if name == DEFAULT:
            found: Iterable[Case] = load_corpus()
            machine = None
        else:
            machine = machine_from_text(texts[f"{name}/{FILE_NAME}"])
            found = read_cases(texts[f"{name}/{CASES}"])
        cases += [dataclasses.replace(case, corpus=name, machine=machine) for case in found]
    return cases


@functools.cache
def read_archive() -> dict[str, str]:
    """The texts of all files in the shipped archive by their names."""
    return unpack(importlib.resources.files(__package__).joinpath(ARCHIVE).read_bytes())


def unpack(data: bytes) -> dict[str, str]:
    """The texts of all files in an archive by their names."""
    texts: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:xz") as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member)
            if file is not None:
                texts[member.name] = file.read().decode("utf-8")
    return texts


def write_archive(files: Mapping[str, str]) -> bytes:
    """The archive of these texts: the same bytes for the same texts, whoever packs them."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in sorted(files.items()):
            data = text.encode("utf-8")
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    # A dictionary of 16 MiB reaches from each recording to all before it.
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 24}]
    return lzma.compress(plain.getvalue(), format=lzma.FORMAT_XZ, filters=filters)
