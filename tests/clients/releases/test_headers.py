"""Clients compiled against the headers of their time, on that kernel and on later ones.

A C program is compiled for each version of struct taskstats, from a declaration generated from
tests/data/taskstats_layouts.json: the compiler lays the members out, not we. It runs unmodified
on an emulated kernel and must read every member back as it was charged.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from helpers.charged import EXPECTED, PID, charged_kernel
from helpers.interposed import Result, needs_interposer, run_supervised

from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.credentials import Cred

HERE = Path(__file__).parent
VERSIONS: dict[int, dict[str, Any]] = {
    row["version"]: row
    for row in json.loads((HERE.parents[1] / "data" / "taskstats_layouts.json").read_text())
}
# __attribute__((aligned(8))) since version 4: include/linux/taskstats.h
ALIGNED = {"cpu_count", "ac_sched", "ac_uid", "ac_etime", "ac_tgetime"}

# A release for each version; 12 was in none.
RELEASE_OF = {
    1: "2.6.18", 2: "2.6.19", 3: "2.6.20", 4: "2.6.22", 5: "2.6.23", 6: "2.6.26", 7: "2.6.35",
    8: "3.10", 9: "5.4", 10: "5.15", 11: "5.17", 13: "6.1", 14: "6.12", 15: "6.14", 16: "6.18",
    17: "7.3",
}  # fmt: skip

pytestmark = [
    needs_interposer,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]


def declaration(version: int) -> str:
    """A header for one version, and the list of its members for the reader."""
    members, shown = [], []
    for name, ctype, _offset, _size in VERSIONS[version]["fields"]:
        base, bracket, count = ctype.partition("[")
        aligned = " __attribute__((aligned(8)))" if version >= 4 and name in ALIGNED else ""
        members.append(f"    {base} {name}{bracket}{count}{aligned};")
        if name not in ("padding", "ac_pad"):
            kind = "T" if "timespec" in base else "S" if base == "char" else "U"
            shown.append(f"{kind}({name})")
    return "\n".join(
        [
            "#include <linux/types.h>",
            "#include <linux/time_types.h>",
            "struct taskstats {",
            *members,
            "};",
            f"#define MEMBERS {' '.join(shown)}",
            "",
        ]
    )


@pytest.fixture(scope="session")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A compiled reader for each version."""
    directory = tmp_path_factory.mktemp("readers")
    built = {}
    for version in VERSIONS:
        header = directory / f"taskstats_v{version}.h"
        header.write_text(declaration(version))
        built[version] = directory / f"reader_v{version}"
        subprocess.run(
            ["cc", "-std=gnu11", "-Wall", "-Werror", "-include", header, HERE / "reader.c",
             "-o", built[version]],
            check=True,
        )  # fmt: skip
    return built


def run(release: str, *command: str | Path, uid: int = 0) -> Result:
    """A command on the charged kernel, where it acts as user ``uid``."""
    kernel = charged_kernel(release)
    cred = Cred.for_ids(kernel.machine.init_user_ns, uid, uid)
    return run_supervised(command, kernel, credentials=lambda _tid: cred)


def members(text: str) -> dict[str, int | str]:
    """What a reader printed."""
    return {
        name: int(value) if value.isdecimal() else value
        for name, _, value in (line.partition("=") for line in text.splitlines())
    }


def read_all(release: str, readers: list[Path]) -> list[dict[str, int | str]]:
    """What each of these readers says of the task, on one kernel."""
    script = "; echo --; ".join(f"{reader} {PID}" for reader in readers)
    finished = run(release, "sh", "-c", script)
    assert finished.returncode == 0, finished.stderr
    return [members(part) for part in finished.stdout.split("--\n")]


def expected(client: int, kernel: int) -> dict[str, int | str]:
    """What was charged, of the members that a client's version has."""
    names = [name for name, *_ in VERSIONS[client]["fields"] if name not in ("padding", "ac_pad")]
    return {name: kernel if name == "version" else EXPECTED[name] for name in names}


@pytest.mark.parametrize("version", RELEASE_OF)
def test_a_client_reads_its_own_kernel(version: int, readers: dict[int, Path]) -> None:
    assert profile_for(RELEASE_OF[version]).taskstats_version == version
    (seen,) = read_all(RELEASE_OF[version], [readers[version]])
    assert seen == expected(version, version)


@pytest.mark.parametrize("kernel", [8, 11, 14, 16, 17])
def test_clients_of_version_4_on_read_later_kernels(kernel: int, readers: dict[int, Path]) -> None:
    older = [version for version in readers if 4 <= version <= kernel and version != 15]
    seen = read_all(RELEASE_OF[kernel], [readers[version] for version in older])
    for version, found in zip(older, seen, strict=True):
        assert found == expected(version, kernel), version


def test_version_4_broke_its_readers(readers: dict[int, Path]) -> None:
    # ac_uid moved from 116 to 120, and all behind it: a client of 2.6.20 on 2.6.22.
    (seen,) = read_all(RELEASE_OF[4], [readers[3]])
    for name in ("cpu_count", "ac_comm", "ac_sched"):
        assert seen[name] == EXPECTED[name]
    assert (seen["ac_uid"], seen["ac_gid"]) == (0, EXPECTED["ac_uid"])
    assert seen["ac_utime"] == EXPECTED["ac_etime"]


def test_version_15_broke_its_readers(readers: dict[int, Path]) -> None:
    # cpu_delay_max and cpu_delay_min came between, and so on for each delay.
    seen = dict(zip((8, 14, 16), read_all("6.14", [readers[v] for v in (8, 14, 16)]), strict=True))
    for found in seen.values():
        assert found["version"] == 15
        assert found["cpu_delay_total"] == EXPECTED["cpu_delay_total"]
        assert found["blkio_count"] == EXPECTED["cpu_delay_max"]
        assert found["swapin_count"] == EXPECTED["blkio_count"]
        assert found["swapin_delay_total"] == EXPECTED["blkio_delay_total"]
        assert found["ac_pid"] != PID
    # 6.14.9 put things right; the size stayed.
    again = read_all("6.14.9", [readers[v] for v in (8, 14, 16)])
    assert again == [expected(version, 16) for version in (8, 14, 16)]


def test_a_client_of_version_15_is_lost_elsewhere(readers: dict[int, Path]) -> None:
    (seen,) = read_all("6.15", [readers[15]])
    assert seen["version"] == 16
    assert seen["cpu_delay_max"] == EXPECTED["blkio_count"]
    assert seen["blkio_delay_total"] == EXPECTED["swapin_delay_total"]


@pytest.mark.parametrize(
    "release", ["3.10/mips64el", "3.11/aarch64", "4.6/ia64", "4.7/mipsel", "4.19/riscv64"]
)
def test_padding_does_not_disturb_who_walks_attributes(
    release: str, readers: dict[int, Path]
) -> None:
    (seen,) = read_all(release, [readers[8]])
    assert seen == expected(8, 8)


@pytest.mark.parametrize("release", ["5.18", "5.19", "6.3", "6.4", "6.18"])
def test_a_client_that_insists_on_the_size(release: str, readers: dict[int, Path]) -> None:
    # As collectd 5.12 does, compiled with the headers of 5.19 to 6.3.
    finished = run(release, readers[13], str(PID), "exact")
    if release in ("5.19", "6.3"):
        assert members(finished.stdout) == expected(13, 13)
    else:
        assert (finished.returncode, finished.stdout) == (1, "")
        assert finished.stderr == "struct taskstats: Protocol error\n"


def test_the_size_alone_does_not_tell_15_from_16(readers: dict[int, Path]) -> None:
    finished = run("6.14", readers[16], str(PID), "exact")
    assert finished.returncode == 0
    assert members(finished.stdout) != expected(16, 15)


@pytest.mark.parametrize(("release", "refused"), [("3.0", False), ("3.1", True)])
def test_a_client_of_another_user(release: str, refused: bool, readers: dict[int, Path]) -> None:
    finished = run(release, readers[8], str(PID), uid=65534)
    if refused:
        assert (finished.returncode, finished.stdout) == (1, "")
        assert finished.stderr == "answer: Operation not permitted\n"
    else:
        assert members(finished.stdout) == expected(8, 8)
