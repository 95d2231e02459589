"""The published spec of NETLINK_EMU: in the kernel's format, and enough for a client."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from errno import ESRCH
from pathlib import Path

import pytest
from helpers.ynl import YnlClient, load
from manual import spec

from netlink_emu.protocol.family import Attribute, AttributeSet
from netlink_emu.protocol.ours.control import CONTROL
from netlink_emu.specs import read_spec
from netlink_emu.testing import EmulatedKernel

ROOT = Path(__file__).parents[2]
C = ROOT / "docs/examples/c"


def test_it_keeps_to_the_kernels_format() -> None:
    loaded = load(spec.YAML)
    assert [op["name"] for op in loaded["operations"]["list"]] == [
        op.name for op in CONTROL.operations
    ]
    assert loaded["mcast-groups"] == {"list": [{"name": "journal"}]}


def test_it_says_what_is_declared() -> None:
    """Every name, number, type, text and message, as whoever reads the file understands it."""

    def plain(attrs: AttributeSet) -> list[Attribute]:
        return [
            replace(a, nested=AttributeSet(a.nested.name) if a.nested else None) for a in attrs
        ]

    said = read_spec(spec.YAML.read_text(), spec.YAML.name)
    assert said.remarks == ()
    for name, attrs in CONTROL.attribute_sets.items():
        assert repr(plain(said.declaration.attribute_sets[name])) == repr(plain(attrs))
        assert said.declaration.attribute_sets[name].policy() == attrs.policy()
    for found, op in zip(said.declaration.operations, CONTROL.operations, strict=True):
        assert found.attributes.name == op.attributes.name
        assert replace(found, attributes=op.attributes) == op
    assert said.declaration.enums == CONTROL.enums
    assert said.declaration.groups == CONTROL.groups
    assert said.declaration.doc == CONTROL.doc


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", cpus=4, control=True) as kernel:
        yield kernel


def test_a_client_made_from_it_alone(kernel: EmulatedKernel) -> None:
    client = YnlClient(load(spec.YAML), kernel.connect())
    task = client.do(
        "task-new",
        {"comm": "postgres", "pid": 4242, "cpu": 2, "amounts": {"utime": 1_500_000_000}},
    )
    assert task is not None
    assert (task["pid"], task["comm"], task["state"]) == (4242, "postgres", "sleeping")
    client.do("task-set", {"pid": 4242, "state": 0, "amounts": {"blkio-delay": 300_000_000}})
    assert [t["state"] for t in client.dump("task-get")] == ["sleeping", "running"]
    stats = kernel.tasks[4242].stats()
    assert (stats["ac_utime"], stats["blkio_delay_total"]) == (1_500_000, 300_000_000)
    client.do("task-end", {"pid": 4242, "code": 3})
    with pytest.raises(OSError, match="NLMSG_ERROR") as raised:
        client.do("task-get", {"pid": 4242})
    assert raised.value.errno == ESRCH
    assert client.do("fault-new", {"rule": "drop kind=event"}) == {"id": 1}
    assert client.dump("fault-get")[0]["rule"] == "drop kind=event"
    client.do("journal-note", {"text": "here"})
    assert client.dump("journal-get")[-1]["what"] == "note"
    assert [cpu["online"] for cpu in client.dump("cpu-get")] == [1, 1, 1, 1]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("c") / "suite"
    options = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1"]
    include = ["-I", str(spec.HEADER.parent)]
    subprocess.run([compiler, *options, *include, "-o", program, C / "suite.c"], check=True)
    return program


def test_the_header_is_c_and_cxx(tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc")
    for language in ("c", "c++"):
        done = subprocess.run(
            [compiler, "-x", language, "-fsyntax-only", "-Wall", "-Werror", spec.HEADER],
            capture_output=True,
            text=True,
            check=False,
        )
        if "cannot execute" not in done.stderr:  # no C++ compiler
            assert done.stderr == ""


def test_the_suite_in_c(kernel: EmulatedKernel, suite: Path) -> None:
    done = kernel.run([suite])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "1..4",
        "ok 1 - an exit is reported",
        "ok 2 - statistics of a task",
        "ok 3 - a task that is not there",
        "ok 4 - an overrun is told by ENOBUFS",
    ]


def test_the_suite_in_c_fails_where_the_kernel_is_broken(
    kernel: EmulatedKernel, suite: Path
) -> None:
    kernel.faults.wrong_seq(cmd="TASKSTATS_CMD_GET", kind="reply")
    done = kernel.run([suite])
    assert done.returncode == 1
    assert "not ok 2 - statistics of a task" in done.stdout
