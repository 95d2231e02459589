"""NETLINK_EMU: whatever the handle does, a client in any language does over netlink."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from enum import IntEnum
from errno import EINVAL, EOPNOTSUPP, EPERM, ERANGE, ESRCH
from typing import Any

import pytest
from helpers.messages import decode, get, receive, register, request, stats_of, waiting

from netlink_emu.families.control.values import Value
from netlink_emu.protocol.ours.control import (
    NETLINK_EMU,
    OPS,
    NlemuAmount,
    NlemuCmd,
    NlemuFault,
    NlemuMachine,
    NlemuState,
    NlemuTask,
    NlemuWatch,
)
from netlink_emu.protocol.reading.decode import Message
from netlink_emu.testing import EmulatedKernel
from netlink_emu.testing.errors import ControlError
from netlink_emu.testing.remote import Remote

C, T, M, W, F = NlemuCmd, NlemuTask, NlemuMachine, NlemuWatch, NlemuFault


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", cpus=4, control=True) as kernel:
        yield kernel


@pytest.fixture
def remote(kernel: EmulatedKernel) -> Iterator[Remote]:
    with Remote(kernel.path) as remote:
        yield remote


def attrs(message: Message | None) -> dict[str, Any]:
    assert message is not None
    return {a.name.split("_", 3)[3].lower(): a.value for a in message.attrs}


class TestTasks:
    def test_spawn_charge_and_end(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect()
        sock.send(register("2"))
        assert receive(sock).error == 0
        reply = remote.do(
            C.NLEMU_CMD_TASK_NEW,
            {
                T.NLEMU_A_TASK_COMM: "postgres",
                T.NLEMU_A_TASK_PID: 4242,
                T.NLEMU_A_TASK_CPU: 2,
                T.NLEMU_A_TASK_UID: 26,
                T.NLEMU_A_TASK_NICE: -5,
                T.NLEMU_A_TASK_AMOUNTS: {NlemuAmount.NLEMU_A_AMOUNT_UTIME: 1_500_000_000},
            },
        )
        assert attrs(reply) == {
            "pid": 4242, "tgid": 4242, "ppid": 1, "comm": "postgres", "cpu": 2, "uid": 26,
            "gid": 0, "nice": 0xFFFFFFFB, "policy": 0, "state": 1,
        }  # fmt: skip
        remote.do(
            C.NLEMU_CMD_TASK_SET,
            {
                T.NLEMU_A_TASK_PID: 4242,
                T.NLEMU_A_TASK_AMOUNTS: {
                    NlemuAmount.NLEMU_A_AMOUNT_BLKIO_DELAY: 300_000_000,
                    NlemuAmount.NLEMU_A_AMOUNT_MIN_FLT: 7,
                },
            },
        )
        remote.do(C.NLEMU_CMD_TASK_END, {T.NLEMU_A_TASK_PID: 4242, T.NLEMU_A_TASK_CODE: 3})
        stats = stats_of(decode(waiting(sock)[0]))
        expected = {
            "ac_exitcode": 3 << 8, "ac_utime": 1_500_000, "blkio_delay_total": 300_000_000,
            "ac_minflt": 7, "ac_nice": 251, "ac_uid": 26,
        }  # fmt: skip
        assert {name: stats[name] for name in expected} == expected

    def test_every_amount_arrives_in_its_unit(
        self, kernel: EmulatedKernel, remote: Remote
    ) -> None:
        amounts: dict[IntEnum, int] = dict.fromkeys(NlemuAmount, 2048)
        values: dict[IntEnum, Value] = {
            T.NLEMU_A_TASK_PID: 9,
            T.NLEMU_A_TASK_COMM: "x",
            T.NLEMU_A_TASK_AMOUNTS: amounts,
        }
        remote.do(C.NLEMU_CMD_TASK_NEW, values)
        stats = kernel.tasks[9].stats()
        assert {stats[f"{name}_delay_total"] for name in ("cpu", "blkio", "irq", "wpcopy")} == {
            2048
        }
        members = ("ac_minflt", "ac_majflt", "nvcsw", "nivcsw", "read_char", "write_syscalls",
                   "cancelled_write_bytes", "hiwater_rss", "hiwater_vm")  # fmt: skip
        assert {stats[name] for name in members} == {2048}
        assert stats["cpu_run_real_total"] == 4096

    def test_threads_states_and_signals(self, kernel: EmulatedKernel, remote: Remote) -> None:
        remote.do(C.NLEMU_CMD_TASK_NEW, {T.NLEMU_A_TASK_PID: 10, T.NLEMU_A_TASK_COMM: "sh"})
        remote.do(C.NLEMU_CMD_TASK_NEW, {T.NLEMU_A_TASK_PID: 11, T.NLEMU_A_TASK_TGID: 10})
        remote.do(C.NLEMU_CMD_TASK_NEW, {T.NLEMU_A_TASK_PID: 12, T.NLEMU_A_TASK_PPID: 10})
        remote.do(
            C.NLEMU_CMD_TASK_SET,
            {
                T.NLEMU_A_TASK_PID: 12,
                T.NLEMU_A_TASK_CPU: 3,
                T.NLEMU_A_TASK_STATE: NlemuState.NETLINK_EMU_STATE_RUNNING,
                T.NLEMU_A_TASK_COMM: "ls",
            },
        )
        listed = {a["pid"]: a for a in map(attrs, remote.dump(C.NLEMU_CMD_TASK_GET))}
        assert listed[11]["tgid"] == 10
        assert (listed[12]["ppid"], listed[12]["comm"]) == (10, "ls")
        assert (listed[12]["cpu"], listed[12]["state"]) == (3, 0)
        remote.do(
            C.NLEMU_CMD_TASK_END,
            {T.NLEMU_A_TASK_PID: 11, T.NLEMU_A_TASK_ONE_THREAD: b""},
        )
        remote.do(
            C.NLEMU_CMD_TASK_END,
            {
                T.NLEMU_A_TASK_PID: 10,
                T.NLEMU_A_TASK_SIGNAL: 11,
                T.NLEMU_A_TASK_CORE: b"",
                T.NLEMU_A_TASK_ZOMBIE: b"",
            },
        )
        one = attrs(remote.do(C.NLEMU_CMD_TASK_GET, {T.NLEMU_A_TASK_PID: 10}))
        assert one["exit_status"] == 0x8B
        status = attrs(remote.do(C.NLEMU_CMD_TASK_REAP, {T.NLEMU_A_TASK_PID: 10}))
        assert status == {"exit_status": 0x8B}
        assert {task.pid for task in kernel.tasks} == {1, 12}

    def test_a_storm(self, kernel: EmulatedKernel, remote: Remote) -> None:
        reply = remote.do(
            C.NLEMU_CMD_TASK_STORM,
            {T.NLEMU_A_TASK_COUNT: 30, T.NLEMU_A_TASK_LIFETIME: 1_000_000},
        )
        assert attrs(reply) == {"count": 30}
        assert kernel.now == pytest.approx(100.03)

    @pytest.mark.parametrize(
        ("cmd", "values", "errno", "said"),
        [
            (C.NLEMU_CMD_TASK_GET, {T.NLEMU_A_TASK_PID: 77}, ESRCH, "there is no task 77"),
            (C.NLEMU_CMD_TASK_GET, {}, EINVAL, "NLEMU_A_TASK_PID is missing"),
            (C.NLEMU_CMD_TASK_NEW, {T.NLEMU_A_TASK_PID: 1}, EINVAL, "pid 1 is taken"),
            (C.NLEMU_CMD_TASK_NEW, {T.NLEMU_A_TASK_CPU: 9}, EINVAL, "CPU 9 is not possible"),
            (
                C.NLEMU_CMD_TASK_END,
                {T.NLEMU_A_TASK_PID: 1, T.NLEMU_A_TASK_CODE: 256},
                EINVAL,
                "an exit code is 0 to 255",
            ),
            (
                C.NLEMU_CMD_TASK_END,
                {T.NLEMU_A_TASK_PID: 1, T.NLEMU_A_TASK_SIGNAL: 65},
                EINVAL,
                "there is no signal 65",
            ),
            (C.NLEMU_CMD_TASK_GET, {T.NLEMU_A_TASK_CPU: 1}, EINVAL, "Unsupported attribute"),
            (C.NLEMU_CMD_CGROUP_DEL, {M.NLEMU_A_MACHINE_CGROUP: "a/b"}, ESRCH, "no cgroup a/b"),
            (C.NLEMU_CMD_FAULT_NEW, {F.NLEMU_A_FAULT_RULE: "explode"}, EINVAL, "no fault"),
            (C.NLEMU_CMD_FAULT_DEL, {F.NLEMU_A_FAULT_ID: 3}, ESRCH, "there is no rule 3"),
            (C.NLEMU_CMD_WAIT, {W.NLEMU_A_WATCH_CPU: 9}, EINVAL, "CPU 9 is not possible"),
            (C.NLEMU_CMD_WAIT, {W.NLEMU_A_WATCH_REQUEST: "x=1"}, EINVAL, "'x' is no criterion"),
        ],
    )
    def test_mistakes_are_told(
        self,
        remote: Remote,
        cmd: NlemuCmd,
        values: dict[Any, Value],
        errno: int,
        said: str,
    ) -> None:
        with pytest.raises(ControlError, match=said) as raised:
            remote.do(cmd, values)
        assert raised.value.errno == errno


class TestMachine:
    def test_cpus(self, kernel: EmulatedKernel, remote: Remote) -> None:
        off: dict[Any, Value] = {M.NLEMU_A_MACHINE_CPU: 3, M.NLEMU_A_MACHINE_ONLINE: 0}
        remote.do(C.NLEMU_CMD_CPU_SET, off)
        online = [attrs(m)["online"] for m in remote.dump(C.NLEMU_CMD_CPU_GET)]
        assert online == [1, 1, 1, 0]
        remote.do(C.NLEMU_CMD_CPU_SET, {**off, M.NLEMU_A_MACHINE_ONLINE: 1})
        assert kernel.cpus.online == (0, 1, 2, 3)

    def test_clock_and_accounting(self, kernel: EmulatedKernel, remote: Remote) -> None:
        remote.do(
            C.NLEMU_CMD_MACHINE_SET,
            {M.NLEMU_A_MACHINE_ADVANCE: 2_000_000_000, M.NLEMU_A_MACHINE_DELAYACCT: 0},
        )
        state = attrs(remote.do(C.NLEMU_CMD_MACHINE_GET))
        assert (state["monotonic"], state["delayacct"]) == (102 * 10**9, 0)
        assert state["release"] == kernel.profile.release

    def test_what_is_late_arrives_as_time_passes(
        self, kernel: EmulatedKernel, remote: Remote
    ) -> None:
        remote.do(C.NLEMU_CMD_FAULT_NEW, {F.NLEMU_A_FAULT_RULE: "delay seconds=2 kind=reply"})
        sock = kernel.connect()
        sock.send(get(1))
        kernel.wait_for_request(cmd="TASKSTATS_CMD_GET")
        remote.do(C.NLEMU_CMD_MACHINE_SET, {M.NLEMU_A_MACHINE_ADVANCE: 1_999_999_999})
        assert waiting(sock) == []
        remote.do(C.NLEMU_CMD_MACHINE_SET, {M.NLEMU_A_MACHINE_ADVANCE: 1})
        assert len(waiting(sock)) == 1

    def test_cgroups(self, kernel: EmulatedKernel, remote: Remote, tmp_path_factory: Any) -> None:
        directory = tmp_path_factory.mktemp("cgroup")
        identity = directory.stat()
        remote.do(
            C.NLEMU_CMD_CGROUP_NEW,
            {
                M.NLEMU_A_MACHINE_CGROUP: "jobs/nightly",
                M.NLEMU_A_MACHINE_DEV: identity.st_dev,
                M.NLEMU_A_MACHINE_INO: identity.st_ino,
            },
        )
        member: dict[Any, Value] = {
            M.NLEMU_A_MACHINE_CGROUP: "jobs/nightly",
            M.NLEMU_A_MACHINE_PID: 1,
        }
        remote.do(C.NLEMU_CMD_CGROUP_ATTACH, member)
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
            remote.do(C.NLEMU_CMD_CGROUP_DEL, {M.NLEMU_A_MACHINE_CGROUP: "jobs"})

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
        remote.do(C.NLEMU_CMD_RESET)
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
        assert [attrs(m) for m in remote.dump(C.NLEMU_CMD_LISTENER_GET)] == [
            {"portid": 9, "cpu": 1},
            {"portid": 9, "cpu": 2},
        ]

    def test_waiting_for_a_listener_that_comes(
        self, kernel: EmulatedKernel, remote: Remote
    ) -> None:
        sock = kernel.connect(portid=9)
        replies: list[dict[str, Any]] = []
        thread = threading.Thread(
            target=lambda: replies.append(attrs(remote.wait({W.NLEMU_A_WATCH_CPU: 1})))
        )
        thread.start()
        sock.send(register("1"))
        thread.join()
        assert replies == [{"portid": 9}]

    def test_waiting_for_a_request_that_came(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect(portid=9)
        sock.send(get(1))
        receive(sock)
        wanted = "cmd=TASKSTATS_CMD_GET TASKSTATS_CMD_ATTR_PID=1"
        found = attrs(remote.wait({W.NLEMU_A_WATCH_REQUEST: wanted}))
        assert found["portid"] == 9
        assert kernel.journal.entries[found["number"] - 1].what == "sent"

    def test_waiting_in_vain(self, kernel: EmulatedKernel, remote: Remote) -> None:
        reply = attrs(remote.wait({W.NLEMU_A_WATCH_CPU: 1, W.NLEMU_A_WATCH_TIMEOUT: 10}))
        assert reply["timed_out"] is None
        assert reply["text"].startswith("no listener on CPU 1; registered anywhere: nobody")
        kernel.connect().send(get(5))
        kernel.wait_for_request(TASKSTATS_CMD_ATTR_PID=5)
        reply = attrs(
            remote.wait(
                {
                    W.NLEMU_A_WATCH_REQUEST: "TASKSTATS_CMD_ATTR_PID=6",
                    W.NLEMU_A_WATCH_TIMEOUT: 10,
                }
            )
        )
        assert "but TASKSTATS_CMD_ATTR_PID is 5" in reply["text"]

    def test_the_journal(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect(portid=9)
        sock.send(get(1))
        receive(sock)
        remote.do(C.NLEMU_CMD_JOURNAL_NOTE, {W.NLEMU_A_WATCH_TEXT: "and then"})
        entries = [attrs(m) for m in remote.dump(C.NLEMU_CMD_JOURNAL_GET)]
        assert [e["what"] for e in entries] == ["opened", "bound", "sent", "queued", "note"]
        sent = entries[2]
        assert (sent["portid"], sent["pid"], sent["data"]) == (9, os.getpid(), get(1))
        assert "TASKSTATS_CMD_ATTR_PID 1" in sent["text"]
        assert '"cmd": "TASKSTATS_CMD_GET"' in sent["json"]
        since: dict[Any, Value] = {
            W.NLEMU_A_WATCH_SINCE: sent["number"],
            W.NLEMU_A_WATCH_REQUEST: "kind=reply",
        }
        assert [attrs(m)["what"] for m in remote.dump(C.NLEMU_CMD_JOURNAL_GET, since)] == [
            "queued"
        ]
        remote.do(C.NLEMU_CMD_JOURNAL_CLEAR)
        assert remote.dump(C.NLEMU_CMD_JOURNAL_GET) == []

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
            other.dump(C.NLEMU_CMD_TASK_GET)
            other.do(C.NLEMU_CMD_JOURNAL_NOTE, {W.NLEMU_A_WATCH_TEXT: "only this"})
        assert [e.what for e in kernel.journal] == ["note"]
        assert kernel.faults.rules[0].seen == 0


class TestFaults:
    def test_rules(self, kernel: EmulatedKernel, remote: Remote) -> None:
        rule = "drop cmd=TASKSTATS_CMD_GET count=2"
        number = attrs(remote.do(C.NLEMU_CMD_FAULT_NEW, {F.NLEMU_A_FAULT_RULE: rule}))["id"]
        sock = kernel.connect()
        sock.send(get(1))
        kernel.wait_until(lambda k: k.journal.faults())
        assert [attrs(m) for m in remote.dump(C.NLEMU_CMD_FAULT_GET)] == [
            {"id": number, "rule": rule, "seen": 1, "applied": 1}
        ]
        remote.do(C.NLEMU_CMD_FAULT_DEL, {F.NLEMU_A_FAULT_ID: number})
        assert remote.dump(C.NLEMU_CMD_FAULT_GET) == []

    def test_release_and_overrun(self, kernel: EmulatedKernel, remote: Remote) -> None:
        remote.do(C.NLEMU_CMD_FAULT_NEW, {F.NLEMU_A_FAULT_RULE: "delay seconds=9"})
        sock = kernel.connect(portid=9)
        sock.send(get(1))
        kernel.wait_until(lambda k: k.journal.faults())
        assert attrs(remote.do(C.NLEMU_CMD_FAULT_RELEASE)) == {"count": 1}
        assert len(waiting(sock)) == 1
        hit = attrs(remote.do(C.NLEMU_CMD_OVERRUN, {F.NLEMU_A_FAULT_PORTID: 9}))
        assert hit == {"count": 1}
        assert len(kernel.journal.overruns()) == 1


class TestPermission:
    def test_strangers_may_not(self) -> None:
        with EmulatedKernel(control=True, uid=12345) as kernel:
            with Remote(kernel.path) as remote, pytest.raises(ControlError) as raised:
                remote.dump(C.NLEMU_CMD_TASK_GET)
            assert raised.value.errno == EPERM

    def test_the_owner_may(self) -> None:
        with EmulatedKernel(control=True, uid=os.geteuid()) as kernel, Remote(kernel.path) as it:
            assert len(it.dump(C.NLEMU_CMD_TASK_GET)) == 1

    def test_without_control_there_is_no_such_family(self) -> None:
        with (
            EmulatedKernel() as kernel,
            pytest.raises(ControlError, match="was not started with --control"),
        ):
            Remote(kernel.path)

    def test_nobody_there(self, tmp_path: Any) -> None:
        with pytest.raises(ControlError, match=r"no server at .*: No such file or directory"):
            Remote(tmp_path / "none")


class TestDeclaration:
    def test_every_operation_is_there(self, kernel: EmulatedKernel, remote: Remote) -> None:
        for op in OPS:
            for flags, there in ((5, op.do is not None), (0x301, op.dump is not None)):
                sock = kernel.connect()
                sock.send(request(op.cmd, flags=flags, family=remote.family_id))
                answer = receive(sock)
                assert (answer.error == -EOPNOTSUPP) is not there, op.cmd.name
                sock.close()

    def test_policies_are_what_is_declared(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect()
        sock.send(
            request(C.NLEMU_CMD_TASK_GET, (T.NLEMU_A_TASK_PID, b"\1"), family=remote.family_id)
        )
        assert receive(sock).error in (-ERANGE, -EINVAL)

    def test_names_follow_the_specs_rules(self) -> None:
        for op in OPS:
            assert NETLINK_EMU.commands[op.cmd] == op.cmd.name
            assert op.doc.endswith(".")
            shown = (*(op.do or ()), *op.do_reply, *(op.dump or ()), *op.dump_reply, *op.event)
            assert all(op.attrs[member].name == member.name for member in shown)
            assert all(op.attrs[member].doc.endswith(".") for member in shown)
