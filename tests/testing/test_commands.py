"""The commands that decode messages and that control a kernel which is served."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from helpers.interposed import emulated, needs_interposer, netlink_emu
from helpers.messages import get, receive, register
from helpers.nets import SECONDS
from typer.testing import CliRunner

from netlink_emu.cli import decode as decode_module
from netlink_emu.cli import faults, journal, tasks
from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.usage.declare import Group, group_as_typer
from netlink_emu.cli.usage.examples import epilog
from netlink_emu.faults import FAULTS
from netlink_emu.testing import EmulatedKernel

Command = Callable[..., str]
GETFAMILY = "2400000010000100010000000000000003010000" + "0e000200" + b"TASKSTATS\0\0\0".hex()


class Failed(Exception):
    """The command ended with a status other than 0."""


def invoke(app: typer.Typer | Group, *args: str, input: str | bytes | None = None) -> str:
    if isinstance(app, Group):
        app = group_as_typer(app, epilog)
    result = CliRunner().invoke(app, [str(arg) for arg in args], input=input)
    if isinstance(result.exception, UserError):
        raise result.exception
    if result.exit_code:
        raise Failed(f"{result.exit_code}: {result.output}") from result.exception
    return result.stdout


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", cpus=4, control=True) as kernel:
        yield kernel


@pytest.fixture
def path(kernel: EmulatedKernel) -> str:
    return str(kernel.path)


class TestTasks:
    @pytest.fixture
    def run(self, path: str) -> Command:
        return lambda *args: invoke(tasks.app, *args, "--socket", path)

    def test_a_life(self, kernel: EmulatedKernel, run: Command) -> None:
        sock = kernel.connect()
        sock.send(register("0-3"))
        assert receive(sock).error == 0
        said = run("spawn", "postgres", "--pid", "4242", "--cpu", "2", "--nice=-5", "utime=1.5")
        assert said == "4242\n"
        run("charge", "4242", "blkio_delay=0.25", "min_flt=3")
        run("set", "4242", "--cpu", "1", "--state", "running")
        assert run("list").splitlines() == [
            " pid  tgid  ppid  cpu  uid  nice  state     comm",
            "   1     1     0    0    0     0  sleeping  init",
            "4242  4242     1    1    0    -5  running   postgres",
        ]
        stats = kernel.tasks[4242].stats()
        assert (stats["ac_utime"], stats["blkio_delay_total"]) == (1_500_000, 250_000_000)
        run("exit", "4242", "--code", "3", "--zombie")
        zombie = json.loads(run("list", "--json").splitlines()[1])
        assert (zombie["state"], zombie["exit_status"]) == ("zombie", 768)
        assert run("reap", "4242") == "768\n"
        assert receive(sock).find("TASKSTATS_TYPE_PID") is not None

    def test_threads_signals_storms(self, kernel: EmulatedKernel, run: Command) -> None:
        run("spawn", "sh", "--pid", "10")
        run("spawn", "io", "--pid", "11", "--thread-of", "10")
        run("spawn", "ls", "--pid", "12", "--parent", "10", "--uid", "7", "--policy", "idle")
        assert kernel.tasks[11].tgid == 10
        run("exit", "11", "--one-thread")
        run("kill", "10", "-s", "SEGV", "--core")
        run("set", "12", "--exec", "cat")
        assert [task.comm for task in kernel.tasks] == ["init", "cat"]
        run("storm", "20", "--cpu", "3", "--code", "1")
        run("advance", "2.5")
        assert kernel.now == 102.5
        run("reset")
        assert len(kernel.tasks) == 1

    def test_a_name_that_is_no_text_for_a_terminal(
        self, kernel: EmulatedKernel, run: Command
    ) -> None:
        kernel.tasks.spawn("\x1b[31mA\n#9", pid=9)
        assert run("list").splitlines()[2].endswith("  \\x1b[31mA\\n#9")
        assert json.loads(run("list", "--json").splitlines()[1])["comm"] == "\x1b[31mA\n#9"

    def test_cpus(self, run: Command) -> None:
        assert run("cpus", "--down", "3").splitlines() == [
            "cpu  online", "  0       1", "  1       1", "  2       1", "  3       0",
        ]  # fmt: skip
        assert "  3       1" in run("cpus", "--up", "3")

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (["spawn", "x", "--pid", "1"], "pid 1 is taken"),
            (["spawn", "x", "utime"], "'utime' is not an amount"),
            (["charge", "1", "utime=long"], "utime is 'long', which is not a number"),
            (["spawn", "x", "--policy", "fair"], "no policy 'fair'; there are other, fifo"),
            (["set", "1", "--state", "dead"], "there is no state 'dead'; there are running"),
            (["kill", "1", "-s", "SIGNOPE"], "there is no signal SIGNOPE"),
            (["exit", "77"], "there is no task 77"),
        ],
    )
    def test_mistakes(self, run: Command, args: list[str], said: str) -> None:
        with pytest.raises(UserError, match=said):
            run(*args)


class TestFaults:
    @pytest.fixture
    def run(self, path: str) -> Command:
        return lambda *args: invoke(faults.app, *args, "--socket", path)

    def test_rules(self, kernel: EmulatedKernel, run: Command) -> None:
        assert run("add", "delay", "seconds=9", "cmd=TASKSTATS_CMD_GET") == "1\n"
        assert run("add", "drop", "kind=event", "count=always") == "2\n"
        sock = kernel.connect(portid=9)
        sock.send(get(1))
        kernel.wait_until(lambda k: k.journal.faults())
        assert run("list").splitlines() == [
            "id  seen  applied  rule",
            " 1     1        1  delay seconds=9.0 cmd=TASKSTATS_CMD_GET",
            " 2     0        0  drop kind=event count=always",
        ]
        assert run("release") == "1\n"
        run("remove", "2")
        run("clear")
        assert kernel.faults.rules == []
        assert run("enobufs", "--portid", "9") == "1\n"
        assert run("enobufs", "--comm", "nobody") == "0\n"

    def test_kinds(self) -> None:
        listed = invoke(faults.app, "kinds")
        assert all(f"\n{name}" in f"\n{listed}" for name in FAULTS)
        one = invoke(faults.app, "kinds", "unaligned")
        assert one.startswith("unaligned by=1\n    The last message's nlmsg_len grows")
        with pytest.raises(UserError, match="there is no fault 'boom'; there are drop"):
            invoke(faults.app, "kinds", "boom")

    def test_a_mistake(self, run: Command) -> None:
        with pytest.raises(UserError, match="did you mean TASKSTATS_CMD_GET"):
            run("add", "drop", "cmd=TASKSTATS_CMD_GEET")


class TestJournal:
    @pytest.fixture
    def run(self, path: str) -> Command:
        return lambda *args: invoke(journal.app, *args, "--socket", path)

    def test_show(self, kernel: EmulatedKernel, run: Command) -> None:
        sock = kernel.connect(portid=9)
        sock.send(get(1))
        receive(sock)
        run("note", "that was it")
        text = run("show")
        assert "TASKSTATS TASKSTATS_CMD_GET REQUEST" in text
        assert text.endswith("that was it\n")
        found = [json.loads(line) for line in run("show", "--json", "kind=request").splitlines()]
        assert [entry["what"] for entry in found] == ["sent"]
        run("clear")
        assert run("show") == ""

    def test_wait(self, kernel: EmulatedKernel, run: Command) -> None:
        sock = kernel.connect(portid=9)
        sock.send(register("2"))
        assert run("wait", "--cpu", "2") == "9\n"
        assert run("wait", "cmd=TASKSTATS_CMD_GET") == "9\n"
        assert run("listeners").splitlines() == ["cpu  portid", "  2       9"]

    def test_wait_in_vain(self, run: Command) -> None:
        with pytest.raises(Failed, match=r"124: no listener on CPU 2; registered anywhere"):
            run("wait", "--cpu", "2", "--timeout", "0.01")
        with pytest.raises(UserError, match="not both"):
            run("wait", "--cpu", "2", "cmd=TASKSTATS_CMD_GET")

    def test_follow(
        self, kernel: EmulatedKernel, path: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        follow = journal.app.commands["follow"]
        thread = threading.Thread(target=follow, kwargs={"socket": Path(path)})
        thread.start()
        family = kernel.kernel.genl.by_name("NETLINK_EMU")
        assert family is not None

        def is_followed(_kernel: EmulatedKernel) -> bool:
            kernel.journal.note("looking")  # so that there is a next look
            net = kernel.kernel.machine.init_net
            return kernel.kernel.netlink.has_listeners(net, 16, family.mcgrp_offset)

        kernel.wait_until(is_followed)
        kernel.journal.note("here it is")
        kernel.close()
        thread.join(SECONDS)
        assert not thread.is_alive()
        out, err = capsys.readouterr()
        assert "here it is" in out
        assert err == "netlink-emu: the kernel has ended, and its journal with it\n"


def app_of(function: Callable[..., None]) -> typer.Typer:
    app = typer.Typer()
    app.command()(function)
    return app


class TestDecode:
    app = app_of(decode_module.decode)

    def test_hex_on_the_command_line(self) -> None:
        assert invoke(self.app, GETFAMILY).splitlines() == [
            "nlctrl CTRL_CMD_GETFAMILY REQUEST seq 1 pid 0",
            '  CTRL_ATTR_FAMILY_NAME "TASKSTATS"',
        ]

    @pytest.mark.parametrize(
        "text",
        [
            GETFAMILY,
            " ".join(GETFAMILY[i : i + 8] for i in range(0, 72, 8)),
            "\n".join(GETFAMILY[i : i + 8] for i in range(0, 72, 8)) + "  # a comment",
            'sendto(3, "' + "".join(f"\\x{GETFAMILY[i : i + 2]}" for i in range(0, 72, 2)) + '")',
            "0x24, 0x00, 0x00, 0x00, " + GETFAMILY[8:],
        ],
        ids=["plain", "words", "lines", "strace", "C"],
    )
    def test_hex_in_many_hands(self, text: str) -> None:
        assert "CTRL_CMD_GETFAMILY" in invoke(self.app, input=text)

    @pytest.mark.parametrize("tool", [["xxd"], ["hexdump", "-C"]])
    def test_what_dumpers_print(self, tool: list[str]) -> None:
        if shutil.which(tool[0]) is None:
            pytest.skip(f"no {tool[0]}")
        dumped = subprocess.run(
            tool, input=bytes.fromhex(GETFAMILY), capture_output=True, check=True
        )
        assert "TASKSTATS" in invoke(self.app, input=dumped.stdout)

    def test_several_datagrams(self) -> None:
        said = invoke(self.app, input=f"{GETFAMILY}\n\n{GETFAMILY}\n")
        assert said.count("CTRL_CMD_GETFAMILY") == 2

    def test_a_capture_and_a_file_of_hex(self, kernel: EmulatedKernel, tmp_path: Path) -> None:
        with kernel.journal_to(tmp_path / "x.pcapng"):
            sock = kernel.connect(portid=9)
            sock.send(get(4711))
            receive(sock)
        text = invoke(self.app, str(tmp_path / "x.pcapng"))
        assert "> TASKSTATS TASKSTATS_CMD_GET REQUEST seq 1 pid 0\n" in text
        assert "< NLMSG_ERROR ESRCH seq 1 pid 9\n" in text
        loaded = [
            json.loads(line)
            for line in invoke(self.app, "--json", str(tmp_path / "x.pcapng")).splitlines()
        ]
        assert [entry["to_kernel"] for entry in loaded] == [True, False]
        (tmp_path / "hex").write_text(GETFAMILY)
        assert "TASKSTATS" in invoke(self.app, str(tmp_path / "hex"))

    def test_families_and_byte_order(self) -> None:
        said = invoke(self.app, "--family", "TASKSTATS=34", get(1).hex().replace("1f00", "2200"))
        assert "TASKSTATS_CMD_ATTR_PID 1" in said
        swapped = "00000014001000010000000100000000" + "03010000"
        assert "GETFAMILY" in invoke(self.app, "--big-endian", swapped)

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (["/no/such/file"], "is neither a file nor hex"),
            (["--family", "X", "00000000"], "--family takes NAME=ID"),
            (["000000000"], "line 1 is not hex"),
        ],
    )
    def test_mistakes(self, args: list[str], said: str) -> None:
        with pytest.raises(UserError, match=said):
            invoke(self.app, *args)


@needs_interposer
class TestRun:
    """The options of ``run``; those of ``serve`` are the same code."""

    CLIENT = ("genl", "ctrl", "get", "name", "TASKSTATS")

    @pytest.fixture(autouse=True)
    def _genl(self) -> None:
        if shutil.which("genl") is None:
            pytest.skip("no genl(8)")

    def test_a_journal_in_each_form(self, tmp_path: Path) -> None:
        for name in ("text", "x.jsonl", "x.pcapng"):
            done = emulated(*self.CLIENT, options=["--journal", str(tmp_path / name)])
            assert (done.returncode, done.stderr) == (0, "")
        assert "CTRL_CMD_GETFAMILY" in (tmp_path / "text").read_text()
        entries = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
        assert [e["comm"] for e in entries if e["what"] == "sent"] == ["genl"]
        assert "CTRL_CMD_GETFAMILY" in invoke(TestDecode.app, str(tmp_path / "x.pcapng"))

    def test_a_fault(self) -> None:
        done = emulated(
            *self.CLIENT, options=["--fault", "errno error=EPERM cmd=CTRL_CMD_GETFAMILY"]
        )
        assert "Operation not permitted" in done.stderr

    def test_a_delay_in_real_time(self) -> None:
        done = emulated(
            *self.CLIENT, options=["--fault", "delay seconds=0.05 cmd=CTRL_CMD_GETFAMILY count=2"]
        )
        assert (done.returncode, "TASKSTATS" in done.stdout) == (0, True)

    def test_mistakes(self, tmp_path: Path) -> None:
        done = emulated("true", options=["--fault", "drop cmd=X"])
        assert done.stderr.startswith("netlink-emu: --fault: there is no command 'X'")
        done = emulated("true", options=["--journal", str(tmp_path / "no" / "such")])
        assert "cannot be written: No such file or directory" in done.stderr

    def test_a_shell_script_controls_its_kernel(self, tmp_path: Path) -> None:
        script = tmp_path / "suite.sh"
        script.write_text(
            'set -e\nN="$1 -m netlink_emu.cli.main"\n'
            "$N tasks spawn postgres --pid 4242\n"
            "$N tasks list\n"
            "$N faults add drop cmd=TASKSTATS_CMD_GET\n"
            "genl ctrl get name NETLINK_EMU | head -2\n"
        )
        done = emulated("sh", script, sys.executable, options=["--control", "--tasks", "none"])
        assert done.stderr == ""
        lines = done.stdout.splitlines()
        assert lines[0] == "4242"
        assert lines[3].endswith("postgres")
        assert "Name: NETLINK_EMU" in done.stdout

    def test_without_control(self) -> None:
        done = emulated("sh", "-c", 'exec "$0" -m netlink_emu.cli.main tasks list', "python3")
        assert done.returncode
        done = netlink_emu("tasks", "list", "--socket", "/no/such/socket")
        assert (
            done.stderr == "netlink-emu: no server at /no/such/socket: No such file or directory\n"
        )
