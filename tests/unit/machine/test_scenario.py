"""Scenario files: what they mean, and what is said when they are wrong."""

from __future__ import annotations

import pytest

from netlink_emu.machine.scenario import (
    Charge,
    Exec,
    Exit,
    Move,
    Renice,
    Run,
    Scenario,
    ScenarioError,
    Signal,
    Wait,
    parse_scenario,
)
from netlink_emu.machine.start import Start

SECOND = 1_000_000_000


def test_an_empty_file_is_a_scenario_without_tasks() -> None:
    assert parse_scenario("") == Scenario((), None, None)


def test_every_key_of_a_task_arrives() -> None:
    scenario = parse_scenario(
        """
        cpus = 4
        task_delayacct = true
        start = "listener"
        [[task]]
        comm = "postmaster"
        name = "db"
        [[task]]
        name = "writer"
        comm = "walwriter"
        pid = 4242
        cpu = 3
        uid = 26
        gid = 27
        nice = -5
        policy = "batch"
        parent = "db"
        forked = true
        cgroup = "/db/writers"
        rss_kib = 2048
        vm_kib = 4096
        start = 0.5
        every = 2
        times = 3
        timeline = [{ at = 1.5, exit = 3 }]
        [[task.thread]]
        comm = "bgworker"
        pid = 4243
        cpu = 1
        nice = 7
        start = 0.25
        """
    )
    assert scenario.cpus == 4
    assert scenario.task_delayacct is True
    assert scenario.start is Start.LISTENER
    assert [task.name for task in scenario.tasks] == ["db", "writer"]
    writer = scenario.tasks[1]
    assert (writer.uid, writer.gid, writer.parent, writer.forked) == (26, 27, "db", True)
    assert (writer.cgroup, writer.rss_kib, writer.vm_kib) == ("/db/writers", 2048, 4096)
    assert (writer.every_ns, writer.times) == (2 * SECOND, 3)
    leader = writer.leader
    assert (leader.comm, leader.pid, leader.cpu, leader.nice) == ("walwriter", 4242, 3, -5)
    assert (leader.policy, leader.start_ns, leader.exit_ns) == (3, SECOND // 2, 3 * SECOND // 2)
    (thread,) = writer.threads
    assert (thread.comm, thread.pid, thread.cpu, thread.nice) == ("bgworker", 4243, 1, 7)
    assert thread.start_ns == SECOND // 4


@pytest.mark.parametrize(
    ("toml", "action"),
    [
        ("run = 1", Run(SECOND, 0)),
        ("run = 1.5, system = 0.25", Run(3 * SECOND // 2, SECOND // 4)),
        ("wait = { blkio = 0.3 }", Wait("blkio", 300_000_000)),
        ("wait = { cpu = 0.1 }", Wait("cpu", 100_000_000)),
        ("charge = { utime = 0.5, syscr = 9 }", Charge({"utime": 0.5}, {"syscr": 9})),
        ("exit = 255", Exit(255, whole_process=True)),
        ("exit_thread = 0", Exit(0, whole_process=False)),
        ("signal = 11, core = true", Signal(11, core_dumped=True)),
        ('signal = "SIGTERM"', Signal(15)),
        ('signal = "KILL"', Signal(9)),
        ('exec = "sh"', Exec("sh")),
        ("cpu = 3", Move(3)),
        ("nice = -20", Renice(-20)),
    ],
)  # fmt: skip
def test_every_verb_is_an_action(toml: str, action: object) -> None:
    scenario = parse_scenario(f'[[task]]\ncomm = "t"\ntimeline = [{{ at = 0.5, {toml} }}]')
    (step,) = scenario.tasks[0].leader.steps
    assert (step.at_ns, step.action, step.path) == (SECOND // 2, action, "task[0].timeline[0]")


TASK = '[[task]]\ncomm = "t"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("cpus = 0", "cpus: must be between 1 and 4096, found 0", id="no-cpu"),
        pytest.param("cpus = true", "cpus: must be a whole number, found True", id="bool-cpus"),
        pytest.param('task = "x"', "task: must be an array, found 'x'", id="task-no-array"),
        pytest.param("task = [1]", "task[0]: must be a table, found 1", id="task-no-table"),
        pytest.param("[[task]]", "task[0]: the key 'comm' is missing", id="no-comm"),
        pytest.param('[[task]]\ncomm = ""', "task[0].comm: must not be empty", id="comm-empty"),
        pytest.param(TASK + "pid = 1", "task[0].pid: must be between 2 and 4194303", id="init"),
        pytest.param(TASK + "colour = 1", "task[0].colour: unknown key", id="unknown-key"),
        pytest.param("colour = 1", "unknown key; known are arch, config, cpus, fam", id="root"),
        pytest.param("cpus = 2\n" + TASK + "cpu = 2", "must be between 0 and 1", id="cpu-range"),
        pytest.param(TASK + "nice = 20", "must be between -20 and 19, found 20", id="nice"),
        pytest.param(TASK + 'policy = "x"', "is 'x', not one of other, fifo", id="policy"),
        pytest.param(TASK + "start = -1", "must be between 0 and 1000000000 s", id="minus"),
        pytest.param(TASK + "start = nan", "must be between 0 and 1000000000 s", id="nan"),
        pytest.param(TASK + 'start = "1s"', "must be a number, found '1s'", id="string-start"),
        pytest.param(TASK + 'parent = "u"', "no task above is named 'u'", id="no-parent"),
        pytest.param(TASK + "times = 2", "task[0].times: needs 'every' beside it", id="times"),
        pytest.param(TASK + "every = 1", "must end, by 'exit' or 'signal'", id="endless"),
        pytest.param(
            TASK + "pid = 9\nevery = 1\ntimeline = [{ at = 1, exit = 0 }]",
            "task[0].pid: is still taken when the task starts again",
            id="pid-taken",
        ),
        pytest.param(
            TASK + "[[task.thread]]\npid = 5", "task[0].thread[0]: the key 'comm'", id="thread"
        ),
    ],
)  # fmt: skip
def test_a_wrong_key_is_named_by_its_path(text: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text)
    assert said in str(caught.value)
    assert caught.value.line is not None


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("{ run = 1 }", "timeline[0]: the key 'at' is missing"),
        ("{ at = 1 }", "timeline[0]: needs exactly one of run, wait"),
        ("{ at = 1, run = 1, exit = 0 }", "found run and exit"),
        ("{ at = 1, run = 1, system = 2 }", "system: is part of 'run'"),
        ("{ at = 1, exit = 256 }", "exit: must be between 0 and 255"),
        ("{ at = 1, exit = 0, core = true }", "core: unknown key"),
        ("{ at = 1, signal = 'NOSUCH' }", "no signal is called 'NOSUCH'"),
        ("{ at = 1, signal = 'SIGCHLD' }", "SIGCHLD does not end a process"),
        ("{ at = 1, signal = 19 }", "SIGSTOP does not end a process"),
        ("{ at = 1, wait = {} }", "timeline[0].wait: needs exactly one of cpu, blkio"),
        ("{ at = 1, wait = { disk = 1 } }", "timeline[0].wait: needs exactly one of"),
        ("{ at = 1, charge = { bytes = 1 } }", "timeline[0].charge.bytes: unknown key"),
        (
            "{ at = 1, run = 2 }, { at = 2, exit = 0 }",
            "timeline[1]: at 2 s the task is still busy",
        ),
        ("{ at = 1, nice = 1 }, { at = 0, nice = 2 }", "timeline[1]: at 0 s the task is still"),
        ("{ at = 1, exit = 0 }, { at = 2, run = 1 }", "timeline[1]: the task has ended before"),
    ],
)
def test_a_wrong_step_is_named_by_its_path(steps: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(f"{TASK}timeline = [{steps}]")
    assert said in str(caught.value)
    assert str(caught.value).startswith("task[0].timeline")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cpus = " + "1" * 5000, "a number is too long"),
        ("cpus = 0x" + "f" * 5000, "cpus: has more than the 64 bits of a whole number"),
        (TASK + f"rss_kib = {1 << 63}", "task[0].rss_kib: has more than the 64 bits"),
        (TASK + f"start = {10**400}", "task[0].start: has more than the 64 bits"),
        (TASK + "start = 1e308", "task[0].start: must be between 0 and 1000000000 seconds"),
        (TASK + "start = [0x" + "f" * 5000 + "]", "must be a number, found a long list"),
        (TASK + "comm2 = " + "[" * 400 + "]" * 400, "task[0].comm2: unknown key"),
        ("x = " + "[" * 100_000, "tables or arrays stand too deep in one another"),
        ('cpus = "' + "x" * 100_000 + '"', "cpus: must be a whole number, found 'xxx"),
        ('"a\\n\\u001bb" = 1', "'a\\n\\x1bb': unknown key"),
        ("[config]\nx = 0x" + "f" * 5000, "config.x: has more than the 64 bits"),
    ],
)  # fmt: skip
def test_what_no_file_of_good_will_says(text: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_a_syntax_error_has_its_line_and_column() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario('cpus = 4\n[[task]]\ncomm "x"\n')
    assert (caught.value.line, caught.value.column) == (3, 6)
    assert "line" not in str(caught.value)


def test_an_unfinished_file_is_an_error_too() -> None:
    with pytest.raises(ScenarioError, match="end of document"):
        parse_scenario("cpus = [1,")


def test_when_it_begins_is_one_of_three() -> None:
    assert [parse_scenario(f'start = "{word}"').start for word in Start] == list(Start)
    assert parse_scenario("").start is None
    with pytest.raises(
        ScenarioError, match=r"^start: is 'soon', not one of listener, client, boot"
    ):
        parse_scenario('start = "soon"')
