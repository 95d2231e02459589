"""``netlink-emu conformance --cassette``: this machine's kernel answers as it did, or how not."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from helpers import recorded
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.nets import SECONDS

pytestmark = [
    pytest.mark.real_kernel,
    needs_interposer,
    pytest.mark.skipif(
        not recorded.may_record(), reason="needs root, iproute2 and network namespaces"
    ),
]


def conformance(file: Path, *options: str | Path, inside: bool = True) -> recorded.Ended:
    command = [*NETLINK_EMU, "conformance", "--target", "kernel", "--cassette", file, *options]
    return recorded.run(command, inside=inside)


@pytest.mark.parametrize("client", ["ip rule", "genl ctrl list", "ip link show dev nosuch"])
def test_the_same_kernel_answers_the_same(client: str, tmp_path: Path) -> None:
    file = tmp_path / "x.cassette"
    recorded.record(file, client.split())
    status, out, err = conformance(file)
    assert (status, err) == (0, "")
    assert " 0 failed" in out
    assert "0 passed" not in out.splitlines()[-1]


def test_another_machine_answers_otherwise(tmp_path: Path) -> None:
    """Without the links of the recording; all that is told goes into a cassette, too."""
    file, heard = tmp_path / "x.cassette", tmp_path / "heard.cassette"
    recorded.record(file, ["ip", "link"])
    status, out, _ = conformance(file, "--record", heard, "--json", inside=False)
    results = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert "failed" in {result["verdict"] for result in results}
    said = [mismatch["text"] for result in results for mismatch in result["mismatches"]]
    assert any("RTM_NEWLINK" in text for text in said)
    assert len(recorded.read(heard).streams) == len(recorded.read(file).streams)


def test_what_would_change_the_machine_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "x.cassette"
    recorded.record(file, ["ip", "link", "set", "v0", "mtu", "1300"])
    made = 'ip -json link show dev v0; exec "$@"'
    status, out, _ = recorded.run(
        ["sh", "-c", f"{made}; {made.partition(';')[0]}", "sh", *NETLINK_EMU, "conformance",
         "--target", "kernel", "--cassette", file],
    )  # fmt: skip
    assert status in (0, 1)
    assert "it sends route RTM_NEWLINK, which no cassette may on a real machine" in out
    assert '"mtu":1500' in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--cassette", "x.cassette"), "a cassette is compared with a real kernel"),
        (
            ("--target", "kernel", "--cassette", "x.cassette", "--release", "5.10"),
            "--cassette goes with none of",
        ),
        (("--ignore", "IFLA_MTU"), "--ignore and --record go with --cassette"),
        (("--target", "kernel", "--cassette", "nosuch"), "nosuch cannot be read"),
    ],
)
def test_mistakes(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "x.cassette").write_text("netlink-emu-cassette: 1\n")
    done = subprocess.run(
        [*NETLINK_EMU, "conformance", *options],
        capture_output=True, text=True, timeout=SECONDS, check=False, cwd=tmp_path,
        env=os.environ,
    )  # fmt: skip
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
