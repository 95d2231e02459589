"""The examples of --help and of the manual: plain command lines."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "run": (
        "netlink-emu run -- genl ctrl get name TASKSTATS",
        "netlink-emu run --release 2.6.35 --cpus 64 -- ./my-monitor",
        "netlink-emu run --tasks none --scenario exits.toml -- ./my-monitor",
        "netlink-emu run --family wireguard.yaml:tunnels.toml -- wg show wg0",
        "netlink-emu run --journal exchange.pcapng -- make check",
        'netlink-emu run --fault "errno error=EPERM cmd=TASKSTATS_CMD_GET" -- ./my-monitor',
    ),
    "record": (
        "netlink-emu record -o links.cassette -- ip link",
        "netlink-emu record --protocol generic --redact nl80211.52 -- ./my-client",
        "netlink-emu record -o all.cassette --append -- ethtool eth0",
    ),
    "replay": (
        "netlink-emu replay links.cassette -- ip link",
        "netlink-emu replay --strict --ignore 3 links.cassette -- ./my-client",
    ),
    "cassette": (
        "netlink-emu cassette show links.cassette",
        "netlink-emu cassette check tests/cassettes/*.cassette",
        "netlink-emu cassette diff --ignore IFLA_STATS64 old.cassette new.cassette",
        "netlink-emu cassette convert links.cassette links.pcapng",
    ),
    "serve": (
        "netlink-emu serve --socket ./sandbox/nl --release 5.10 --cpus 8",
        "netlink-emu serve --socket ./sandbox/nl --control --virtual-time",
        "netlink-emu serve --release 5.10 -- make check",
        "netlink-emu serve --socket ./sandbox/nl --wait 10",
    ),
    "watch": (
        "netlink-emu watch -- ./my-monitor",
        "netlink-emu watch ./sandbox/nl",
        "netlink-emu watch --release 5.10 --output monitor.log -- ./my-monitor -v",
    ),
    "decode": (
        "netlink-emu decode exchange.pcapng",
        "netlink-emu decode --html exchange.jsonl > exchange.html",
        "netlink-emu decode 1c0000001f00010001000000000000000101000008000100c8000000",
        "netlink-emu decode 5.10.jsonl --diff 6.1.jsonl --html > difference.html",
        "netlink-emu decode --json --family X=34 exchange.hex",
        "netlink-emu decode --family wireguard.yaml exchange.pcapng",
        "netlink-emu decode --socket ./sandbox/nl",
    ),
    "tasks": (
        "netlink-emu tasks spawn postgres --pid 4242 --cpu 2 utime=1.5 blkio_delay=0.3",
        "netlink-emu tasks exit 4242 --code 3",
        "netlink-emu tasks list --socket ./sandbox/nl",
    ),
    "tasks spawn": (
        "netlink-emu tasks spawn postgres --pid 4242 --cpu 2 utime=1.5 blkio_delay=0.3",
        "netlink-emu tasks spawn worker --thread-of 4242",
    ),
    "tasks charge": ("netlink-emu tasks charge 4242 utime=0.5 blkio_delay=0.3 read_bytes=4096",),
    "tasks set": ("netlink-emu tasks set 4242 --cpu 3 --state uninterruptible",),
    "tasks kill": ("netlink-emu tasks kill 4242 --signal SIGSEGV --core",),
    "tasks storm": ("netlink-emu tasks storm 1000 --cpu 0 --comm cc1",),
    "faults": (
        "netlink-emu faults add drop cmd=TASKSTATS_CMD_GET count=2",
        "netlink-emu faults list",
    ),
    "faults add": (
        "netlink-emu faults add drop cmd=TASKSTATS_CMD_GET count=2",
        "netlink-emu faults add delay seconds=0.5 kind=event TASKSTATS_TYPE_PID=4242",
        "netlink-emu faults add errno error=ENOMEM cmd=TASKSTATS_CMD_GET count=always",
    ),
    "journal": (
        "netlink-emu journal show cmd=TASKSTATS_CMD_GET",
        "netlink-emu journal follow --socket ./sandbox/nl",
    ),
    "journal show": ("netlink-emu journal show cmd=TASKSTATS_CMD_GET errno=ESRCH",),
    "journal wait": (
        "netlink-emu journal wait --cpu 2",
        "netlink-emu journal wait cmd=TASKSTATS_CMD_GET TASKSTATS_CMD_ATTR_PID=4242",
    ),
    "ctl": (
        "netlink-emu ctl commands.txt",
        "netlink-emu ctl - --socket ./sandbox/nl",
    ),
    "family": (
        "netlink-emu family show wireguard.yaml",
        "netlink-emu family check *.yaml",
        "netlink-emu family call netdev.yaml dev-get '{\"ifindex\": 1}'",
        "netlink-emu family record netdev -o netdev.json",
    ),
    "family objects": ("netlink-emu family objects lamps lamp --socket ./sandbox/nl",),
    "family add": ('netlink-emu family add lamps lamp \'{"id": 1, "level": 3}\'',),
    "family change": ('netlink-emu family change lamps lamp \'{"id": 1, "level": 4}\'',),
    "family remove": ("netlink-emu family remove lamps lamp '{\"id\": 1}'",),
    "family notify": ("netlink-emu family notify lamps lamp-ntf '{\"id\": 1}'",),
    "family reply": ("netlink-emu family reply lamps lamp-get '{\"id\": 7}' --times 1",),
    "family fail": (
        "netlink-emu family fail lamps lamp-set EBUSY --message 'it is hot' --attr level",
    ),
    "family show": ("netlink-emu family show ethtool.yaml rings-get",),
    "family check": ("netlink-emu family check --json *.yaml",),
    "family call": (
        "netlink-emu family call netdev.yaml dev-get --dump",
        "netlink-emu family call lamps.yaml lamp-set '{\"id\": 1}' --socket ./sandbox/nl",
    ),
    "family dissector": ("netlink-emu family dissector wireguard.yaml > wireguard.lua",),
    "family record": ("netlink-emu family record netdev -o netdev.json",),
    "conformance": (
        "netlink-emu conformance",
        "netlink-emu conformance --target kernel --junit-xml report.xml",
        "netlink-emu conformance -k 'events and not exec' --html report.html",
    ),
    "releases": (
        "netlink-emu releases",
        "netlink-emu releases show 6.1.192",
        "netlink-emu releases diff 5.10 6.1",
    ),
    "files": (
        "netlink-emu files",
        "netlink-emu files netlink_emu.h",
    ),
    "completion": (
        "netlink-emu completion bash > ~/.local/share/bash-completion/completions/netlink-emu",
    ),
}


def epilog(name: str) -> str | None:
    """What follows the options in the help of that command."""
    if name not in EXAMPLES:
        return None
    # Click does not wrap a paragraph that begins with a backspace.
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in EXAMPLES[name])])
