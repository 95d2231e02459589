"""What a test says by mistake: one sentence, with what was expected and the nearest name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import pytest
from helpers.interposed import needs_interposer
from helpers.plugin import project, run

from netlink_emu.testing import EmulatedKernel, Family, TimeIsUp

pytest_plugins = ["pytester"]
__all__ = ["project"]


def any_of(**options: Any) -> Callable[[], object]:
    """The making of a kernel with options that a type checker would not let pass."""
    return lambda: EmulatedKernel(**options)


MAKING = [
    (any_of(release=6.1), TypeError, "release is a string such as '6.1', not 6.1"),
    (any_of(release="6.99"), ValueError, "Linux 6.99 is not known; nearest: 6.19, 7.0"),
    (any_of(release="6.1.9999"), ValueError, "Linux 6.1.9999 is not known: no series has come "),
    (any_of(cpus="4"), TypeError, "cpus is a number, or a list of numbers, not '4'"),
    (any_of(cpus=0), ValueError, "cpus is the number of CPUs, 1 or more, not 0"),
    (any_of(cpus=None), TypeError, "cpus is a number, or a list of numbers, not None"),
    (any_of(uid="root"), TypeError, "uid is a whole number, not 'root'"),
    (any_of(tasks="postgres"), ValueError, 'tasks is a list, "any" or "host", not \'postgres\''),
    (any_of(tasks=7), TypeError, 'tasks is a list, "any" or "host", not 7'),
    (any_of(config={"nr_cpus": 4}), TypeError, "config takes what KernelConfig() gives, not {'nr"),
    (any_of(families="a.yaml"), TypeError, "families is a list of families, not 'a.yaml'"),
    (any_of(families=None), TypeError, "families is a list of families, not None"),
    (any_of(families=["a.yaml"]), TypeError, "families has families: of a spec, Family.from_"),
    (any_of(families=[7]), TypeError, "families has families, and 7 is none"),
    (
        any_of(families=[Family("x"), Family("x")]),
        ValueError,
        "families: the kernel has x already",
    ),
    (any_of(families=[Family("nlctrl")]), ValueError, "families: the kernel has nlctrl already"),
    (any_of(tasks=[7]), TypeError, "tasks is a list of names and of dicts; 7 is neither"),
    (any_of(tasks=[{"com": "x"}]), TypeError, "a task of tasks has no 'com'; did you mean comm?"),
]


@pytest.mark.parametrize(("make", "kind", "said"), MAKING)
def test_making_a_kernel(make: Callable[[], object], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as raised:
        make()
    assert str(raised.value).startswith(said)


CALLS: list[tuple[Callable[[Any], object], type[Exception], str]] = [
    (lambda k: k.popen("true"), TypeError, "popen() takes a list, ['true'], not 'true'"),
    (lambda k: k.popen([]), TypeError, "popen() takes a program and its arguments in a list, "),
    (lambda k: k.run(["sleep", 1]), TypeError, "run() takes a list of strings and paths; 1 is"),
    (lambda k: k.run(["true"], timeot=1), TypeError, "run() has no 'timeot'; did you mean"),
    (lambda k: k.thread(5), TypeError, "thread() takes a function, and its arguments behind it, "),
    (lambda k: k.wait_until(5), TypeError, "wait_until() takes a function, and its arguments "),
    (lambda k: k.tasks.spawn("x").kill("SIGSEVG"), ValueError, "there is no signal 'SIGSEVG'; "
     "did you mean SIGSEGV"),
    (lambda k: k.tasks.spawn("x").kill(1.5), TypeError, "a signal is a whole number, not 1.5"),
    (lambda k: k.tasks[4242], KeyError, "no task has the pid 4242; there are 1"),
    (lambda k: k.tasks["x"], TypeError, "a pid is a whole number, not 'x'"),
    (lambda k: k.tasks.stats(77), KeyError, "no task has the pid 77; there are 1"),
    (lambda k: k.tasks.spawn("x").charge(utime="1"), TypeError, "utime is a number, not '1'"),
    (lambda k: k.tasks.spawn("x").charge(utime=-1), ValueError, "utime is 0 or more, not -1"),
    (lambda k: k.tasks.spawn("x").charge(read_byte=1), ValueError, "charge(): nothing is "
     "accounted as read_byte; did you mean read_bytes"),
    (lambda k: k.tasks.spawn("x", cgroup="web"), ValueError, "spawn(): nothing is accounted as "
     "cgroup; kernel.cgroups.mkdir(name).attach(task) puts it into a cgroup"),
    (lambda k: k.tasks.spawn("x", prent=1), ValueError, "spawn(): nothing is accounted as prent; "
     "did you mean parent"),
    (lambda k: k.tasks.spawn("x", parent=1), TypeError, "parent takes what kernel.tasks.spawn() "),
    (lambda k: k.tasks.spawn("x", pid="7"), TypeError, "pid is a whole number, not '7'"),
    (lambda k: k.tasks.spawn(7), TypeError, "comm is a string such as 'postgres', not 7"),
    (lambda k: k.tasks.spawn("x", policy="fair"), ValueError, "there is no policy 'fair'; "),
    (lambda k: k.tasks.spawn("x").exit("3"), TypeError, "an exit code is a whole number, not '3'"),
    (lambda k: k.tasks.spawn("x").renice(20), ValueError, "a nice value is -20 to 19, not 20"),
    (lambda k: k.tasks.spawn("x").set_state("runing"), ValueError, "there is no state of a task "
     "'runing'; did you mean running?"),
    (lambda k: k.tasks.storm("9"), TypeError, "count is a whole number, not '9'"),
    (lambda k: k.cgroups.root.attach(1), TypeError, "attach() takes what kernel.tasks.spawn() "),
    (lambda k: k.play("nosuch.toml"), ValueError, "play() takes a scenario in TOML, or a file: "
     "nosuch.toml: No such file or directory"),
    (lambda k: k.play(Path("nosuch")), ValueError, "play() takes a scenario in TOML, or a file"),
    (lambda k: k.play("cpus = a"), ValueError, "line 1, column 8 of the scenario: Invalid value"),
    (lambda k: k.wait_for_listener(cpu="1"), TypeError, "cpu is a whole number, not '1'"),
    (lambda k: k.wait_for_listener(cpu=[0, "2"]), TypeError, "cpu is a whole number, not '2'"),
    (lambda k: k.wait_for_listener(count="2"), TypeError, "count is a whole number, not '2'"),
    (lambda k: k.play(5), TypeError, "play() takes a scenario in TOML, or the path of a file, "),
    (lambda k: k.advance(-1), ValueError, "seconds is 0 or more, not -1"),
    (lambda k: k.advance("1"), TypeError, "seconds is a number, not '1'"),
    (lambda k: k.journal.requests(comand=1), ValueError, "there is no criterion 'comand', did you "
     "mean cmd or comm?"),
    (lambda k: k.wait_for_request(comand=1), ValueError, "there is no criterion 'comand', "),
    (lambda k: k.journal.request(), AttributeError, "Journal has no 'request'; did you mean"),
    (lambda k: k.faults.drp(), AttributeError, "Faults has no 'drp'; did you mean drop?"),
    (lambda k: k.faults.errno("EPREM"), ValueError, "there is no errno 'EPREM', did you mean "),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "said"), CALLS)
def test_calls(
    kernel: EmulatedKernel, call: Callable[[Any], object], kind: type[Exception], said: str
) -> None:
    before = len(kernel.tasks)
    with pytest.raises(kind) as raised:
        call(kernel)
    assert str(raised.value).startswith(said)
    assert len(kernel.tasks) - before <= 1
    assert kernel.clients == []


def test_a_scenario_by_the_name_of_its_file(kernel: EmulatedKernel, tmp_path: Path) -> None:
    path = tmp_path / "cron.toml"
    path.write_text("[[task]]\ncomm = 'cron'\npid = 300\n")
    kernel.play(str(path))
    assert kernel.tasks[300].comm == "cron"


def test_numbers_of_other_kinds(kernel: EmulatedKernel) -> None:
    before = kernel.now
    kernel.advance(cast(float, Fraction(1, 2)))
    assert kernel.now == before + 0.5


@needs_interposer
class TestPrograms:
    def test_what_is_read_up_to(self, kernel: EmulatedKernel) -> None:
        client: Any = kernel.popen([sys.executable, "-c", ""])
        for wrong in (5, b"", ""):
            with pytest.raises(TypeError, match="the text to read up to is a str or bytes, not"):
                client.read_until(wrong)

    def test_no_pipe(self, kernel: EmulatedKernel) -> None:
        with pytest.raises(ValueError, match="its stdin is not a pipe"):
            kernel.popen([sys.executable, "-c", ""]).stdin.write("")

    def test_what_has_ended_does_not_run(self, kernel: EmulatedKernel) -> None:
        client = kernel.popen([sys.executable, "-c", "print('a')"])
        with pytest.raises(
            TimeIsUp, match=r"'b' did not come: its output ended\n.*ended with code 0"
        ):
            client.read_until("b")


@needs_interposer
def test_the_report_shows_the_test_and_its_output_once(project: pytest.Pytester) -> None:
    project.makepyfile(
        f"""
        CODE = "import socket; socket.socket(16, 3, 16); print('o' * 9)"
        CLIENT = [{sys.executable!r}, "-c", CODE]

        def test_waits(netlink_emu):
            kernel = netlink_emu()
            kernel.popen(CLIENT).read_until("x")

        def test_looks(netlink_emu):
            kernel = netlink_emu()
            kernel.popen(CLIENT).wait()
            kernel.wait_for_request(timeout=0)

        def test_asserts(netlink_emu):
            kernel = netlink_emu()
            kernel.popen(CLIENT).wait()
            kernel.journal.assert_request(cmd="TASKSTATS_CMD_GET")

        def test_slips(netlink_emu):
            netlink_emu(cpu=4)
        """
    )
    result = run(project)
    result.assert_outcomes(failed=4)
    out = str(result.stdout)
    assert "netlink_emu/testing" not in out
    assert "netlink_emu/journal" not in out
    assert out.count("ooooooooo") == 3
    assert "has no 'cpu'; did you mean cpus?" in out
