"""The package for Go tests: what it starts, and how it tells what goes wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.interposed import what_is_missing
from helpers.nets import SECONDS

from netlink_emu.files import path_of

TEST = """
package client

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/client/netlinkemu"
)

func TestTasks(t *testing.T) {
	kernel := netlinkemu.Start(t, "--tasks", "none")
	if pid := kernel.Spawn("it's $HOME", "--pid", "4242", "utime=1.5"); pid != 4242 {
		t.Error(pid)
	}
	if tasks := kernel.Rows("tasks", "list"); len(tasks) != 2 || tasks[1]["comm"] != "it's $HOME" {
		t.Error(tasks)
	}
	_, err := kernel.Try("tasks", "exit", "77")
	var refused *netlinkemu.Error
	if !errors.As(err, &refused) || refused.Errno != "ESRCH" {
		t.Error(err)
	}
	_, err = kernel.Try("tasks\\nreset")
	if err == nil || !strings.Contains(err.Error(), "one line") {
		t.Error(err)
	}
	if _, err := kernel.Try("nosuch"); !errors.As(err, &refused) || refused.Errno != "" {
		t.Error(err)
	}
	if result := kernel.Do("tasks", "exit", "4242"); result != nil {
		t.Error(result)
	}
}

func TestAProgram(t *testing.T) {
	kernel := netlinkemu.Start(t, "--tasks", "none")
	out, err := kernel.Command("netlink-emu", "tasks", "spawn", "x").CombinedOutput()
	if err != nil || len(kernel.Rows("tasks", "list")) != 2 {
		t.Errorf("%s, %v", out, err)
	}
}

const lamp = `
name: lamp
attribute-sets:
  - name: lamp
    attributes: [{name: id, type: u32}, {name: level, type: u8}]
operations:
  list:
    - name: lamp-get
      attribute-set: lamp
      do: {request: {attributes: [id]}, reply: {attributes: [id, level]}}
`

func TestAFamily(t *testing.T) {
	spec := filepath.Join(t.TempDir(), "lamp.yaml")
	if err := os.WriteFile(spec, []byte(lamp), 0o600); err != nil {
		t.Fatal(err)
	}
	kernel := netlinkemu.Start(t, "--family", spec)
	kernel.Do("family", "add", "lamp", "lamp", `{"id": 1, "level": 3}`)
	kernel.Do("family", "change", "lamp", "lamp", `{"id": 1, "level": 4}`)
	if lamps := kernel.Rows("family", "objects", "lamp", "lamp"); len(lamps) != 1 ||
		lamps[0]["level"] != 4.0 {
		t.Error(lamps)
	}
	_, err := kernel.Try("family", "remove", "lamp", "lamp", `{"id": 2}`)
	var refused *netlinkemu.Error
	if !errors.As(err, &refused) || refused.Errno != "ENOENT" {
		t.Error(err)
	}
	kernel.Do("family", "fail", "lamp", "lamp-get", "EBUSY", "--message=it's hot", "--times=1")
	call := func() string {
		ask := kernel.Command("netlink-emu", "family", "call", spec, "lamp-get", `{"id": 1}`)
		out, _ := ask.CombinedOutput()
		return string(out)
	}
	if out := call(); !strings.Contains(out, "lamp-get: EBUSY: it's hot") {
		t.Error(out)
	}
	if out := call(); strings.TrimSpace(out) != `{"id": 1, "level": 4}` {
		t.Error(out)
	}
}

func TestThatCannotStart(t *testing.T) {
	netlinkemu.Start(t, "--release", "99.9")
}

func TestWhoseCommandFails(t *testing.T) {
	kernel := netlinkemu.Start(t)
	kernel.Do("tasks", "exit", "99999999")
}
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("go") is None:
        pytest.skip("needs golang-go")
    directory = tmp_path_factory.mktemp("go")
    (directory / "netlinkemu").mkdir()
    shutil.copy(path_of("netlinkemu.go"), directory / "netlinkemu")
    (directory / "go.mod").write_text("module example.com/client\n\ngo 1.18\n")
    (directory / "client_test.go").write_text(TEST)
    return directory


def go(module: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Go, without a network, with the netlink-emu of this environment."""
    here = str(Path(sys.executable).parent)
    env = os.environ | {
        "GOCACHE": str(module / "cache"),
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "PATH": f"{here}:{os.environ['PATH']}",
    }
    return subprocess.run(
        ["go", *args], cwd=module, env=env, capture_output=True, text=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip


def test_it_is_as_go_wants_it(module: Path) -> None:
    done = subprocess.run(
        ["gofmt", "-l", module / "netlinkemu"], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
    vetted = go(module, "vet", "./...")
    assert (vetted.returncode, vetted.stderr) == (0, "")


def test_tasks(module: Path) -> None:
    done = go(module, "test", "-run", "TestTasks")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(bool(what_is_missing()), reason="no interposer here")
def test_a_program(module: Path) -> None:
    done = go(module, "test", "-run", "TestAProgram")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(bool(what_is_missing()), reason="no interposer here")
def test_a_family(module: Path) -> None:
    done = go(module, "test", "-run", "TestAFamily")
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_goes_wrong_fails_the_test(module: Path) -> None:
    done = go(module, "test", "-run", "TestThatCannotStart|TestWhoseCommandFails")
    assert done.returncode == 1
    assert "--- FAIL: TestThatCannotStart" in done.stdout
    assert "Linux 99.9 is not known" in done.stdout
    assert "--- FAIL: TestWhoseCommandFails" in done.stdout
    assert "tasks exit 99999999: there is no task 99999999" in done.stdout
    assert "client_test.go:" in done.stdout
