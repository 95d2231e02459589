"""NETLINK_EMU: whatever the handle does, a client in any language does over netlink."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from errno import EINVAL, ESRCH
from typing import Any

import pytest
from helpers.messages import attrs, decode, get, receive, register, request, stats_of, waiting

from netlink_emu.protocol.ours.control import AMOUNT, NlemuState
from netlink_emu.testing import EmulatedKernel
from netlink_emu.testing.errors import ControlError
from netlink_emu.testing.remote.kernel import Remote


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", cpus=4, control=True) as kernel:
        yield kernel


class TestTasks:
    def test_spawn_charge_and_end(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect()
        sock.send(register("2"))
        assert receive(sock).error == 0
        reply = remote.do(
            "task-new",
            {
                "comm": "postgres",
                "pid": 4242,
                "cpu": 2,
                "uid": 26,
                "nice": -5,
                "amounts": {"utime": 1_500_000_000},
            },
        )
        assert attrs(reply) == {
            "pid": 4242, "tgid": 4242, "ppid": 1, "comm": "postgres", "cpu": 2, "uid": 26,
            "gid": 0, "nice": 0xFFFFFFFB, "policy": 0, "state": 1,
        }  # fmt: skip
        remote.do(
            "task-set",
            {
                "pid": 4242,
                "amounts": {
                    "blkio-delay": 300_000_000,
                    "min-flt": 7,
                },
            },
        )
        remote.do("task-end", {"pid": 4242, "code": 3})
        stats = stats_of(decode(waiting(sock)[0]))
        expected = {
            "ac_exitcode": 3 << 8, "ac_utime": 1_500_000, "blkio_delay_total": 300_000_000,
            "ac_minflt": 7, "ac_nice": 251, "ac_uid": 26,
        }  # fmt: skip
        assert {name: stats[name] for name in expected} == expected

    def test_every_amount_arrives_in_its_unit(
        self, kernel: EmulatedKernel, remote: Remote
    ) -> None:
        amounts = {amount.name: 2048 for amount in AMOUNT}
        values = {
            "pid": 9,
            "comm": "x",
            "amounts": amounts,
        }
        remote.do("task-new", values)
        stats = kernel.tasks[9].stats()
        assert {stats[f"{name}_delay_total"] for name in ("cpu", "blkio", "irq", "wpcopy")} == {
            2048
        }
        members = ("ac_minflt", "ac_majflt", "nvcsw", "nivcsw", "read_char", "write_syscalls",
                   "cancelled_write_bytes", "hiwater_rss", "hiwater_vm")  # fmt: skip
        assert {stats[name] for name in members} == {2048}
        assert stats["cpu_run_real_total"] == 4096

    def test_threads_states_and_signals(self, kernel: EmulatedKernel, remote: Remote) -> None:
        remote.do("task-new", {"pid": 10, "comm": "sh"})
        remote.do("task-new", {"pid": 11, "tgid": 10})
        remote.do("task-new", {"pid": 12, "ppid": 10})
        remote.do(
            "task-set",
            {
                "pid": 12,
                "cpu": 3,
                "state": NlemuState.NETLINK_EMU_STATE_RUNNING,
                "comm": "ls",
            },
        )
        listed = {a["pid"]: a for a in map(attrs, remote.dump("task-get"))}
        assert listed[11]["tgid"] == 10
        assert (listed[12]["ppid"], listed[12]["comm"]) == (10, "ls")
        assert (listed[12]["cpu"], listed[12]["state"]) == (3, 0)
        remote.do(
            "task-end",
            {"pid": 11, "one-thread": b""},
        )
        remote.do(
            "task-end",
            {
                "pid": 10,
                "signal": 11,
                "core": b"",
                "zombie": b"",
            },
        )
        one = attrs(remote.do("task-get", {"pid": 10}))
        assert one["exit_status"] == 0x8B
        status = attrs(remote.do("task-reap", {"pid": 10}))
        assert status == {"exit_status": 0x8B}
        assert {task.pid for task in kernel.tasks} == {1, 12}

    def test_a_storm(self, kernel: EmulatedKernel, remote: Remote) -> None:
        reply = remote.do(
            "task-storm",
            {"count": 30, "lifetime": 1_000_000},
        )
        assert attrs(reply) == {"count": 30}
        assert kernel.now == pytest.approx(100.03)

    @pytest.mark.parametrize(
        ("cmd", "values", "errno", "said"),
        [
            ("task-get", {"pid": 77}, ESRCH, "there is no task 77"),
            ("task-get", {}, EINVAL, "NLEMU_A_TASK_PID is missing"),
            ("task-new", {"pid": 1}, EINVAL, "pid 1 is taken"),
            ("task-new", {"cpu": 9}, EINVAL, "CPU 9 is not possible"),
            (
                "task-end",
                {"pid": 1, "code": 256},
                EINVAL,
                "an exit code is 0 to 255",
            ),
            (
                "task-end",
                {"pid": 1, "signal": 65},
                EINVAL,
                "there is no signal 65",
            ),
            ("task-get", {"cpu": 1}, EINVAL, "Unsupported attribute"),
            ("cgroup-del", {"cgroup": "a/b"}, ESRCH, "no cgroup a/b"),
            ("fault-new", {"rule": "explode"}, EINVAL, "no fault"),
            ("fault-del", {"id": 3}, ESRCH, "there is no rule 3"),
            ("wait", {"cpu": 9}, EINVAL, "CPU 9 is not possible"),
            ("wait", {"request": "x=1"}, EINVAL, "'x' is not a criterion"),
            ("wait", {"count": 0}, EINVAL, "nothing to wait for: NLEMU_A_WATCH_COUNT is 0"),
            ("wait", {"count": 0, "request": "cmd=X"}, EINVAL, "nothing to wait for"),
        ],
    )
    def test_mistakes_are_told(
        self,
        remote: Remote,
        cmd: str,
        values: dict[str, Any],
        errno: int,
        said: str,
    ) -> None:
        with pytest.raises(ControlError, match=said) as raised:
            remote.do(cmd, values)
        assert raised.value.errno == errno


class TestMachine:
    def test_cpus(self, kernel: EmulatedKernel, remote: Remote) -> None:
        off: dict[str, Any] = {"cpu": 3, "online": 0}
        remote.do("cpu-set", off)
        online = [attrs(m)["online"] for m in remote.dump("cpu-get")]
        assert online == [1, 1, 1, 0]
        remote.do("cpu-set", {**off, "online": 1})
        assert kernel.cpus.online == (0, 1, 2, 3)

    def test_clock_and_accounting(self, kernel: EmulatedKernel, remote: Remote) -> None:
        remote.do(
            "machine-set",
            {"advance": 2_000_000_000, "delayacct": 0},
        )
        state = attrs(remote.do("machine-get"))
        assert (state["monotonic"], state["delayacct"]) == (102 * 10**9, 0)
        assert state["release"] == kernel.profile.release

    def test_what_is_late_arrives_as_time_passes(
        self, kernel: EmulatedKernel, remote: Remote
    ) -> None:
        remote.do("fault-new", {"rule": "delay seconds=2 kind=reply"})
        sock = kernel.connect()
        sock.send(get(1))
        kernel.wait_for_request(cmd="TASKSTATS_CMD_GET")
        remote.do("machine-set", {"advance": 1_999_999_999})
        assert waiting(sock) == []
        remote.do("machine-set", {"advance": 1})
        assert len(waiting(sock)) == 1

    def test_cgroups(self, kernel: EmulatedKernel, remote: Remote, tmp_path_factory: Any) -> None:
        directory = tmp_path_factory.mktemp("cgroup")
        identity = directory.stat()
        remote.do(
            "cgroup-new",
            {
                "cgroup": "jobs/nightly",
                "dev": identity.st_dev,
                "ino": identity.st_ino,
            },
        )
        member: dict[str, Any] = {
            "cgroup": "jobs/nightly",
            "pid": 1,
        }
        remote.do("cgroup-attach", member)
        sock = kernel.connect()
        fd = os.open(directory, os.O_RDONLY)
        try:
            sock.send(request(4, (1, fd.to_bytes(4, "little"))))
            reply = receive(sock).find("CGROUPSTATS_TYPE_CGROUP_STATS")
        finally:
            os.close(fd)
        assert reply is not None
        assert reply.value["nr_sleeping"] == 1
        with pytest.raises(ControlError, match="not empty"):
            remote.do("cgroup-del", {"cgroup": "jobs"})

    def test_reset(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect()
        sock.send(register("0-3"))
        assert receive(sock).error == 0
        leader = kernel.tasks.spawn("x", cpu=0)
        leader.thread()
        leader.exit_thread(reap=False)
        kernel.faults.drop()
        kernel.cpus.set_offline(3)
        kernel.cgroups.mkdir("jobs")
        remote.do("reset")
        assert (len(kernel.tasks), kernel.listeners, len(kernel.journal)) == (1, {}, 0)
        assert (kernel.faults.rules, kernel.cpus.online) == ([], (0, 1, 2, 3))
        assert len(waiting(sock)) == 1  # of the thread that ended, and of no other
        sock.send(get(1))
        assert stats_of(receive(sock))["ac_comm"] == "init"


class TestWatching:
    def test_listeners(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect(portid=9)
        sock.send(register("1-2"))
        assert receive(sock).error == 0
        assert [attrs(m) for m in remote.dump("listener-get")] == [
            {"portid": 9, "cpu": 1},
            {"portid": 9, "cpu": 2},
        ]

    def test_waiting_for_a_listener_that_comes(
        self, kernel: EmulatedKernel, remote: Remote
    ) -> None:
        sock = kernel.connect(portid=9)
        replies: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: replies.append(attrs(remote.wait({"cpu": 1}))))
        thread.start()
        sock.send(register("1"))
        thread.join()
        assert replies == [{"portid": 9}]

    def test_waiting_for_a_request_that_came(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect(portid=9)
        sock.send(get(1))
        receive(sock)
        wanted = "cmd=TASKSTATS_CMD_GET TASKSTATS_CMD_ATTR_PID=1"
        found = attrs(remote.wait({"request": wanted}))
        assert found["portid"] == 9
        assert kernel.journal.entries[found["number"] - 1].what == "sent"

    def test_waiting_in_vain(self, kernel: EmulatedKernel, remote: Remote) -> None:
        reply = attrs(remote.wait({"cpu": 1, "timeout": 10}))
        assert reply["timed_out"] is None
        assert reply["text"].startswith("no listener on CPU 1; registered anywhere: nobody")
        kernel.connect().send(get(5))
        kernel.wait_for_request(TASKSTATS_CMD_ATTR_PID=5)
        reply = attrs(
            remote.wait(
                {
                    "request": "TASKSTATS_CMD_ATTR_PID=6",
                    "timeout": 10,
                }
            )
        )
        assert "but TASKSTATS_CMD_ATTR_PID is 5" in reply["text"]

    def test_the_journal(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect(portid=9)
        sock.send(get(1))
        receive(sock)
        remote.do("journal-note", {"text": "and then"})
        entries = [attrs(m) for m in remote.dump("journal-get")]
        assert [e["what"] for e in entries] == ["opened", "bound", "sent", "queued", "note"]
        sent = entries[2]
        assert (sent["portid"], sent["pid"], sent["data"]) == (9, os.getpid(), get(1))
        assert "TASKSTATS_CMD_ATTR_PID 1" in sent["text"]
        assert '"cmd": "TASKSTATS_CMD_GET"' in sent["json"]
        since: dict[str, Any] = {
            "since": sent["number"],
            "request": "kind=reply",
        }
        assert [attrs(m)["what"] for m in remote.dump("journal-get", since)] == ["queued"]
        remote.do("journal-clear")
        assert remote.dump("journal-get") == []

    def test_the_journal_as_it_grows(self, kernel: EmulatedKernel, remote: Remote) -> None:
        events = remote.events()
        kernel.journal.note("one")
        kernel.tasks.spawn("x")
        texts = [attrs(next(events))["text"] for _ in range(2)]
        assert texts[0].endswith("one")
        assert "'x' started on CPU 0" in texts[1]

    def test_those_who_control_are_not_in_it(self, kernel: EmulatedKernel, remote: Remote) -> None:
        kernel.faults.drop(count=None)
        with Remote(kernel.path) as other:
            other.dump("task-get")
            other.do("journal-note", {"text": "only this"})
        assert [e.what for e in kernel.journal] == ["note"]
        assert kernel.faults.rules[0].seen == 0


class TestFaults:
    def test_rules(self, kernel: EmulatedKernel, remote: Remote) -> None:
        rule = "drop cmd=TASKSTATS_CMD_GET count=2"
        number = attrs(remote.do("fault-new", {"rule": rule}))["id"]
        sock = kernel.connect()
        sock.send(get(1))
        kernel.wait_until(lambda k: k.journal.faults())
        assert [attrs(m) for m in remote.dump("fault-get")] == [
            {"id": number, "rule": rule, "seen": 1, "applied": 1}
        ]
        remote.do("fault-del", {"id": number})
        assert remote.dump("fault-get") == []

    def test_release_and_overrun(self, kernel: EmulatedKernel, remote: Remote) -> None:
        remote.do("fault-new", {"rule": "delay seconds=9"})
        sock = kernel.connect(portid=9)
        sock.send(get(1))
        kernel.wait_until(lambda k: k.journal.faults())
        assert attrs(remote.do("fault-release")) == {"count": 1}
        assert len(waiting(sock)) == 1
        hit = attrs(remote.do("overrun", {"portid": 9}))
        assert hit == {"count": 1}
        assert len(kernel.journal.overruns()) == 1
