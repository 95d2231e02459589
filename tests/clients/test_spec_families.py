"""Clients of other families, unmodified and without root: their families are made of specs.

Where the real kernel has the family, its answers are the same, in a network namespace of its own.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Final

import pytest
from helpers.sides import SEARCHED, Side

SPECS: Final = Path(__file__).parents[1] / "data" / "specs" / "7.3"
KEYS: Final = ("aGVsbG8ta2V5LWhlbGxvLWtleS1oZWxsby1rZXkteHg=", "b" * 42 + "A=")


def shell(side: Side, script: str, spec: str, state: Path | None = None) -> str:
    """What a script prints, errors and all."""
    text = f"exec 2>&1\n{script}"
    for tool in ("ip", "wg", "ethtool", "devlink", "iw"):
        if f"{tool} " in script and shutil.which(tool, path=SEARCHED) is None:
            pytest.skip(f"{tool} is not installed")
    if not side.emulated:
        return side.run("unshare", "-n", "sh", "-c", text).stdout
    family = str(SPECS / f"{spec}.yaml") + ("" if state is None else f":{state}")
    return side.run("sh", "-c", text, options=["--family", family]).stdout


def written(place: Path, state: dict[str, Any]) -> Path:
    file = place / "state.json"
    file.write_text(json.dumps(state))
    return file


# --- ip mptcp, ip tcp_metrics: on both sides

MPTCP = """
ip mptcp endpoint delete id 9
ip mptcp endpoint show id 9
ip mptcp endpoint change id 9 backup
ip mptcp limits set subflow 9
ip mptcp endpoint add 10.0.0.1 id 3 subflow
ip mptcp endpoint add 10.0.0.1 id 4
ip mptcp endpoint add 10.0.0.2 id 3
ip mptcp endpoint change id 3 backup; ip mptcp endpoint
ip mptcp endpoint change id 3 nobackup; ip mptcp endpoint
ip mptcp endpoint add 10.0.0.9 dev lo signal
ip mptcp endpoint add fd00::7 id 20 fullmesh subflow
ip mptcp endpoint show
ip mptcp endpoint delete id 3; ip mptcp endpoint show id 4
ip mptcp limits; ip mptcp limits set subflow 4 add_addr_accepted 1; ip mptcp limits
for last in 1 2 3 4 5 6 7; do ip mptcp endpoint add 10.0.1.$last; done
ip mptcp endpoint flush; ip mptcp endpoint
echo done
"""
SAID = """\
Error: address not found.
Error: address not found.
Error: address not found.
Error: limit greater than maximum (8).
Error: too many addresses or duplicate one: -17.
Error: too many addresses or duplicate one: -16.
10.0.0.1 id 3 subflow backup
10.0.0.1 id 3 subflow
10.0.0.1 id 3 subflow
10.0.0.9 id 4 signal dev lo
fd00::7 id 20 subflow fullmesh
10.0.0.9 id 4 signal dev lo
add_addr_accepted 0 subflows 2
add_addr_accepted 1 subflows 4
Error: too many addresses or duplicate one: -34.
done
"""


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_ip_mptcp(side: Side) -> None:
    assert lines(shell(side, MPTCP, "mptcp_pm")) == lines(SAID)


# Ids go on at the highest one that there was since the last flush, and then from 1 on.
IDS = """
show() { ip mptcp endpoint | tr '\\n' ';'; echo; }
for last in 1 2 3; do ip mptcp endpoint add 10.0.0.$last; done
ip mptcp endpoint delete id 3; ip mptcp endpoint delete id 2
ip mptcp endpoint add 10.0.0.4; show
ip mptcp endpoint add 10.0.0.5 id 2; ip mptcp endpoint add 10.0.0.6; show
ip mptcp endpoint add 10.0.0.7 id 255; ip mptcp endpoint add 10.0.0.8; show
ip mptcp endpoint flush; ip mptcp endpoint add 10.0.0.1; show
ip mptcp endpoint add 10.0.0.1 id 1
ip mptcp endpoint delete id 0 10.0.0.9
ip mptcp endpoint add 10.0.0.2 id 9; ip mptcp endpoint delete id 9
ip mptcp endpoint add 10.0.0.3; show
"""
NUMBERED = """\
10.0.0.1 id 1 ;10.0.0.4 id 3 ;
10.0.0.1 id 1 ;10.0.0.5 id 2 ;10.0.0.4 id 3 ;10.0.0.6 id 4 ;
10.0.0.1 id 1 ;10.0.0.5 id 2 ;10.0.0.4 id 3 ;10.0.0.6 id 4 ;10.0.0.8 id 5 ;10.0.0.7 id 255 ;
10.0.0.1 id 1 ;
Error: too many addresses or duplicate one: -16.
10.0.0.1 id 1 ;10.0.0.3 id 9 ;
"""


def test_ids_of_mptcp_endpoints(side: Side) -> None:
    assert lines(shell(side, IDS, "mptcp_pm")) == lines(NUMBERED)


def test_ip_tcp_metrics_of_nobody(side: Side) -> None:
    script = """
    ip tcp_metrics show 192.0.2.99
    ip tcp_metrics delete 192.0.2.99
    ip tcp_metrics flush
    ip tcp_metrics; echo done
    """
    said = ["RTNETLINK answers: No such process"] * 2
    assert lines(shell(side, script, "tcp_metrics")) == [*said, "done"]


def test_ip_tcp_metrics(emulated: Side, tmp_path: Path) -> None:
    state = {
        "tcp_metrics": [
            {"addr-ipv4": "192.0.2.9", "saddr-ipv4": "192.0.2.1", "age": 1500},
            {"addr-ipv4": "192.0.2.10", "age": 2500},
        ]
    }
    script = """
    ip tcp_metrics show 192.0.2.9
    ip tcp_metrics delete 192.0.2.9
    ip tcp_metrics
    ip tcp_metrics flush
    ip tcp_metrics; echo done
    """
    said = shell(emulated, script, "tcp_metrics", written(tmp_path, state))
    assert lines(said) == [
        "192.0.2.9 age 1.500sec source 192.0.2.1", "192.0.2.10 age 2.500sec", "done",
    ]  # fmt: skip


# --- wg


def test_wg(emulated: Side, tmp_path: Path) -> None:
    state = {"device": {"ifname": "wg0", "ifindex": 7, "listen-port": 51820}}
    script = f"""
    wg show wg0
    wg set wg0 listen-port 1234 peer {KEYS[0]} endpoint 192.0.2.1:99 \
        allowed-ips 10.0.0.0/8,fd00::/64 persistent-keepalive 5
    wg show wg0
    wg set wg0 peer {KEYS[1]} allowed-ips 10.1.0.0/16
    wg set wg0 peer {KEYS[0]} remove
    wg showconf wg0
    wg showconf wg0 >{tmp_path}/wg.conf
    wg set wg0 peer {KEYS[0]}
    wg setconf wg0 {tmp_path}/wg.conf
    wg show wg0 peers
    wg show wg1
    """
    said = shell(emulated, script, "wireguard", written(tmp_path, state))
    assert said.splitlines() == [
        "interface: wg0",
        "  listening port: 51820",
        "interface: wg0",
        "  listening port: 1234",
        "",
        f"peer: {KEYS[0]}",
        "  endpoint: 192.0.2.1:99",
        "  allowed ips: 10.0.0.0/8, fd00::/64",
        "  persistent keepalive: every 5 seconds",
        "[Interface]",
        "ListenPort = 1234",
        "",
        "[Peer]",
        f"PublicKey = {KEYS[1]}",
        "AllowedIPs = 10.1.0.0/16",
        KEYS[1],
        "Unable to access interface: No such device",
    ]


def test_wg_shows_the_public_key_of_the_private_one(emulated: Side, tmp_path: Path) -> None:
    state = {"device": {"ifname": "wg0", "ifindex": 7}}
    script = f"""
    cd {tmp_path}; umask 077
    for key in 1 2 3; do
        wg genkey >key; wg pubkey <key
        wg set wg0 private-key key; wg show wg0 public-key
    done
    wg show wg0 private-key | cmp - key
    wg set wg0 private-key /dev/null; wg show wg0 public-key
    """
    *keys, none = lines(shell(emulated, script, "wireguard", written(tmp_path, state)))
    assert len(set(keys)) == 3
    assert keys[::2] == keys[1::2]
    assert none == "(none)"


# --- ethtool

HEADER: Final = {"dev-name": "eth7", "dev-index": 7}
ETHTOOL: Final = {
    "rings": {"header": HEADER, "rx-max": 4096, "tx-max": 4096, "rx": 512, "tx": 256},
    "pause": {"header": HEADER, "autoneg": 0, "rx": 1, "tx": 0},
    "coalesce": {"header": HEADER, "rx-usecs": 30, "tx-usecs": 40},
    "channels": {"header": HEADER, "combined-max": 8, "combined-count": 4},
    "fec": {
        "header": HEADER,
        "auto": 1,
        "modes": {"nomask": True, "size": 3, "bits": {"bit": [{"index": 2, "name": "BASER"}]}},
    },
    # The names of features, of no device in particular.
    "strset": {
        "stringsets": {
            "stringset": [
                {
                    "id": 4,
                    "count": 2,
                    "strings": {
                        "string": [
                            {"index": 0, "value": "rx-checksum"},
                            {"index": 1, "value": "tx-tcp-segmentation"},
                        ]
                    },
                }
            ]
        }
    },
    "features": {
        "header": HEADER,
        "hw": {"size": 2, "value": "03000000", "mask": "03000000"},
        "wanted": {"size": 2, "value": "01000000", "nomask": True},
        "active": {"size": 2, "value": "01000000", "nomask": True},
        "nochange": {"size": 2, "value": "00000000", "nomask": True},
    },
}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("-g eth7", ["RX: 4096", "TX: 4096", "RX: 512", "TX: 256"]),
        ("-G eth7 rx 1024 && ethtool -g eth7", ["RX: 1024"]),
        ("-a eth7", ["Autonegotiate: off", "RX: on", "TX: off"]),
        ("-c eth7", ["rx-usecs: 30", "tx-usecs: 40"]),
        ("-l eth7", ["Combined: 8", "Combined: 4"]),
        ("-L eth7 combined 2 && ethtool -l eth7", ["Combined: 2"]),
        ("-k eth7", ["rx-checksumming: on", "tcp-segmentation-offload: off"]),
        ("--show-fec eth7", ["Supported/Configured FEC encodings: Auto BASER"]),
        ("-g eth8", ["netlink error: No such device"]),
    ],
)
def test_ethtool(emulated: Side, tmp_path: Path, command: str, said: list[str]) -> None:
    found = shell(emulated, f"ethtool {command}", "ethtool", written(tmp_path, ETHTOOL))
    # Columns are wider in newer versions.
    rest = (" ".join(line.split()) for line in found.splitlines())
    for line in said:
        assert line in rest, found  # in this order


def test_ethtool_monitor_is_told(emulated: Side, tmp_path: Path) -> None:
    script = """
    ethtool --monitor >seen &
    while ! [ -e seen ]; do :; done
    until grep -q RX seen; do ethtool -G eth7 rx 1024; done
    kill $!
    head -n 5 seen
    """
    found = shell(emulated, f"cd {tmp_path}\n{script}", "ethtool", written(tmp_path, ETHTOOL))
    assert "Ring parameters for eth7:" in found
    assert re.search(r"^RX:\s+4096$", found, re.MULTILINE)


# --- devlink, iw

PCI: Final = {"bus-name": "pci", "dev-name": "0000:03:00.0"}
DEVLINK: Final = {
    "devlink": PCI,
    "info": {
        **PCI,
        "info-driver-name": "lampdrv",
        "info-serial-number": "1234",
        "info-version-running": [{"info-version-name": "fw", "info-version-value": "1.2"}],
    },
    "port": [
        {**PCI, "port-index": 1, "port-type": 2, "port-flavour": "physical", "port-number": 1},
        {**PCI, "port-index": 2, "port-type": 2, "port-flavour": "physical", "port-number": 2},
    ],
}


def test_devlink(emulated: Side, tmp_path: Path) -> None:
    script = """
    devlink dev show
    devlink dev info
    devlink port show
    devlink port show pci/0000:03:00.0/2
    devlink port set pci/0000:03:00.0/2 type ib; devlink port show pci/0000:03:00.0/2
    devlink port split pci/0000:03:00.0/2 count 2
    devlink dev show pci/0000:09:00.0
    """
    found = shell(emulated, script, "devlink", written(tmp_path, DEVLINK))
    assert lines(found) == [
        "pci/0000:03:00.0",
        "pci/0000:03:00.0:",
        "  driver lampdrv",
        "  serial_number 1234",
        "  versions:",
        "      running:",
        "        fw 1.2",
        "pci/0000:03:00.0/1: type eth flavour physical port 1",
        "pci/0000:03:00.0/2: type eth flavour physical port 2",
        "pci/0000:03:00.0/2: type eth flavour physical port 2",
        "pci/0000:03:00.0/2: type ib flavour physical port 2",
        "Error: nothing answers port-split of devlink.",
        "kernel answers: Operation not supported",
        "kernel answers: No such device",
    ]


def test_iw(emulated: Side, tmp_path: Path) -> None:
    state = {
        "wiphy": {"wiphy": 0, "wiphy-name": "phy0", "max-num-scan-ssids": 4},
        "interface": {"wiphy": 0, "ifindex": 3, "ifname": "wlan0", "iftype": 2, "wdev": 1},
    }
    found = shell(emulated, "iw dev; iw phy", "nl80211", written(tmp_path, state))
    assert lines(found) == [
        "phy#0",
        "\tInterface wlan0",
        "\t\tifindex 3",
        "\t\twdev 0x1",
        "\t\ttype managed",
        "Wiphy phy0",
        "\twiphy index: 0",
        "\tmax # scan SSIDs: 4",
    ]
