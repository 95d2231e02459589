"""Unmodified clients: recorded on this kernel, they are replayed to nobody and print the same."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from helpers import recorded
from helpers.interposed import compile_c, needs_interposer
from helpers.nets import SECONDS

from netlink_emu.cassettes import Answer, Request

pytestmark = [pytest.mark.slow, needs_interposer, pytest.mark.xdist_group("recorded")]
needs_kernel = pytest.mark.skipif(
    not recorded.may_record(), reason="needs root, iproute2 and network namespaces"
)
GOPATH: Final = Path("/usr/share/gocode")
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
    assert recorded.replay(first, argv) == plain


@needs_kernel
@pytest.mark.parametrize("command", UNSTEADY)
def test_recorded_and_replayed(command: str, tmp_path: Path) -> None:
    argv = words(command)
    file = tmp_path / "1.cassette"
    done = recorded.record(file, argv)
    assert done[0] == 0
    assert recorded.replay(file, argv) == done


@pytest.fixture(scope="module")
def built() -> Iterator[Path]:
    """Where everybody may run what is built."""
    with tempfile.TemporaryDirectory(prefix="netlink-emu-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def same(argv: list[str | Path], tmp_path: Path) -> None:
    plain = recorded.run(argv)
    assert plain[0] == 0, plain
    file = tmp_path / "1.cassette"
    assert recorded.record(file, argv) == plain
    assert recorded.replay(file, argv) == plain


@needs_kernel
def test_a_static_go_program(built: Path, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("needs golang-go")
    if not (GOPATH / "src/github.com/vishvananda/netlink").exists():
        pytest.skip("needs golang-github-vishvananda-netlink-dev")
    program = built / "links-go"
    own = {
        "GO111MODULE": "off", "GOPATH": str(GOPATH), "CGO_ENABLED": "0",
        "GOCACHE": str(built / "cache"),
    }  # fmt: skip
    subprocess.run(
        ["go", "build", "-o", program, recorded.PROGRAMS / "links.go"],
        env=os.environ | own, check=True, timeout=SECONDS,
    )  # fmt: skip
    same([program], tmp_path)


@needs_kernel
def test_libmnl(built: Path, tmp_path: Path) -> None:
    if not Path("/usr/include/libmnl/libmnl.h").exists():
        pytest.skip("needs libmnl-dev")
    same([compile_c(recorded.PROGRAMS / "links.c", built, "-lmnl")], tmp_path)


@needs_kernel
def test_trio(tmp_path: Path) -> None:
    same([recorded.NETLINK_EMU[0], "links_trio.py"], tmp_path)


CHANGES: Final = """
"$@" & monitor=$!
until awk '$2 == 0 && $4 != "00000000"' /proc/net/netlink | grep -q .; do :; done
ip addr add 192.0.2.7/32 dev lo && ip route add 198.51.100.0/24 dev v0 &&
    ip link set v0 mtu 1400 && ip link del v0
until grep -q "Deleted .*: v1" "$OUT" || grep -q "Deleted .*: v0" "$OUT"; do :; done
kill -TERM $monitor
wait $monitor
"""


@needs_kernel
def test_news_of_a_monitor(tmp_path: Path) -> None:
    """ip monitor never asks; what it heard comes at once when it listens again."""
    file, out = tmp_path / "1.cassette", tmp_path / "out"
    command = [
        "sh", "-c", f'OUT={out}; exec >"$OUT"; {CHANGES}', "sh",
        *recorded.NETLINK_EMU, "record", "-o", str(file), "--", "ip", "monitor", "link",
        "address", "route",
    ]  # fmt: skip
    assert recorded.run(command)[0] == 128 + signal.SIGTERM
    heard = out.read_text()
    cassette = recorded.read(file)
    assert any(
        isinstance(event, Answer) and event.group
        for stream in cassette.streams
        for event in stream.events
    )
    become = recorded.NOBODY if os.geteuid() == 0 else ()
    with subprocess.Popen(
        [*become, *recorded.NETLINK_EMU, "replay", "--patience", "0", file, "--", *command[-5:]],
        stdout=subprocess.PIPE,
        text=True,
    ) as playing:
        assert playing.stdout is not None
        again = "".join(playing.stdout.readline() for _ in heard.splitlines())
        playing.terminate()
        assert playing.wait(SECONDS) == -signal.SIGTERM
        assert again == heard


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
    file, version = CASSETTES / f"{name}.cassette", CASSETTES / f"{name}.version"
    here = _version(argv[0])
    if version.read_text() != here:
        pytest.skip(f"recorded with {version.read_text().strip()}, here is {here.strip()}")
    status, out, err = recorded.replay(file, argv)
    expected = (CASSETTES / f"{name}.out").read_text()
    assert f"status {status}\n{out}{err}" == expected
    if recorded.may_record():
        again = tmp_path / "x"
        recorded.record(again, argv)
        assert recorded.exchange(recorded.read(again), Request) == recorded.exchange(
            recorded.read(file), Request
        )


def _version(program: str) -> str:
    """What the client says of itself; any Python asks alike."""
    if program.startswith("python"):
        return "any\n"
    option = {"ip": "-V", "genl": "-V"}.get(program, "--version")
    done = subprocess.run([program, option], capture_output=True, text=True, check=False)
    return done.stdout or done.stderr
