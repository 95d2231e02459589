"""Clients that are not root, or that may not be looked into."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest
from helpers.interposed import Compile, emulated, needs_interposer, netlink_emu
from helpers.nobody import AS_NOBODY as NOBODY
from helpers.sides import has_taskstats

pytestmark = [
    needs_interposer,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else"),
]
EXPECTED = Path(__file__).with_name("expected")


def test_as_nobody(program: Compile) -> None:
    done = netlink_emu("run", "--", program("threads"), "2", "5", "1", prefix=NOBODY)
    assert (done.stdout, done.stderr) == ("bad 0\n", "")


def test_a_client_becomes_nobody(program: Compile) -> None:
    done = emulated(*NOBODY, program("threads"), "2", "5", "1")
    assert (done.stdout, done.stderr) == ("bad 0\n", "")


def test_nobodys_set_user_id_programs_have_no_more_rights() -> None:
    done = netlink_emu("run", "--", "grep", "NoNewPrivs", "/proc/self/status", prefix=NOBODY)
    assert done.stdout == "NoNewPrivs:\t1\n"


def test_root_looks_into_everything(program: Compile) -> None:
    done = emulated(program("sealed"))
    assert done.stdout.splitlines() == [
        "two sockets: 1",
        "bind: ok",
        "send: 28",
        "recv: 1",
        "sendto: 28",
        "poll: 1",
        "read: 1",
        "write elsewhere: 1",
    ]


def test_a_sealed_client_is_served_as_far_as_its_sockets_go_by_themselves(
    program: Compile,
) -> None:
    done = netlink_emu("run", "--summary", "--", program("sealed"), prefix=NOBODY)
    assert done.stdout.splitlines() == [
        "two sockets: 1",
        "bind: EACCES",
        "send: 28",
        "recv: 1",
        "sendto: 28",
        "poll: 1",
        "read: 1",
        "write elsewhere: 1",
    ]
    assert "clients that may not be looked into (not dumpable): run as root" in done.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="has no i386")
@pytest.mark.parametrize(
    ("prefix", "error"), [(NOBODY, "EACCES"), ((), "EAFNOSUPPORT")], ids=["nobody", "root"]
)
def test_a_sealed_client_of_another_abi_gets_no_real_socket(
    program: Compile, prefix: tuple[str, ...], error: str
) -> None:
    done = netlink_emu("run", "--", program("sealed"), "socketcall", prefix=prefix)
    if done.returncode < 0:
        pytest.skip("this kernel does not run i386 calls")
    assert (done.returncode, done.stdout) == (1, f"socketcall: {error}\n")
    assert done.stderr.startswith("netlink-emu: 1 ")


def test_a_sealed_client_is_told_of_without_being_asked(program: Compile) -> None:
    done = netlink_emu("run", "--", program("sealed"), prefix=NOBODY)
    assert "clients that may not be looked into (not dumpable): run as root" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["overrun", "descriptors"])
def test_nobodys_supervisor_is_as_good(program: Compile, name: str) -> None:
    """Its socket pairs have smaller buffers, for which the client must not be able to tell."""
    done = netlink_emu("run", "--", program(name), prefix=NOBODY)
    assert done.stdout == (EXPECTED / f"{name}.txt").read_text()


def test_nobody_in_a_user_namespace(program: Compile) -> None:
    unshare = ("unshare", "--user", "--map-root-user")
    done = netlink_emu("run", "--", *unshare, program("threads"), "2", "5", "1", prefix=NOBODY)
    if "unshare failed" in done.stderr:
        pytest.skip("unprivileged user namespaces are switched off")
    assert (done.stdout, done.stderr) == ("bad 0\n", "")


ROOT_ALONE = [
    pytest.param((), "pid right", id="root"),
    pytest.param(NOBODY, "error Operation not permitted\n", id="nobody"),
    pytest.param(
        ("unshare", "--user", "--map-root-user"),
        "error Operation not permitted\n",
        id="root of another user namespace",
    ),
]


@pytest.mark.parametrize(("prefix", "answer"), ROOT_ALONE)
def test_clients_may_be_themselves(taskstats: Path, prefix: tuple[str, ...], answer: str) -> None:
    done = emulated(*prefix, taskstats, options=["--clients", "themselves"])
    assert done.stderr == ""
    assert done.stdout.startswith(answer)


@pytest.mark.parametrize(("prefix", "answer"), ROOT_ALONE)
def test_by_default_clients_are_root(
    taskstats: Path, prefix: tuple[str, ...], answer: str
) -> None:
    done = emulated(*prefix, taskstats)
    assert done.stdout.startswith("pid right"), answer


@pytest.mark.real_kernel
@pytest.mark.parametrize(("prefix", "answer"), ROOT_ALONE)
def test_on_a_real_kernel_clients_are_themselves(
    taskstats: Path, prefix: tuple[str, ...], answer: str
) -> None:
    if not has_taskstats():
        pytest.skip("no real TASKSTATS")
    done = subprocess.run([*prefix, taskstats], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(answer)
