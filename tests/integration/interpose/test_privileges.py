"""As whom clients act in the emulated kernel, and as whom they see themselves."""

from __future__ import annotations

import os
import shutil

import pytest
from helpers.interposed import NETLINK_EMU, emulated, needs_interposer, netlink_emu
from helpers.nobody import AS_NOBODY as NOBODY
from helpers.others import PYTHON, ours_for_others
from helpers.privileged import ASKS, SENDER

pytestmark = needs_interposer
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


OURS = ours_for_others() if os.geteuid() == 0 else NETLINK_EMU
needs_ours_for_others = pytest.mark.skipif(
    not OURS, reason="needs a Python of our version, and modules, that others may read"
)
needs_iotop_c = pytest.mark.skipif(shutil.which("iotop-c") is None, reason="needs iotop-c")


def asks(*options: str, prefix: tuple[str, ...] = ()) -> str:
    ours = (OURS if prefix else ()) or NETLINK_EMU
    done = emulated(PYTHON, "-c", ASKS, options=options, prefix=prefix, ours=ours)
    assert done.stderr == ""
    return done.stdout.strip()


def test_clients_are_allowed_all_unless_said_otherwise() -> None:
    assert asks() == "answered"
    assert asks("--cap-net-admin") == "answered"
    assert asks("--no-cap-net-admin") == "EPERM"


@needs_root
def test_who_is_nobody_is_allowed_all_as_well() -> None:
    assert asks(prefix=NOBODY) == "answered"
    assert asks("--no-cap-net-admin", prefix=NOBODY) == "EPERM"


@needs_root
def test_capabilities_of_those_who_are_themselves() -> None:
    assert asks("--clients", "themselves") == "answered"
    assert asks("--clients", "themselves", "--no-cap-net-admin") == "EPERM"
    assert asks("--clients", "themselves", prefix=NOBODY) == "EPERM"
    assert asks("--clients", "themselves", "--cap-net-admin", prefix=NOBODY) == "answered"


@pytest.mark.parametrize(("options", "ids"), [((), "0 0"), (("--uid", "4711"), "4711 4711")])
def test_a_user_may_be_named(options: tuple[str, ...], ids: str) -> None:
    assert emulated(PYTHON, "-c", SENDER, options=options).stdout == f"{ids}\n"
    assert asks(*options) == "answered"


def test_clients_cannot_be_two_users() -> None:
    done = emulated("true", options=["--uid", "1", "--clients", "themselves"])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("netlink-emu: use --uid or --clients themselves")


# --- fake root


def as_root(*command: str, prefix: tuple[str, ...] = NOBODY) -> str:
    done = emulated(*command, options=["--fake-root"], prefix=prefix, ours=OURS or NETLINK_EMU)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@needs_root
@needs_ours_for_others
def test_a_client_believes_to_be_root() -> None:
    assert as_root("id", "-u") == as_root("id", "-g") == "0\n"
    status = as_root("grep", "-E", "^(CapEff|NoNewPrivs)", "/proc/self/status")
    capabilities, new_privileges = (line.split()[1] for line in status.splitlines())
    assert int(capabilities, 16) >> 12 & 1, "CAP_NET_ADMIN"
    assert new_privileges == "1"
    assert as_root(PYTHON, "-c", ASKS) == "answered\n"


@needs_root
@needs_ours_for_others
@needs_iotop_c
def test_iotop_c_runs_as_nobody() -> None:
    """It wants root before it asks, and then what the emulated kernel says."""
    command = ("iotop-c", "-b", "-n", "1", "-P", "-p", "1")
    done = emulated(*command, prefix=NOBODY, ours=OURS)
    assert done.returncode != 0
    done = emulated(*command, options=["--fake-root"], prefix=NOBODY, ours=OURS)
    assert done.returncode == 0
    assert "fatal reply error" not in done.stdout + done.stderr
    assert any(line.split()[:1] == ["1"] for line in done.stdout.splitlines())


@needs_root
def test_who_is_root_stays_it() -> None:
    assert (
        as_root("readlink", "/proc/self/ns/user", prefix=())
        == os.readlink("/proc/self/ns/user") + "\n"
    )


@needs_root
@needs_ours_for_others
def test_the_environment_and_signals_are_ours() -> None:
    prefix = ("env", "COLOUR=green", *NOBODY)
    assert as_root("sh", "-c", "echo $COLOUR", prefix=prefix) == "green\n"
    ignored = as_root("grep", "SigIgn", "/proc/self/status")
    assert int(ignored.split()[1], 16) >> 12 & 1 == 0, "SIGPIPE"
    assert "LC_CTYPE" not in as_root("env", prefix=("env", "-i", *NOBODY))


@needs_root
@needs_ours_for_others
@pytest.mark.parametrize(
    ("command", "status", "sentence"),
    [
        ("no-such-command", 127, "no-such-command: command not found"),
        ("/no/such/command", 127, "/no/such/command: no such file or directory"),
        ("/etc/passwd", 126, "/etc/passwd: permission denied"),
    ],
)
def test_what_cannot_be_run(command: str, status: int, sentence: str) -> None:
    done = emulated(command, options=["--fake-root"], prefix=NOBODY, ours=OURS)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr == f"netlink-emu: {sentence}\n"


@needs_root
@needs_ours_for_others
def test_where_no_user_namespace_may_be_made() -> None:
    """A process in a chroot may not (create_user_ns() of kernel/user_namespace.c)."""
    script = 'mount --rbind / /mnt && exec chroot --userspec=65534:65534 /mnt "$@"'
    prefix = ("unshare", "--mount", "sh", "-c", script, "sh")
    done = netlink_emu("run", "--fake-root", "--", "true", prefix=prefix, ours=OURS)
    assert done.returncode == 126
    assert done.stderr == (
        "netlink-emu: no user namespace may be made here: Operation not permitted\n"
    )
