"""The handle: clients in reach, waiting for them, time, reset, errors that surface."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from helpers.interposed import needs_interposer
from helpers.messages import decode, get, receive, register, stats_of, waiting
from helpers.nets import SECONDS
from helpers.steps import lines_run_by

from netlink_emu.kernel.genetlink import GenlFamily
from netlink_emu.protocol.reading.pcapng import read_capture
from netlink_emu.testing import EmulatedKernel, EmulatorError, TimeIsUp
from netlink_emu.testing.errors import NotUsed
from netlink_emu.testing.files import JournalTorn

LISTENER = [sys.executable, str(Path(__file__).parents[1] / "helpers" / "listener.py")]
SCENARIO = """
[[task]]
comm = "cron"
pid = 300
timeline = [{ at = 1.5, exit = 2 }]
"""


class TestSockets:
    def test_an_exchange(self, kernel: EmulatedKernel) -> None:
        kernel.tasks.spawn("x", pid=42)
        sock = kernel.connect()
        sock.send(get(42, seq=7))
        reply = receive(sock)
        assert (reply.cmd, reply.header.nlmsg_seq) == ("TASKSTATS_CMD_NEW", 7)
        (request,) = kernel.journal.requests()
        assert (request.pid, request.portid) == (os.getpid(), reply.header.nlmsg_pid)

    def test_events_are_there_when_the_call_returns(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect(portid=9)
        sock.send(register("0-3"))
        assert receive(sock).error == 0
        assert kernel.wait_for_listener(range(4)) == [9]
        for cpu in range(4):
            kernel.tasks.spawn("x", cpu=cpu).exit()
            assert len(waiting(sock)) == 1

    def test_two_sockets_and_a_portid_that_is_taken(self, kernel: EmulatedKernel) -> None:
        kernel.connect(portid=9)
        with pytest.raises(OSError, match="EADDRINUSE"):
            kernel.connect(portid=9)
        other = kernel.connect()
        other.send(get(1))
        assert receive(other).header.nlmsg_pid == os.getpid()

    def test_a_closed_socket_is_pruned_at_the_next_event(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect()
        sock.send(register("0"))
        assert receive(sock).error == 0
        sock.close()
        kernel.wait_until(lambda k: any(e.what == "closed" for e in k.journal))
        assert kernel.listeners
        kernel.tasks.spawn("x", cpu=0).exit()
        assert not kernel.listeners
        assert len(kernel.journal.prunes()) == 1

    def test_a_plain_datagram_client(self, kernel: EmulatedKernel) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind("")
            sock.connect(str(kernel.path))
            sock.send(get(1))
            assert stats_of(receive(sock))["ac_comm"] == "init"

    def test_who_is_not_root(self) -> None:
        with EmulatedKernel("6.18", arch="x86_64", uid=1000) as kernel:
            sock = kernel.connect()
            sock.send(get(1))
            assert receive(sock).errno_name == "EPERM"
            assert kernel.journal.requests(errno="EPERM")


class TestKernels:
    @pytest.mark.parametrize(("release", "size"), [("2.6.35", 328), ("5.10", 352), ("7.2", 688)])
    def test_releases(self, release: str, size: int) -> None:
        with EmulatedKernel(release, arch="x86_64") as kernel:
            sock = kernel.connect()
            sock.send(get(1))
            message = receive(sock)
            stats = message.find("TASKSTATS_TYPE_STATS")
            assert stats is not None
            assert len(stats.payload) == size

    def test_tasks_to_begin_with(self) -> None:
        tasks: list[Any] = ["cron", {"comm": "sshd", "pid": 22, "utime": 1}]
        with EmulatedKernel(tasks=tasks) as kernel:
            assert [task.comm for task in kernel.tasks] == ["init", "cron", "sshd"]

    def test_any_task(self) -> None:
        with EmulatedKernel(tasks="any") as kernel:
            assert kernel.tasks.stats(12345)["ac_pid"] == 12345

    def test_the_hosts_tasks(self) -> None:
        with EmulatedKernel(tasks="host") as kernel:
            assert kernel.tasks.stats(os.getpid())["ac_pid"] == os.getpid()

    def test_tasks_of_another_kind(self) -> None:
        with pytest.raises(ValueError, match='a list, "any" or "host", not \'sshd\''):
            EmulatedKernel(tasks="sshd")

    def test_cpus_with_gaps(self) -> None:
        with EmulatedKernel(cpus=[0, 2, 300]) as kernel:
            assert kernel.cpus.possible == (0, 2, 300)
            kernel.tasks.spawn("x", cpu=300).exit()

    def test_a_family_of_ones_own(self, kernel: EmulatedKernel) -> None:
        family = kernel.register_family(GenlFamily("MINE", 1, ()))
        sock = kernel.connect()
        name = struct.pack("=HH", 9, 2) + b"MINE\0\0\0\0"
        sock.send(struct.pack("=IHHIIBBH", 32, 16, 1, 1, 0, 3, 1, 0) + name)
        attr = receive(sock).find("CTRL_ATTR_FAMILY_ID")
        assert attr is not None
        assert attr.value == family.id
        kernel.unregister_family(family)
        sock.send(struct.pack("=IHHIIBBH", 32, 16, 1, 1, 0, 3, 1, 0) + name)
        assert receive(sock).errno_name == "ENOENT"

    def test_ready_soon(self) -> None:
        """Each test has one: some 5,000 lines, which take half a millisecond."""
        EmulatedKernel().close()
        kernels: list[EmulatedKernel] = []
        lines = lines_run_by(lambda: kernels.append(EmulatedKernel(cpus=8, tasks=["a", "b"])))
        kernels[0].close()
        assert lines < 15_000


class TestTime:
    def test_it_stands_still(self, kernel: EmulatedKernel) -> None:
        now = kernel.now
        task = kernel.tasks.spawn("x")
        kernel.advance(2.5)
        assert kernel.now == now + 2.5
        assert task.stats()["ac_etime"] == 2_500_000

    def test_a_delayed_answer_comes_in_its_time(self, kernel: EmulatedKernel) -> None:
        kernel.faults.delay(3, cmd="TASKSTATS_CMD_GET")
        sock = kernel.connect()
        sock.send(get(1))
        kernel.wait_until(lambda k: k.journal.faults())
        kernel.advance(2.9)
        assert waiting(sock) == []
        kernel.advance(0.1)
        assert len(waiting(sock)) == 1

    def test_a_scenario(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect()
        sock.send(register("0-3"))
        assert receive(sock).error == 0
        kernel.play(SCENARIO, seconds=1)
        assert kernel.tasks[300].comm == "cron"
        assert waiting(sock) == []
        kernel.advance(1)
        (event,) = waiting(sock)
        assert stats_of(decode(event))["ac_exitcode"] == 2 << 8


class TestWaiting:
    def test_a_request_that_came_before_counts(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect()
        sock.send(get(1))
        receive(sock)
        assert kernel.wait_for_request(TASKSTATS_CMD_ATTR_PID=1).cmd == "TASKSTATS_CMD_GET"
        with pytest.raises(TimeIsUp):
            kernel.wait_for_request(since=kernel.journal.number, timeout=0.01)

    def test_a_request_that_comes_meanwhile(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect()
        mark = kernel.journal.number
        waits = threading.Event()

        def ask() -> None:
            waits.wait()
            sock.send(get(1))

        thread = threading.Thread(target=ask)
        thread.start()
        waits.set()
        assert kernel.wait_for_request(since=mark).attrs == {"TASKSTATS_CMD_ATTR_PID": 1}
        thread.join()

    def test_what_happened_instead(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect(portid=9)
        sock.send(register("0"))
        receive(sock)
        with pytest.raises(TimeIsUp) as raised:
            kernel.wait_for_listener(cpu=1, timeout=0.01)
        said = str(raised.value)
        assert "waited for a listener on CPU 1: nothing came within 0.01 s" in said
        assert "Registered are [9] for CPU 0." in said
        assert 'TASKSTATS_CMD_ATTR_REGISTER_CPUMASK "0"' in said
        with pytest.raises(TimeIsUp, match="TASKSTATS_CMD_ATTR_PID"):
            kernel.wait_for_request(TASKSTATS_CMD_ATTR_PID=5, timeout=0.01)

    def test_nothing_at_all(self, kernel: EmulatedKernel) -> None:
        with pytest.raises(TimeIsUp, match="no client has made a generic netlink socket"):
            kernel.wait_for_listener(timeout=0.01)

    def test_a_cpu_that_there_is_not(self, kernel: EmulatedKernel) -> None:
        with pytest.raises(ValueError, match="CPU 9 is not possible"):
            kernel.wait_for_listener(cpu=9)


class TestReset:
    def test_as_new(self, kernel: EmulatedKernel) -> None:
        path = kernel.path
        sock = kernel.connect()
        sock.send(register("0-3"))
        receive(sock)
        kernel.tasks.spawn("x", pid=300)
        kernel.faults.drop(count=None)
        kernel.cpus.set_offline(3)
        kernel.advance(5)
        kernel.reset()
        assert (len(kernel.tasks), kernel.listeners, len(kernel.journal)) == (1, {}, 0)
        assert (kernel.cpus.online, kernel.now, kernel.faults.rules) == ((0, 1, 2, 3), 100.0, [])
        assert kernel.path == path
        other = kernel.connect()
        other.send(get(1))
        assert stats_of(receive(other))["ac_comm"] == "init"

    def test_close_twice(self) -> None:
        kernel = EmulatedKernel()
        directory = kernel.path.parent
        kernel.close()
        kernel.close()
        assert not directory.exists()


class TestErrors:
    def test_a_mistake_in_the_kernel_is_raised_in_the_test(self) -> None:
        kernel = EmulatedKernel("6.18", arch="x86_64")
        sock = kernel.connect()
        assert kernel.kernel.taskstats is not None
        kernel.kernel.taskstats.listeners = None  # type: ignore[misc,assignment]
        sock.send(register("0"))
        assert sock.recv(100) == b""
        with pytest.raises(EmulatorError, match="netlink-emu itself failed: TypeError"):
            kernel.close()
        kernel.close()

    def test_and_ends_a_wait_for_a_client(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect()
        kernel.kernel.taskstats.listeners = None  # type: ignore[misc,union-attr]
        sock.send(register("0"))
        with pytest.raises(EmulatorError):
            kernel.wait_for_request(errno="EIO", timeout=SECONDS)


def test_the_journal_in_a_file(kernel: EmulatedKernel, tmp_path: Path) -> None:
    path = tmp_path / "exchange.pcapng"
    with kernel.journal_to(path):
        sock = kernel.connect()
        sock.send(get(1))
        receive(sock)
    assert [packet.to_kernel for packet in read_capture(path.read_bytes())] == [True, False]
    sock.send(get(1))
    receive(sock)
    assert len(list(read_capture(path.read_bytes()))) == 2


def test_a_journal_whose_disk_is_full(kernel: EmulatedKernel) -> None:
    """Clients have their answers; the journal says how far it came."""
    with (  # noqa: PT012 - what is raised at the end comes of what is done within
        pytest.raises(JournalTorn, match="/dev/full ends behind #0: No space left on device"),
        kernel.journal_to("/dev/full"),
    ):
        sock = kernel.connect()
        for _ in range(2):
            sock.send(get(1))
            assert receive(sock).cmd == "TASKSTATS_CMD_NEW"


@needs_interposer
class TestPrograms:
    def test_a_listener(self, kernel: EmulatedKernel) -> None:
        client = kernel.popen([*LISTENER, "0-3"])
        (portid,) = kernel.wait_for_listener(cpu=2)
        assert portid == client.pid
        assert client.read_until() == "registered\n"
        kernel.tasks.spawn("x", pid=4242, cpu=2).exit(3)
        assert client.read_until() == "pid 4242 code 3 version 16\n"
        (request,) = kernel.journal.requests(kind="request", family="TASKSTATS")
        assert request.pid == client.pid
        assert request.comm.startswith("python")

    def test_an_overrun(self, kernel: EmulatedKernel) -> None:
        client = kernel.popen(LISTENER)
        client.read_until(b"registered\n")
        kernel.faults.enobufs(kind="event", skip=1)
        kernel.tasks.storm(2, cpu=0)
        client.read_until(b"errno 105\n")
        assert len(kernel.journal.overruns()) == 1

    def test_how_it_ended(self, kernel: EmulatedKernel) -> None:
        done = kernel.run([sys.executable, "-c", "import sys; sys.exit(int(input()))"],
                          input="7\n", require_use=False)  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (7, "", "")

    def test_a_program_that_never_came(self, kernel: EmulatedKernel) -> None:
        with pytest.raises(NotUsed, match="made no generic netlink socket") as raised:
            kernel.run([sys.executable, "-c", "print('nothing to do')"])
        assert "stdout: nothing to do" in str(raised.value)

    def test_a_client_that_ended_is_not_waited_for(self, kernel: EmulatedKernel) -> None:
        kernel.popen([sys.executable, "-c", "import sys; sys.exit('no config')"])
        with pytest.raises(TimeIsUp, match="every client has ended") as raised:
            kernel.wait_for_listener(timeout=SECONDS)
        assert "stderr: no config" in str(raised.value)
        assert "(ended with code 1)" in str(raised.value)

    def test_text_and_bytes(self, kernel: EmulatedKernel) -> None:
        """run() and popen() agree: text, unless told not; what is read is as its separator."""
        code = "import sys; print(input()); print('\\xe9', flush=True, file=sys.stderr); input()"
        argv = [sys.executable, "-X", "utf8", "-c", code]
        for text, said, error in ((True, "a\n", "\xe9\n"), (False, b"a\n", b"\xc3\xa9\n")):
            client: Any = kernel.popen(argv, text=text, stdin=subprocess.PIPE)  # type: ignore[call-overload]  # text is either
            client.stdin.write(said)
            client.stdin.flush()
            assert client.read_until() == said
            assert client.read_stderr_until() == error
            client.stdin.write(said)
            client.stdin.close()
            client.wait()
            assert (client.stdout, client.stderr) == (said, error)
            done: Any = kernel.run(argv, text=text, input="a\nb\n", require_use=False)  # type: ignore[call-overload]  # text is either
            assert (done.stdout, done.stderr) == (said, error)

    def test_what_is_read_is_as_its_separator(self, kernel: EmulatedKernel) -> None:
        client = kernel.popen([sys.executable, "-c", "print('a\\nb\\nc')"])
        assert [client.read_until(b"\n"), client.read_until("\n"), client.read_until()] == [
            b"a\n", "b\n", "c\n",
        ]  # fmt: skip

    def test_output_that_does_not_come(self, kernel: EmulatedKernel) -> None:
        client = kernel.popen([sys.executable, "-c", "print('a')"])
        with pytest.raises(TimeIsUp, match="its output ended"):
            client.read_until(b"b")
        assert client.read_until() == "a\n"
        assert client.wait() == 0

    def test_one_that_does_not_end(self, kernel: EmulatedKernel) -> None:
        with pytest.raises(TimeIsUp, match=r"still runs after 0\.2 s"):
            kernel.run(LISTENER, timeout=0.2)
        assert all(client.wait() == -9 for client in kernel.clients)

    def test_one_that_is_not_there(self, kernel: EmulatedKernel) -> None:
        with pytest.raises(FileNotFoundError):
            kernel.popen(["/no/such/client"])

    def test_two_kernels_at_once(self) -> None:
        with EmulatedKernel("2.6.35") as old, EmulatedKernel("6.18") as new:
            for kernel in (old, new):
                kernel.popen(LISTENER)
                kernel.wait_for_listener(cpu=0)
                kernel.tasks.spawn("x", cpu=0).exit()
            said = [kernel.clients[0] for kernel in (old, new)]
            for client in said:
                client.read_until(b"registered\n")
            assert [client.read_until()[-3:] for client in said] == [" 7\n", "16\n"]

    def test_a_cgroup_by_its_descriptor(self, kernel: EmulatedKernel, tmp_path: Path) -> None:
        cgroup = kernel.cgroups.mkdir("jobs")
        cgroup.attach(kernel.tasks.spawn("a").set_state("running"))
        script = tmp_path / "cgroup.py"
        script.write_text(
            "import os, socket, struct, sys\n"
            "fd = os.open(sys.argv[1], os.O_RDONLY)\n"
            "sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)\n"
            "sock.send(struct.pack('=IHHIIBBHHHI', 28, 31, 1, 1, 0, 4, 1, 0, 8, 1, fd))\n"
            "print(struct.unpack_from('=5Q', sock.recv(4096), 24))\n"
        )
        done = kernel.run([sys.executable, script, cgroup.path])
        assert done.stdout == "(0, 1, 0, 0, 0)\n"

    def test_closing_the_kernel_ends_the_client(self) -> None:
        with EmulatedKernel() as kernel:
            client = kernel.popen(LISTENER)
            kernel.wait_for_listener()
        assert client.returncode == -9
        with pytest.raises(ProcessLookupError):
            os.kill(client.pid, 0)

    def test_input_is_a_pipe_if_asked_for(self, kernel: EmulatedKernel) -> None:
        client = kernel.popen([sys.executable, "-c", "print(input())"], stdin=subprocess.PIPE)
        client.stdin.write("hello\n")
        client.stdin.close()
        assert client.read_until() == "hello\n"


def test_wherever_temporary_files_are(tmp_path: Path) -> None:
    """A socket's name has 107 bytes at most, TMPDIR may have more."""
    long = tmp_path / ("x" * 120)
    long.mkdir()
    test = (
        "import os\n"
        "from netlink_emu.testing import EmulatedKernel\n"
        "with EmulatedKernel() as kernel, kernel.connect() as sock:\n"
        "    request = '1c000000100001000100000000000000030100000600010010000000'\n"
        "    sock.send(bytes.fromhex(request))\n"
        "    print(sock.recv(4096)[4], len(os.fsencode(kernel.path)) < 100)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", test], env=os.environ | {"TMPDIR": str(long)},
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("16 True\n", "")
    assert list(long.iterdir()) == []
