"""A recording over a spec: the kernel's GETFAMILY and GETPOLICY, and the spec's names."""

from __future__ import annotations

import json
from errno import EINVAL
from pathlib import Path
from typing import Any

import pytest
from helpers.kernel import make_bench

from netlink_emu.documents import DocumentError
from netlink_emu.families.own import Family
from netlink_emu.kernel.releases import profile_for
from netlink_emu.protocol.family import talk
from netlink_emu.protocol.netlink import NLM_F_DUMP, nlmsg_walk
from netlink_emu.specs import read_spec_file

DATA = Path(__file__).parents[1] / "data"
FILE = DATA / "genl-6.18.json"
SPECS = DATA / "specs" / "7.3"
RECORDING: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
NLCTRL = read_spec_file(SPECS / "nlctrl.yaml").declaration


def told(datagrams: list[bytes], name: str) -> list[Any]:
    """What nlctrl said, in its words, without the numbers that a boot gives out."""
    op = NLCTRL.operation(name)
    found = []
    for datagram in datagrams:
        for start, header in nlmsg_walk(datagram):
            if header.nlmsg_type == 16:
                values = talk.answer(op, datagram[start : start + header.nlmsg_len])
                values.pop("family-id", None)
                for group in values.get("mcast-groups", []):
                    group.pop("id")
                found.append(values)
    return found


@pytest.mark.parametrize("name", ["ethtool", "mptcp_pm", "netdev", "tcp_metrics"])
def test_a_client_sees_the_recorded_kernel(name: str) -> None:
    (recorded,) = (family for family in RECORDING["families"] if family["name"] == name)
    bench = make_bench(profile_for(RECORDING["kernel"], arch=RECORDING["arch"]))
    family = Family.from_spec(SPECS / f"{name}.yaml", recording=FILE)
    family.attach(bench.kernel)
    for key, op, flags in (
        ("getfamily", "getfamily", 0),
        ("getpolicy_dump", "getpolicy", NLM_F_DUMP),
    ):
        request = talk.request(
            NLCTRL, NLCTRL.operation(op), {"family-name": name}, family=16, dump=bool(flags)
        )
        sock = bench.sock(0)
        sock.sendmsg(bench.current, request, addr=bench.address(0))
        found = []
        while sock.receive_queue:
            found.append(sock.recvmsg(1 << 16).data)
        expected = told([bytes.fromhex(text) for text in recorded[key]], op)
        assert expected
        assert told(found, op) == expected


def test_the_specs_names_stay() -> None:
    family = Family.from_spec(
        SPECS / "tcp_metrics.yaml",
        recording=FILE,
        state={"tcp_metrics": {"addr-ipv4": "10.0.0.1"}},
    )
    assert [op.name for op in family.declaration.operations] == ["get", "del"]
    assert family.store.kinds["tcp_metrics"].keys[0] == ("addr-ipv4",)


def test_what_a_kernel_does_not_describe_is_as_in_the_spec() -> None:
    """GETPOLICY passes over numbers in network byte order, and the kernel takes them."""
    bench = make_bench(profile_for(RECORDING["kernel"], arch=RECORDING["arch"]))
    family = Family.from_spec(SPECS / "mptcp_pm.yaml", recording=FILE)
    family.attach(bench.kernel)
    op = family.declaration.operation("get-addr")
    for payload, errno in ((bytes(4), 0), (bytes(2), EINVAL)):
        request = talk.request(
            family.declaration, op, {"addr": {3: payload}}, family=family.genl.id, dump=True
        )
        (answer,) = bench.ask(bench.sock(0), request)
        assert -int.from_bytes(answer[16:20], "little", signed=True) == errno


@pytest.mark.parametrize(
    ("name", "cmd", "strict"),
    [
        ("wireguard", 0, False),  # there since 5.6
        ("ethtool", 34, False),  # ETHTOOL_MSG_MODULE_GET, of 5.17
        ("ethtool", 36, True),  # ETHTOOL_MSG_PSE_GET, of 6.1
        ("netdev", 1, True),  # of 6.3
    ],
)
def test_headers_are_as_strict_as_a_command_is_new(name: str, cmd: int, strict: bool) -> None:
    bench = make_bench(profile_for("6.18", arch="x86_64"))
    family = Family.from_spec(SPECS / f"{name}.yaml")
    family.attach(bench.kernel)
    dump = NLM_F_DUMP if name == "wireguard" else 0
    request = bytearray(bench.request(family.genl.id, cmd, flags=dump))
    request[18] = 1  # genlmsghdr.reserved
    sock = bench.sock(0)
    sock.setsockopt(bench.current, 270, 11, b"\1\0\0\0")
    said = b"".join(bench.ask(sock, bytes(request)))
    assert (b"genlmsghdr.reserved field is not 0" in said) == strict


def test_a_command_that_the_spec_does_not_know_is_there(tmp_path: Path) -> None:
    text = (SPECS / "tcp_metrics.yaml").read_text()
    less = tmp_path / "less.yaml"
    less.write_text(text[: text.index("      name: del\n") - 8])
    family = Family.from_spec(less, recording=FILE)
    assert [op.name for op in family.declaration.operations] == ["get", "command-2"]


def test_a_state_file_names_its_recording(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"recording": "kernel.json"}')
    (tmp_path / "kernel.json").write_text(FILE.read_text())
    family = Family.from_spec(SPECS / "netdev.yaml", state=tmp_path / "state.json")
    names = {op.name for op in family.declaration.operations}
    assert "bind-rx" in names
    assert "queue-create" not in names, "of 7.3"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "kernel.json:1:1: not JSON"),
        ("3", "has no family netdev"),
        ('{"families": []}', "has no family netdev"),
        ('{"families": [{"name": "netdev"}]}', "getfamily of a recording are datagrams in hex"),
        (
            '{"families": [{"name": "netdev", "getfamily": ["x"], "getpolicy_dump": []}]}',
            "non-hexadecimal",
        ),
        (
            '{"families": [{"name": "netdev", "getfamily": [], "getpolicy_dump": []}]}',
            "no CTRL_CMD_NEWFAMILY",
        ),
    ],
)
def test_what_is_no_recording(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "kernel.json"
    file.write_text(text)
    with pytest.raises(DocumentError, match=said):
        Family.from_spec(SPECS / "netdev.yaml", recording=file)
    state = tmp_path / "state.yaml"
    state.write_text("recording: 3\n")
    with pytest.raises(DocumentError, match=r"state.yaml:1:12: recording is the name of a file"):
        Family.from_spec(SPECS / "netdev.yaml", state=state)
