"""Whatever is asked wrongly: one sentence, the documented exit status, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from helpers.steps import lines_run_by

from netlink_emu.cli import main as root
from netlink_emu.testing import EmulatedKernel

USER: Final = 1
USAGE: Final = 2
LONG: Final = "x" * 200
LAMPS: Final = """\
name: lamps
attribute-sets: [{name: lamp, attributes: [{name: id, type: u32}]}]
operations: {list: [{name: get, attribute-set: lamp, do: {request: {attributes: [id]}}}]}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one of each that can be in the way."""
    (tmp_path / "dir").mkdir()
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "file").write_text("text\n")
    (tmp_path / "journal.jsonl").write_text('{"number":1}\n')
    (tmp_path / "empty.toml").touch()
    (tmp_path / "lamps.yaml").write_text(LAMPS)
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NETLINK_EMU_SOCKET", raising=False)
    return tmp_path


def call(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Exit status and standard error of the command line, in this process."""
    monkeypatch.setattr(sys, "argv", ["netlink-emu", *args])
    with pytest.raises(SystemExit) as ended:
        root.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().err


def check(status: int, err: str, expected: int, said: str) -> None:
    assert "Traceback" not in err
    assert (status, said in err) == (expected, True), err
    last = err.splitlines()[-1]
    assert err.endswith(f"{last}\n")
    if status == USAGE:
        assert last.startswith("Error: ")
    else:
        assert err == last + "\n", "one line"
        assert last.startswith("netlink-emu: ")
        assert not last.endswith((".", "None"))


# (exit status, what stderr has, the arguments)
WRONG: Final[list[tuple[int, str, list[str]]]] = [
    (USAGE, "No such command 'nosuch'", ["nosuch"]),
    (USAGE, "No such option: --nosuch", ["--nosuch"]),
    (USAGE, "Missing argument 'FILE|-'", ["ctl"]),
    (USAGE, "Missing argument 'FILE'", ["replay"]),
    (USAGE, "Missing argument 'COMMAND...'", ["replay", "nosuch.cassette"]),
    (USAGE, "Missing argument 'FILE'", ["family", "show"]),
    (USER, "nosuch.yaml cannot be read", ["family", "show", "nosuch.yaml"]),
    (USER, "file:1:1: not a mapping", ["family", "show", "file"]),
    (USAGE, "Missing argument 'FILE...'", ["family", "check"]),
    (USAGE, "Missing argument 'OPERATION'", ["family", "call", "lamps.yaml"]),
    (USAGE, "Missing argument 'FILE...'", ["family", "dissector"]),
    (USER, "nosuch.yaml cannot be read", ["family", "dissector", "nosuch.yaml"]),
    (USER, "file:1:1: not a mapping", ["family", "dissector", "file"]),
    (USER, "there is no operation of lamps 'egt'", ["family", "call", "lamps.yaml", "egt"]),
    (USER, "the request is no JSON", ["family", "call", "lamps.yaml", "get", "{"]),
    (USER, "by name, not as 3", ["family", "call", "lamps.yaml", "get", "3"]),
    (USER, "no server", ["family", "call", "lamps.yaml", "get", "--socket", "nosuch"]),
    (USER, "nosuch: ", ["family", "record", "nosuch"]),
    (USER, "nosuch.yaml cannot be read", ["run", "--family", "nosuch.yaml", "--", "true"]),
    (USER, "empty.toml:1:1: not a mapping", ["run", "--family", "empty.toml", "--", "true"]),
    (USER, "cannot be used with --connect", ["run", "--connect", "x", "--family", "a", "true"]),
    (USER, "a cannot be read", ["serve", "--socket", "private/s", "--family", "a"]),
    (USAGE, "Missing argument 'COMMAND...'", ["record"]),
    (USER, "there is no netlink protocol wifi", ["record", "--protocol", "wifi", "--", "true"]),
    (USER, "--redact is FAMILY.ATTRIBUTE", ["record", "--redact", "KEY", "--", "true"]),
    (USER, "there is no folder nosuch", ["record", "-o", "nosuch/x", "--", "true"]),
    (USER, "dir is a folder", ["record", "-o", "dir", "--", "true"]),
    (USER, "file:1:1: not a mapping", ["record", "-o", "file", "--append", "--", "true"]),
    (USER, "which command?", ["replay", "nosuch.cassette", "--"]),
    (USER, "nosuch.cassette cannot be read", ["replay", "nosuch.cassette", "--", "true"]),
    (USER, "the cassette nosuch.c cannot be read", ["run", "--cassette", "nosuch.c", "true"]),
    (USER, "the cassette nosuch.c cannot be read", ["serve", "--cassette", "nosuch.c", "true"]),
    (USAGE, "No such command", ["cassette", "nosuch"]),
    (USAGE, "Missing argument 'FILE'", ["cassette", "show"]),
    (USER, "the cassette nosuch cannot be read", ["cassette", "show", "nosuch"]),
    (USER, "dir cannot be read: Is a directory", ["cassette", "check", "dir"]),
    (USER, "a\\x00b' is not the name of a file", ["cassette", "show", "a\0b"]),
    (USER, "bytes.toml:1:1: not YAML", ["cassette", "check", "bytes.toml"]),
    (USER, "file:1:1: not a mapping", ["cassette", "show", "file"]),
    (USER, "empty.toml:1:1: not a mapping", ["cassette", "diff", "empty.toml", "file"]),
    (USER, "/dev/zero:1:1: longer than 32 MiB", ["cassette", "check", "/dev/zero"]),
    (USER, "/dev/zero is longer than 256 MiB", ["cassette", "convert", "/dev/zero", "x"]),
    (USER, "name another file", ["cassette", "convert", "file", "file"]),
    (USER, "file:1:1: not a mapping", ["cassette", "convert", "file", "x"]),
    (USER, "nosuch.txt cannot be read", ["ctl", "nosuch.txt"]),
    (USAGE, "Missing argument 'COMMAND...'", ["run"]),
    (USAGE, "No such option: --nosuch", ["run", "--nosuch", "true"]),
    (USAGE, "'--cpus'", ["run", "--cpus", "0", "true"]),
    (USAGE, "'--cpus'", ["run", "--cpus", "4097", "true"]),
    (USAGE, "'--cpus'", ["run", "--cpus", "many", "true"]),
    (USAGE, "'--tasks'", ["run", "--tasks", "some", "true"]),
    (USAGE, "'--uid'", ["run", "--uid", "-1", "true"]),
    (USAGE, "'--clients'", ["run", "--clients", "me", "true"]),
    (USAGE, "'--speed'", ["run", "--speed", "fast", "true"]),
    (USER, "--speed takes 0 to 1000000", ["run", "--speed", "nan", "true"]),
    (USER, "--speed takes 0 to 1000000", ["run", "--speed", "0", "true"]),
    (USER, "Linux 99.9 is not known; nearest: ", ["run", "--release", "99.9", "true"]),
    (USER, "is not the name of a kernel release", ["run", "--release", "new", "true"]),
    (USER, "--release is empty", ["run", "--release", "", "true"]),
    (USER, "unknown architecture 'pdp11'; known are", ["run", "--arch", "pdp11", "true"]),
    (USER, "cannot read its messages", ["run", "--arch", "s390x", "true"]),
    (USER, "it has taskstats", ["run", "--config", "foo=1", "true"]),
    (USER, "not of the form key=value", ["run", "--config", "nr_cpus", "true"]),
    (USER, "nr_cpus is a number", ["run", "--config", "nr_cpus=x", "true"]),
    (USER, "between 1 and 8192", ["run", "--config", f"nr_cpus={10**30}", "true"]),
    (USER, "does not run on 8 CPUs", ["run", "--cpus", "8", "--config", "nr_cpus=4", "true"]),
    (USER, "nosuch cannot be read: No such file", ["run", "--scenario", "nosuch", "true"]),
    (USER, "dir cannot be read: Is a directory", ["run", "--scenario", "dir", "true"]),
    (USER, "bytes.toml is not text in UTF-8", ["run", "--scenario", "bytes.toml", "true"]),
    (USER, "file:1:5: ", ["run", "--scenario", "file", "true"]),
    (USER, "/dev/zero is longer than 4 MiB", ["run", "--scenario", "/dev/zero", "true"]),
    (USER, "dir cannot be written: Is a dir", ["run", "--journal", "dir", "true"]),
    (USER, "no/j cannot be written: No such", ["run", "--journal", "no/j", "true"]),
    (USER, "--fault: there is no fault 'burn'; there are", ["run", "--fault", "burn", "true"]),
    (USER, "no server can be reached at nosuch", ["run", "--connect", "nosuch", "true"]),
    (USER, "no server can be reached at dir", ["run", "--connect", "dir", "true"]),
    (USER, "AF_UNIX path too long", ["run", "--connect", LONG, "true"]),
    (USER, "--cpus cannot be used with", ["run", "--connect", "x", "--cpus", "2", "true"]),
    (USER, "themselves, not both", ["run", "--uid", "1", "--clients", "themselves", "true"]),
    (USAGE, "Missing option '--socket'", ["serve"]),
    (USER, "chmod 700 it, or name one that is not there", ["serve", "--socket", "nl"]),
    (USER, "file is not a directory", ["serve", "--socket", "file/nl"]),
    (USER, "there is no directory no to make no/such in", ["serve", "--socket", "no/such/nl"]),
    (USER, f"at most 107 bytes, {LONG} has 200", ["serve", "--socket", LONG]),
    (USER, "--tasks host needs real time",
     ["serve", "--socket", "private/nl", "--virtual-time", "--tasks", "host"]),
    (USER, "private/nl exists and is not a socket",
     ["serve", "--socket", "private/nl", "--journal", "private/nl"]),
    (USER, "nosuch is neither a file nor hex", ["decode", "nosuch"]),
    (USER, "dir cannot be read: Is a directory", ["decode", "dir"]),
    (USER, "is neither a file nor hex", ["decode", "a\0b"]),
    (USER, "line 1 is not hex: 'text'", ["decode", "file"]),
    (USER, "takes NAME=ID, or a spec, not 'x'", ["decode", "--family", "x", "empty.toml"]),
    (USER, "n.yaml cannot be read", ["decode", "--family", "n.yaml=3", "empty.toml"]),
    (USER, "o.yml cannot be read", ["decode", "--family", "o.yml", "empty.toml"]),
    (USER, "no server at nosuch: No such file", ["decode", "--socket", "nosuch"]),
    (USER, "line 1 is not a journal's: KeyError('time')", ["decode", "journal.jsonl"]),
    (USER, "line 1 is not a journal's: KeyError('time')", ["decode", "--html", "journal.jsonl"]),
    (USER, "takes neither --json nor --socket", ["decode", "--html", "--json", "file"]),
    (USER, "no server at nosuch: No such file", ["watch", "nosuch"]),
    (USER, "no server at dir: Connection refused", ["watch", "--socket", "dir"]),
    (USER, "write -- before a command: netlink-emu watch -- ls -l", ["watch", "ls", "-l"]),
    (USER, "write -- before a command: netlink-emu watch -- ls", ["watch", "ls"]),
    (USER, "there is no command after --", ["watch", "--"]),
    (USER, "--release needs a kernel", ["watch", "--release", "5.10", "private/nl"]),
    (USER, "--output is for the view alone", ["watch", "--output", "x", "--", "true"]),
    (USER, "--stay needs --socket PATH", ["run", "--stay", "true"]),
    (USER, "cannot be used with --connect", ["run", "--connect", "x", "--socket", "y", "true"]),
    (USER, "there is no directory no to make no/such in",
     ["run", "--socket", "no/such/nl", "true"]),
    (USAGE, "No such command", ["tasks", "nosuch"]),
    (USER, "no server at dir: Connection refused", ["tasks", "list", "--socket", "dir"]),
    (USER, "AF_UNIX path too long", ["tasks", "list", "--socket", LONG]),
    (USER, "there is no signal ²", ["tasks", "kill", "1", "-s", "²", "--socket", "x"]),
    (USER, "there is no signal FOO", ["tasks", "kill", "1", "-s", "FOO", "--socket", "x"]),
    (USER, "there is no policy 'x'; there are", ["tasks", "spawn", "c", "--policy", "x"]),
    (USER, "there is no state 'x'; there are", ["tasks", "set", "1", "--state", "x"]),
    (USAGE, "'PID'", ["tasks", "exit", "0"]),
    (USAGE, "'PID'", ["tasks", "exit", "one"]),
    (USAGE, "'SECONDS'", ["tasks", "advance", "nan"]),
    (USER, "time cannot advance by", ["tasks", "advance", "inf"]),
    (USER, "there is no fault 'x'; there are", ["faults", "kinds", "x"]),
    (USER, "--timeout takes at most", ["journal", "wait", "--timeout", "inf"]),
    (USER, "not both", ["journal", "wait", "--cpu", "1", "cmd=x"]),
    (USER, "cannot reach nosuch: No such file", ["conformance", "--target", "nosuch"]),
    (USER, "cannot reach dir: Connection refused", ["conformance", "--target", "dir"]),
    (USER, "nosuch is not a folder", ["conformance", "--vectors", "nosuch"]),
    (USER, "there are no transcripts (*.json) in dir", ["conformance", "--vectors", "dir"]),
    (USAGE, "--release", ["conformance", "--release", "99"]),
    (USAGE, "-k", ["conformance", "-k", "and and"]),
    (USER, "no case matches 'zzz'", ["conformance", "-k", "zzz"]),
    (USER, "cannot write no/x: No such file", ["conformance", "-k", "autobind", "--html", "no/x"]),
    (USER, "cannot write dir: Is a dir", ["conformance", "-k", "autobind", "--junit-xml", "dir"]),
    (USER, "cannot read nosuch", ["conformance", "record", "nosuch"]),
    (USER, "is not the name of a kernel", ["releases", "show", "foo"]),
    (USER, "Linux 99.99 is not known", ["releases", "show", "99.99"]),
    (USAGE, "Missing argument 'B'", ["releases", "diff", "5.10"]),
    (USER, "unknown architecture 'foo'", ["releases", "--arch", "foo"]),
    (USER, "there is no file 'x'; there are netlink_emu.h", ["files", "x"]),
    (USAGE, "'foo' is not one of", ["completion", "foo"]),
    (USAGE, "unexpected extra argument", ["doctor", "more"]),
]  # fmt: skip


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("expected", "said", "args"), WRONG, ids=[" ".join(args)[:50] for *_, args in WRONG]
)
def test_one_sentence_and_the_documented_status(
    expected: int,
    said: str,
    args: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    check(*call(args, monkeypatch, capsys), expected, said)


def test_every_command_is_in_the_table() -> None:
    assert {args[0] for *_, args in WRONG} >= set(root.COMMANDS)


# --- what a kernel that is controlled says no to

AMOUNT: Final = "it is counted from 0 on, in 64 bits"
REFUSED: Final = [
    ("utime is 'abc', which is not a number", ["tasks", "spawn", "x", "utime=abc"]),
    (AMOUNT, ["tasks", "spawn", "x", "utime=nan"]),
    (AMOUNT, ["tasks", "spawn", "x", "utime=inf"]),
    (AMOUNT, ["tasks", "spawn", "x", "utime=-1"]),
    (AMOUNT, ["tasks", "charge", "1", "min_flt=1e300"]),
    ("'foo' is not an amount: write NAME=NUMBER", ["tasks", "spawn", "x", "foo"]),
    ("CPU 99 is not possible", ["tasks", "spawn", "x", "--cpu", "99"]),
    ("has 32 bits", ["tasks", "spawn", "x", "--cpu", str(1 << 32)]),
    ("has 32 bits", ["tasks", "spawn", "x", "--uid", str(1 << 32)]),
    ("has 32 bits", ["tasks", "exit", str((1 << 32) + 1)]),
    ("has 32 bits", ["tasks", "kill", "1", "-s", str(1 << 40)]),
    ("has 32 bits", ["tasks", "storm", str(1 << 40)]),
    ("a storm has at most 1000000 processes", ["tasks", "storm", str(1 << 31)]),
    ("there is no task 9999", ["tasks", "spawn", "x", "--parent", "9999"]),
    ("there is no task 9999", ["tasks", "exit", "9999"]),
    ("there is no signal 77", ["tasks", "kill", "1", "-s", "77"]),
    ("is not a zombie", ["tasks", "reap", "1"]),
    ("there is no rule 9", ["faults", "remove", "9"]),
    ("there is no fault 'burn'", ["faults", "add", "burn"]),
    ("there is no fault", ["faults", "add", "\udcff"]),
    ("'foo' is not a criterion", ["journal", "show", "foo=bar"]),
    ("CPU 9 is not possible", ["journal", "wait", "--cpu", "9"]),
    ("has 32 bits", ["journal", "show", "--since", str(1 << 70)]),
]


@pytest.fixture(scope="module")
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", cpus=4, control=True) as kernel:
        yield kernel


@pytest.mark.parametrize(("said", "args"), REFUSED, ids=[" ".join(a)[:50] for _, a in REFUSED])
def test_what_the_kernel_refuses_is_said(
    said: str,
    args: list[str],
    kernel: EmulatedKernel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NETLINK_EMU_SOCKET", str(kernel.path))
    check(*call(args, monkeypatch, capsys), USER, said)


@pytest.mark.usefixtures("place")
def test_a_server_without_control_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with EmulatedKernel("6.18") as kernel:
        args = ["tasks", "list", "--socket", str(kernel.path)]
        check(*call(args, monkeypatch, capsys), USER, "was not started with --control")


# --- scenarios

SCENARIOS: Final = [
    ("1:8: Invalid value", "cpus = = 4\n"),
    ("1:1: cpus: must be between 1 and 4096, found 0", "cpus = 0\n"),
    ("2:1: cpu: unknown key; known are", "\ncpu = 4\n"),
    ("2:1: task[0]: the key 'comm' is missing", "\n[[task]]\npid = 7\n"),
    ("4:1: task[1].pid: must be between 2 and", '[[task]]\ncomm="a"\n[[task]]\npid=1\ncomm="b"\n'),
    ("4:17: task[0].timeline[1].run: must be a number, found 'x'",
     '[[task]]\ncomm = "a"\ntimeline = [{at = 0, run = 1},\n    { at = 2.0, run = "x" }]\n'),
    ("4:5: task[0].timeline[1]: at 2 s the task is still busy with the step before, until 5 s",
     '[[task]]\ncomm = "a"\ntimeline = [{at = 0, run = 5}, # } ] "\n    { at = 2, exit = 0 }]\n'),
    ('5:4: task[0].thread[0].nice: must be between -20 and 19, found 20',
     '[[task]]\ncomm = """a\n"""\n[[task.thread]]\n   nice = 20\ncomm = \'b\'\n'),
    ("1:1: release: Linux 9.9 is not known", 'release = "9.9"\n'),
    ("1:1: arch: unknown architecture 'pdp11'", "arch = 'pdp11'\n"),
    ("3:1: config.nr_cpus: nr_cpus is between 1 and 8192", "\n[config]\nnr_cpus = 0\n"),
    ("2:2: a: unknown key; known are arch", "\n [ a.b.'c' ]\n"),
    ("1:1: a: unknown key; known are arch", "a.b.c = 1\na.b.d = 2\n"),
    ("1:12: config.foo: a kernel has no 'foo'", "config = { 'foo' = 0 }\n"),
    ("2:1: task[0].times: must be between 1 and 1000000000, found 1000000000000",
     '[[task]]\ntimes = 1_000_000_000_000\nevery = 1\ncomm = "a"\n'),
    ("2:1: task[0].every: must be more than 0 seconds",
     '[[task]]\nevery = 1e-10\ncomm = "a"\n'),
    (" a key has more than 32 parts", ".".join("a" * 3000) + " = 1\n"),
    (" a key has more than 32 parts", " \n[" + " . ".join(["'a'"] * 33) + "]\n"),
    (" tables or arrays stand too deep in one another", "a = " + "[" * 100_000 + "\n"),
    (" a number is too long", "a = " + "9" * 10_000 + "\n"),
    (" is longer than 4 MiB", "# " + "x" * (4 << 20)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "text"),
    SCENARIOS,
    ids=[f"{said} {text[:2].encode().hex()}" for said, text in SCENARIOS],
)
def test_a_scenarios_mistake_has_its_line_and_column(
    said: str,
    text: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (place / "s.toml").write_text(text)
    said_at_the_end: list[tuple[int, str]] = []

    def run() -> None:
        said_at_the_end.append(call(["run", "--scenario", "s.toml", "true"], monkeypatch, capsys))

    assert lines_run_by(run) < 1_000_000, "nothing is done so often as the file says"
    ((status, err),) = said_at_the_end
    between = "" if said.startswith(" is") else ":"
    check(status, err, USER, f"s.toml{between}{said}")
    assert len(err) < 1000


# --- a home that is missing, a working directory that is gone


@pytest.mark.usefixtures("place")
def test_without_a_home_or_a_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HOME")
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    check(*call(["decode", "x"], monkeypatch, capsys), USER, "x is neither a file nor hex")
    args = ["serve", "--socket", "a/nl"]
    check(*call(args, monkeypatch, capsys), USER, "there is no directory . to make a in")
