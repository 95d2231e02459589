"""After its end a kernel is nobody's: what was started has ended, and calls say why they fail."""

from __future__ import annotations

import errno
import inspect
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.interposed import needs_interposer
from helpers.messages import get, receive
from helpers.nets import SECONDS, until

from netlink_emu.cassettes import Cassette
from netlink_emu.kernel.genetlink import GenlFamily
from netlink_emu.testing import EmulatedKernel, KernelClosed, TimeIsUp, WrongProcess

K = EmulatedKernel
FAMILY = GenlFamily("MINE", 1, ())
CALLS: dict[str, Callable[[K], object]] = {
    "advance": lambda k: k.advance(1),
    "call": lambda k: k.call(lambda: 1),
    "connect": lambda k: k.connect(),
    "journal_to": lambda k: k.journal_to("/dev/null").__enter__(),
    "listeners": lambda k: k.listeners,
    "now": lambda k: k.now,
    "path": lambda k: k.path,
    "play": lambda k: k.play("[[task]]\ncomm = 'x'\n"),
    "popen": lambda k: k.popen(["true"]),
    "register_family": lambda k: k.register_family(FAMILY),
    "reset": lambda k: k.reset(),
    "run": lambda k: k.run(["true"]),
    "set_delayacct": lambda k: k.set_delayacct(on=True),
    "thread": lambda k: k.thread(int),
    "unregister_family": lambda k: k.unregister_family(FAMILY),
    "wait_for_listener": lambda k: k.wait_for_listener(),
    "wait_for_request": lambda k: k.wait_for_request(),
    "wait_until": lambda k: k.wait_until(lambda _: True),
}
PARTS: dict[str, Callable[[K], object]] = {
    "tasks": lambda k: k.tasks.spawn("x"),
    "tasks.find": lambda k: k.tasks.find(1),
    "tasks.len": lambda k: len(k.tasks),
    "cpus": lambda k: k.cpus.set_offline(1),
    "cgroups": lambda k: k.cgroups.mkdir("x"),
    "faults": lambda k: k.faults.drop(),
}
# What can be looked at for ever, and what gives something that raises.
HARMLESS = {
    "aio", "cassette", "cgroups", "clients", "clock", "close", "closed", "cpus", "faults",
    "families", "family_id", "journal", "kernel", "profile", "release", "report", "tasks",
    "threads", "usage",
}  # fmt: skip


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def wait_until_gone(pid: int) -> None:
    until(lambda: gone(pid), f"the end of {pid}")


class TestClosed:
    @pytest.mark.parametrize("name", [*CALLS, *PARTS])
    def test_every_call_says_so(self, name: str) -> None:
        with EmulatedKernel("6.1") as kernel:
            pass
        with pytest.raises(KernelClosed, match=r"\(Linux 6\.1\) is closed"):
            (CALLS | PARTS)[name](kernel)

    def test_no_call_is_missing_here(self) -> None:
        kernel = EmulatedKernel()
        names = {name for name in dir(kernel) if not name.startswith("_")}
        assert names == CALLS.keys() | HARMLESS
        kernel.close()

    def test_what_happened_can_still_be_read(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect()
        sock.send(get(1))
        receive(sock)
        kernel.close()
        assert len(kernel.journal.requests()) == 1
        assert "TASKSTATS_CMD_GET" in kernel.report()
        assert (kernel.closed, repr(kernel)) == (True, "<emulated kernel 6.18, closed>")

    def test_a_cassette_that_is_over(self) -> None:
        with EmulatedKernel(cassette=Cassette(), news="emit") as kernel:
            cassette = kernel.cassette
        for handle in (cassette, kernel.cassette):
            with pytest.raises(KernelClosed):
                handle.emit()

    def test_what_it_had_handed_out(self, kernel: EmulatedKernel) -> None:
        task, cgroup = kernel.tasks.spawn("x"), kernel.cgroups.mkdir("web")
        kernel.close()
        for call in (task.exit, task.stats, lambda: cgroup.attach(task), cgroup.rmdir):
            with pytest.raises(KernelClosed):
                call()
        assert not cgroup.path.exists()

    def test_what_it_had_handed_out_before_a_reset(self, kernel: EmulatedKernel) -> None:
        task, faults = kernel.tasks.spawn("x"), kernel.faults
        kernel.reset()
        for call in (task.exit, lambda: faults.drop()):
            with pytest.raises(KernelClosed, match=r"before reset\(\)"):
                call()
        kernel.tasks.spawn("x").exit()

    def test_who_waits_is_told(self, kernel: EmulatedKernel) -> None:
        raised: list[BaseException] = []

        def wait() -> None:
            try:
                kernel.wait_for_listener(timeout=600)
            except (KernelClosed, TimeIsUp) as exc:
                raised.append(exc)

        thread = threading.Thread(target=wait)
        thread.start()
        kernel.close()
        thread.join(SECONDS)
        assert [type(exc) for exc in raised] == [KernelClosed]


LEAVES_SOMETHING = """
import sys
from netlink_emu.testing import EmulatedKernel
kernel = EmulatedKernel()
client = kernel.popen(["sleep", "600"])
kernel.connect()
kernel.cgroups.mkdir("x")
print(client.pid, kernel.path.parent, kernel.cgroups.root.path, flush=True)
"""


@needs_interposer
class TestNothingIsLeft:
    @pytest.mark.parametrize("pidfds_name_groups", [True, False])
    def test_what_a_client_has_started(
        self, kernel: EmulatedKernel, monkeypatch: pytest.MonkeyPatch, pidfds_name_groups: bool
    ) -> None:
        if not pidfds_name_groups:

            def refuses(*_arguments: object) -> None:
                raise OSError(errno.EINVAL, "before Linux 6.9")

            monkeypatch.setattr(signal, "pidfd_send_signal", refuses)
        client = kernel.popen(["sh", "-c", "sleep 600 & echo $!; wait"])
        child = int(client.read_until())
        kernel.close()
        wait_until_gone(child)
        assert gone(client.pid)

    def test_what_a_client_left_that_has_ended(self, kernel: EmulatedKernel) -> None:
        client = kernel.popen(["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"])
        child = int(client.read_until())
        client.wait()
        try:
            with os.fdopen(os.pidfd_open(os.getpid())) as own:
                signal.pidfd_send_signal(own.fileno(), 0, None, 1 << 2)
        except ProcessLookupError:  # known, and we lead no group
            pass
        except OSError:
            os.kill(child, signal.SIGKILL)
            pytest.skip("before Linux 6.9 a group is known by its leader alone")
        assert not gone(child)
        kernel.close()
        wait_until_gone(child)

    def test_a_kernel_that_nobody_closes(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", LEAVES_SOMETHING],
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        pid, *directories = done.stdout.split()
        wait_until_gone(int(pid))
        assert [path for path in directories if Path(path).exists()] == []


def in_fork(function: Callable[[], object]) -> Any:
    """What a forked child makes of it: the value, or the error's class and text."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def child() -> None:
        try:
            theirs.send(function())
        except Exception as exc:
            theirs.send((type(exc).__name__, str(exc)))

    process = context.Process(target=child)
    process.start()
    theirs.close()
    assert ours.poll(SECONDS), "the child hangs"
    answer = ours.recv()
    process.join(SECONDS)
    return answer


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
class TestForkedChild:
    @pytest.mark.parametrize("served", [False, True])
    @pytest.mark.parametrize("name", [*CALLS, *PARTS])
    def test_every_call_says_whose_it_is(
        self, kernel: EmulatedKernel, name: str, served: bool
    ) -> None:
        if served:
            kernel.connect()
        kind, said = in_fork(lambda: (CALLS | PARTS)[name](kernel))
        assert kind == "WrongProcess"
        assert f"belongs to process {os.getpid()}, which forked this one" in said

    def test_its_end_takes_nothing_from_the_parent(self, kernel: EmulatedKernel) -> None:
        path, cgroup = kernel.path, kernel.cgroups.mkdir("x").path
        assert in_fork(kernel.close) is None
        pid = os.fork()
        if pid == 0:
            import atexit

            atexit._run_exitfuncs()  # as at the end of a program that forked itself
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert path.exists()
        assert cgroup.exists()
        sock = kernel.connect()
        sock.send(get(1))
        assert receive(sock).cmd == "TASKSTATS_CMD_NEW"

    def test_it_may_talk_to_the_path(self, kernel: EmulatedKernel) -> None:
        from netlink_emu.testing.handle.connect import connect

        path = kernel.path

        def ask() -> str:
            sock = connect(path)
            sock.send(get(1))
            return receive(sock).cmd

        assert in_fork(ask) == "TASKSTATS_CMD_NEW"


class TestGevent:
    def test_patched_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkey = types.ModuleType("gevent.monkey")
        patched = {"socket"}
        monkey.is_module_patched = lambda name: name in patched  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "gevent.monkey", monkey)
        EmulatedKernel().close()
        patched.add("threading")
        with pytest.raises(WrongProcess, match=r"gevent has replaced .*kernel\.popen\(\)"):
            EmulatedKernel()

    def test_the_real_one(self) -> None:
        pytest.importorskip("gevent")
        code = (
            "from gevent import monkey; monkey.patch_all()\n"
            "from netlink_emu.testing import EmulatedKernel\nEmulatedKernel()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert "WrongProcess: gevent has replaced" in done.stderr


def test_every_public_call_is_documented() -> None:
    for name in CALLS:
        assert inspect.getdoc(getattr(EmulatedKernel, name)), name
