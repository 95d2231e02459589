"""Unmodified clients: recorded on this kernel, they are replayed to nobody and print the same."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from helpers import recorded
from helpers.building import go_program, libmnl_program
from helpers.interposed import needs_interposer
from helpers.nets import SECONDS

from netlink_emu.cassettes import Answer, Request

pytestmark = [pytest.mark.slow, needs_interposer, pytest.mark.xdist_group("recorded")]
needs_kernel = pytest.mark.skipif(
    not recorded.may_record(), reason="needs root, iproute2 and network namespaces"
)
PYTHON: Final = "/usr/bin/python3"
PYROUTE2: Final = Path("/usr/lib/python3/dist-packages/pyroute2")
CASSETTES: Final = Path(__file__).parents[1] / "data" / "cassettes"

# Two recordings of these are equal but for the numbers of the run.
STEADY: Final = (
    "ip link", "ip -json addr", "ip -6 addr", "ip route", "ip route get 127.0.0.1",
    "ip route show table all", "ip neigh", "ip rule", "ip netconf", "ip nexthop", "ip addrlabel",
    "ip netns list-id", "ip mptcp endpoint", "ip mptcp limits", "ip tcp_metrics",
    "ip xfrm state", "ip xfrm policy", "ip link show dev nosuch",
    "ip link add x type nosuchtype", "ip addr add 192.0.2.1/24 dev v0", "ip token",
    "bridge link", "bridge fdb", "tc qdisc", "tc filter show dev v0", "ss -tln", "ss -uan",
    "nft list ruleset", "conntrack -L", "ethtool lo", "ethtool v0", "ethtool -k lo",
    "ethtool -c v0", "ethtool -g v0", "ethtool -a v0", "ethtool -l v0", "ethtool -T v0",
    "ethtool --show-eee v0", "ethtool --show-fec v0", "genl ctrl list", "genl-ctrl-list",
    "devlink dev", "iw dev", "wg show",
    "python3 links_asyncio.py", f"{PYTHON} links_pyroute2.py",
)  # fmt: skip
# Counters and times differ from run to run, or the order in which two threads ask.
UNSTEADY: Final = (
    "ip -s link", "ip ntable", "tc -s qdisc", "conntrack -S", f"{PYTHON} links_ndb.py",
)  # fmt: skip


def words(command: str) -> list[str]:
    """A command, or the test is skipped."""
    found = shlex.split(command)
    if shutil.which(found[0]) is None:
        pytest.skip(f"needs {found[0]}")
    if found[0] == PYTHON and not PYROUTE2.exists():
        pytest.skip("needs python3-pyroute2")
    return found


@needs_kernel
@pytest.mark.parametrize("command", STEADY)
def test_recorded_twice_and_replayed(command: str, tmp_path: Path) -> None:
    argv = words(command)
    first, second = tmp_path / "1.cassette", tmp_path / "2.cassette"
    plain = recorded.run(argv)
    assert recorded.record(first, argv) == plain
    assert recorded.record(second, argv) == plain
    one, two = recorded.read(first), recorded.read(second)
    assert recorded.exchange(one, Request) == recorded.exchange(two, Request)
    assert any(map(len, recorded.exchange(one)))
    for file in (first, second):
        assert recorded.replay(file, argv) == plain


@needs_kernel
@pytest.mark.parametrize("command", UNSTEADY)
def test_recorded_and_replayed(command: str, tmp_path: Path) -> None:
    each_as_recorded(words(command), tmp_path)


def each_as_recorded(argv: Sequence[str | Path], tmp_path: Path) -> None:
    """What a client prints is of the moment; a replay prints it again."""
    for file in (tmp_path / "1.cassette", tmp_path / "2.cassette"):
        done = recorded.record(file, argv)
        assert done[0] == 0
        assert recorded.replay(file, argv) == done


@needs_kernel
def test_getdelays(tools: Path, tmp_path: Path) -> None:
    each_as_recorded([tools / "getdelays", "-d", "-i", "-q", "-p", "1"], tmp_path)


def same(argv: Sequence[str | Path], tmp_path: Path) -> None:
    plain = recorded.run(argv)
    assert plain[0] == 0, plain
    for file in (tmp_path / "1.cassette", tmp_path / "2.cassette"):
        assert recorded.record(file, argv) == plain
        assert recorded.replay(file, argv) == plain


@needs_kernel
def test_a_static_go_program(tmp_path: Path) -> None:
    package = "github.com/vishvananda/netlink"
    same([go_program(recorded.PROGRAMS / "links.go", tmp_path, package)], tmp_path)


@needs_kernel
def test_libmnl(tmp_path: Path) -> None:
    same([libmnl_program(recorded.PROGRAMS / "links.c", tmp_path)], tmp_path)


@needs_kernel
def test_trio(tmp_path: Path) -> None:
    same([recorded.NETLINK_EMU[0], "links_trio.py"], tmp_path)


# Ends when the last message of the last change was heard.
CHANGES: Final = """
"$@" & monitor=$!
until awk '$2 == 0 && $4 != "00000000"' /proc/net/netlink | grep -q .; do :; done
ip addr add 192.0.2.7/32 dev lo && ip route add 198.51.100.0/24 dev v0 &&
    ip link set v0 mtu 1400 && ip link del v0 && ip addr add 192.0.2.8/32 dev lo
until grep -q "local 192.0.2.8 " "$OUT"; do :; done
kill -TERM $monitor
wait $monitor
"""
MONITOR: Final = ("ip", "monitor", "link", "address", "route")


def record_news(file: Path, out: Path) -> str:
    """What ip monitor prints of changes in a network namespace of its own, and a cassette."""
    command = [
        "sh", "-c", f'OUT={out}; exec >"$OUT"; {CHANGES}', "sh",
        *recorded.NETLINK_EMU, "record", "-o", str(file), "--", *MONITOR,
    ]  # fmt: skip
    assert recorded.run(command)[0] == 128 + signal.SIGTERM
    return out.read_text()


def replay_news(file: Path, expected: str) -> None:
    """What it heard comes at once when it listens again, and then it waits for more."""
    become = recorded.NOBODY if os.geteuid() == 0 else ()
    with subprocess.Popen(
        [*become, *recorded.NETLINK_EMU, "replay", "--patience", "0", file, "--", *MONITOR],
        stdout=subprocess.PIPE,
        text=True,
    ) as playing:
        assert playing.stdout is not None
        again = "".join(playing.stdout.readline() for _ in expected.splitlines())
        playing.terminate()
        assert playing.wait(SECONDS) == -signal.SIGTERM
        assert again == expected


@needs_kernel
def test_news_of_a_monitor(tmp_path: Path) -> None:
    for name in "12":
        file = tmp_path / f"{name}.cassette"
        heard = record_news(file, tmp_path / "out")
        assert "mtu 1400" in heard
        assert any(
            isinstance(event, Answer) and event.group
            for stream in recorded.read(file).streams
            for event in stream.events
        )
        replay_news(file, heard)


# --- kept cassettes, replayed everywhere

KEPT: Final = {
    "ip-addr": "ip -json addr",
    "ip-rule": "ip rule",
    "ip-nosuch": "ip link show dev nosuch",
    "ip-mptcp": "ip mptcp limits",
    "ethtool-k": "ethtool -k lo",
    "genl-ctrl": "genl ctrl list",
    "asyncio": "python3 links_asyncio.py",
}


@pytest.mark.parametrize("name", KEPT)
def test_what_was_recorded_once(name: str, tmp_path: Path) -> None:
    """With the client's release that was recorded; and recorded again where that can be."""
    argv = words(KEPT[name])
    _need_version(name, argv[0])
    file = CASSETTES / f"{name}.cassette"
    status, out, err = recorded.replay(file, argv)
    expected = (CASSETTES / f"{name}.out").read_text()
    assert f"status {status}\n{out}{err}" == expected
    if recorded.may_record():
        again = tmp_path / "x"
        recorded.record(again, argv)
        assert recorded.exchange(recorded.read(again), Request) == recorded.exchange(
            recorded.read(file), Request
        )


def test_news_that_were_recorded_once(tmp_path: Path) -> None:
    words("ip")
    _need_version("ip-monitor", "ip")
    expected = (CASSETTES / "ip-monitor.out").read_text()
    replay_news(CASSETTES / "ip-monitor.cassette", expected)
    if recorded.may_record():
        again = record_news(tmp_path / "x", tmp_path / "out")
        assert _addresses(again) == _addresses(expected)


def _addresses(heard: str) -> list[str]:
    """Those of addresses: when a link without its peer is said to be down is its own affair."""
    return [line for line in heard.splitlines() if "192.0.2." in line]


def _need_version(name: str, program: str) -> None:
    version = (CASSETTES / f"{name}.version").read_text()
    here = _version(program)
    if version != here:
        pytest.skip(f"recorded with {version.strip()}, here is {here.strip()}")


def _version(program: str) -> str:
    """What the client says of itself; any Python asks alike."""
    if program.startswith("python"):
        return "any\n"
    option = {"ip": "-V", "genl": "-V"}.get(program, "--version")
    done = subprocess.run([program, option], capture_output=True, text=True, check=False)
    return done.stdout or done.stderr
