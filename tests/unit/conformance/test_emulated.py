"""What the emulated tasks and sockets of a case do, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Case, Datagram, Outcome, Step
from netlink_emu.conformance.cases.masked import MaskedBytes, Symbol
from netlink_emu.conformance.cases.structure import event_of, event_pid, stats_blocks
from netlink_emu.conformance.targets.emulated.session import EmulatedSession
from netlink_emu.conformance.targets.emulator import EmulatorTarget
from netlink_emu.conformance.targets.target import About
from netlink_emu.families import boot
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.format import LITTLE, ByteOrder
from netlink_emu.protocol.genetlink import GENL_ID_CTRL, GENLMSGHDR, CtrlAttr, CtrlCmd, GenlMsgHdr
from netlink_emu.protocol.netlink import NLMSG_HDRLEN, NLMSGHDR, NlMsgHdr
from netlink_emu.protocol.taskstats import (
    TASKSTATS_CMD_ATTR_PID,
    TASKSTATS_CMD_ATTR_REGISTER_CPUMASK,
    TASKSTATS_CMD_GET,
)

_FAMILY = 0x1F
_CLOEXEC, _COMPAT = 0x40000000, 0x80000000


def request(order: ByteOrder, attr: int, payload: bytes) -> MaskedBytes:
    attributes = AttrWriter(order)
    attributes.put(attr, payload)
    body = GENLMSGHDR[order].encode(GenlMsgHdr(TASKSTATS_CMD_GET, 1, 0)) + bytes(attributes.data)
    header = NlMsgHdr(NLMSG_HDRLEN + len(body), _FAMILY, 1, 7, 0)
    return MaskedBytes(NLMSGHDR[order].encode(header) + body)


class Run:
    """A session to which steps are given one by one."""

    def __init__(self, release: str = "6.18", arch: str = "x86_64") -> None:
        profile = profile_for(release, arch=arch)
        self.order = profile.arch.order
        self.session = EmulatedSession(boot(Machine(cpus=2), profile))

    def __call__(self, op: ops.Op, task: str | None = None) -> Outcome:
        return self.session.execute(Step(op, task=task))

    def listen(self, sock: str, portid: int, cpus: bytes) -> None:
        self(ops.Socket(sock=sock))
        self(ops.Bind(sock=sock, pid=portid))
        self.send(sock, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, cpus + b"\0")

    def send(self, sock: str, attr: int, payload: bytes) -> None:
        sent = self(ops.Send(sock=sock, payload=request(self.order, attr, payload)))
        assert sent.error is None

    def ends(self, task: str, cpu: int) -> None:
        self(ops.Spawn(cpu=cpu), task)
        self(ops.Exit(code=0), task)

    def event(self, task: str) -> bytes:
        """The one event that there is when a task ends."""
        self.ends(task, 0)
        (datagram,) = self(ops.Recv(sock="a")).datagrams or ()
        return datagram.payload.data


class TestEpoll:
    @pytest.fixture
    def run(self) -> Run:
        run = Run()
        for sock, portid, cpus in (("a", 100, b"0"), ("b", 101, b"1")):
            run.listen(sock, portid, cpus)
        run(ops.EpollWatch(socks=["a", "b"]))
        return run

    def order(self, run: Run) -> Any:
        return run(ops.EpollOrder()).result

    def test_the_order_is_that_of_the_data(self, run: Run) -> None:
        run.ends("c1", 1)
        run.ends("c2", 0)
        assert self.order(run) == ["b", "a"]
        assert self.order(run) == []  # edge-triggered: nothing new

    def test_a_socket_without_data_is_not_ready(self, run: Run) -> None:
        run.ends("c1", 1)
        run.ends("c2", 0)
        run(ops.Recv(sock="b"))
        assert self.order(run) == ["a"]

    def test_a_socket_that_was_closed(self, run: Run) -> None:
        run.ends("c1", 1)
        run(ops.Close(sock="b"))
        assert self.order(run) == []

    def test_an_error_makes_ready(self, run: Run) -> None:
        run(ops.SetSockOpt(sock="a", level=1, opt=8, value=0))
        for number in range(9):
            run.ends(f"c{number}", 0)
        while not run(ops.Recv(sock="a", n=1)).error:
            pass
        run.ends("d1", 0)
        assert self.order(run) == ["a"]


class TestFlags:
    def received(self, flags: int, **others: Any) -> Outcome:
        run = Run()
        run(ops.Socket(sock="a"))
        run.send("a", TASKSTATS_CMD_ATTR_PID, (99).to_bytes(4, "little"))
        return run(ops.Recv(sock="a", n=1, flags=flags, **others))

    def test_close_on_exec_is_echoed(self) -> None:
        (datagram,) = self.received(_CLOEXEC).datagrams or ()
        assert datagram.msg_flags == "CMSG_CLOEXEC"
        (datagram,) = self.received(_CLOEXEC, bufsize=10).datagrams or ()
        assert datagram.msg_flags == "TRUNC|CMSG_CLOEXEC"

    def test_others_are_not(self) -> None:
        (datagram,) = self.received(0x2140).datagrams or ()  # ERRQUEUE, WAITALL, DONTWAIT
        assert datagram.msg_flags == "0"

    def test_the_kernels_own_flag_is_refused(self) -> None:
        assert self.received(_COMPAT).error == "EINVAL"
        for via in ("read", "readv", "recv", "recvfrom"):  # read has none, recv does not look
            assert self.received(_COMPAT, via=via).error is None

    def test_what_a_call_does_not_tell_is_not_told(self) -> None:
        for via in ("read", "readv", "recv", "recvfrom"):
            (datagram,) = self.received(0x20, via=via, bufsize=10).datagrams or ()
            assert (datagram.msg_flags, datagram.cmsgs) == (None, None)
            assert datagram.sender == ((0, 0) if via == "recvfrom" else None)
            whole = (datagram.returned_length or 0) > 10
            assert whole == (via in ("recv", "recvfrom"))  # MSG_TRUNC

    def test_a_read_of_nothing_takes_nothing(self) -> None:
        for via in ("read", "readv"):
            outcome = self.received(0, via=via, bufsize=0)
            assert [d.payload.data for d in outcome.datagrams or ()] == [b""]
        (datagram,) = self.received(0, via="recv", bufsize=0).datagrams or ()
        assert datagram.payload.data == b""


def test_a_task_cannot_go_to_a_cpu_that_is_not_there() -> None:
    run = Run()
    run(ops.Spawn(cpu=0), "c1")
    assert run(ops.SetCpu(cpu=1), "c1").error is None
    assert run(ops.SetCpu(cpu=2), "c1").error == "EINVAL"
    assert run.session.task("c1").cpu == 1


def test_a_comm_may_be_empty() -> None:
    run = Run()
    run(ops.Spawn(comm=""), "c1")
    run(ops.Thread(thread="c1t", comm=""), "c1")
    run(ops.Spawn(), "c2")
    comms = [run.session.task(name).comm for name in ("c1", "c1t", "c2")]
    assert comms == [b"", b"", b"orc-c2"]


@pytest.mark.parametrize("arch", ["x86_64", "riscv64", "s390x", "sparc64"])
def test_whose_stats_they_are(arch: str) -> None:
    """Also behind the padding of machines that align, and in either byte order."""
    run = Run(arch=arch)
    run.listen("a", 100, b"0")
    data = run.event("c1")
    pid = run.session.task("c1").pid
    (block,) = stats_blocks(data, run.order)
    assert (block.id, block.group) == (pid, False)
    assert block.layout.codec(run.order).decode(data, block.offset)["ac_pid"] == pid
    assert event_of(data, _FAMILY, run.order) == block
    assert event_pid(data, _FAMILY, run.order) == pid
    assert event_pid(data[:40], _FAMILY, run.order) == pid  # cut off behind it
    assert event_pid(data, _FAMILY + 1, run.order) is None


@pytest.mark.parametrize(("release", "status"), [("5.19", 5 << 8), ("6.0", 6 << 8)])
def test_the_status_of_a_process_whose_leader_ended_first(release: str, status: int) -> None:
    run = Run(release)
    run(ops.Spawn(), "c1")
    run(ops.Thread(thread="c1t"), "c1")
    run(ops.Exit(how="exit_thread", code=5), "c1")
    run(ops.Exit(how="exit_thread", code=6, thread="c1t"), "c1")
    assert run(ops.Reap(), "c1").result == {"wait_status": status}


def test_a_foreign_family_may_have_our_number() -> None:
    """Recorded with another configuration than the emulated one, its number is given anew."""
    attributes = AttrWriter()
    attributes.put_string(CtrlAttr.CTRL_ATTR_FAMILY_NAME, "them")
    attributes.put_u16(CtrlAttr.CTRL_ATTR_FAMILY_ID, _FAMILY)
    body = GENLMSGHDR[LITTLE].encode(GenlMsgHdr(CtrlCmd.CTRL_CMD_NEWFAMILY, 2, 0))
    body += bytes(attributes.data)
    header = NlMsgHdr(NLMSG_HDRLEN + len(body), GENL_ID_CTRL, 2, 1, 0)
    data = NLMSGHDR[LITTLE].encode(header) + body
    told = Outcome(datagrams=(Datagram(MaskedBytes(data)),))
    case = Case("dump", "", "t", (Step(ops.Recv(sock="a"), told),))
    with EmulatorTarget().session(case) as session:
        ours = session.value_of(Symbol("FAMILY_ID", "TASKSTATS"), About("main"))
        theirs = session.value_of(Symbol("FAMILY_ID", "them"), About("main"))
    assert ours == _FAMILY
    assert theirs not in (None, _FAMILY)
