"""Names and numbers of rtnetlink's attributes, and of other types, are those of the headers."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.describe import AttrSet
from netlink_emu.protocol.reading.raw import raw_type
from netlink_emu.protocol.reading.rtnetlink import SETS

HEADERS = Path("/usr/include/linux")
ENUM = re.compile(r"enum\s*\w*\s*\{(.*?)\}", re.DOTALL)
NOISE = re.compile(r"/\*.*?\*/|//[^\n]*|^\s*#.*?$", re.DOTALL | re.MULTILINE)
# Attributes that each header had from the first on that we look at.
LEAST = {"IFLA_": 50, "RTA_": 25, "FRA_": 20, "NDA_": 14, "IFA_": 10, "NHA_": 13, "TCA_": 14}


RTNETLINK = (
    "if_link", "if_addr", "rtnetlink", "neighbour", "fib_rules", "nexthop", "netconf",
    "net_namespace", "if_addrlabel",
)  # fmt: skip


def _number(value: str) -> int:
    """A number; far from all of ours for an expression."""
    return int(value, 0) if re.fullmatch(r"-?(0x[0-9a-fA-F]+|[1-9]\d*|0)", value) else -1000


def enumerators(*headers: str) -> dict[str, int]:
    """All that headers of this machine number."""
    found: dict[str, int] = {}
    for header in headers:
        text = NOISE.sub("", (HEADERS / f"{header}.h").read_text())
        for body in ENUM.findall(text):
            number = 0
            for word in filter(None, map(str.strip, body.split(","))):
                name, _, value = (part.strip() for part in word.partition("="))
                if value:
                    number = found[value] if value in found else _number(value)
                found[name] = number
                number += 1
    return found


def described(attrs: AttrSet) -> dict[str, int]:
    """Those of a set and of its nests."""
    found = {desc.name: number for number, desc in attrs.items()}
    for desc in attrs.values():
        found |= described(desc.attrs)
    return found


@pytest.mark.skipif(not (HEADERS / "if_link.h").exists(), reason="needs linux-libc-dev")
@pytest.mark.parametrize("what", SETS)
def test_each_number_is_that_of_the_header(what: str) -> None:
    theirs = enumerators(*RTNETLINK)
    ours = described(SETS[what])
    both = ours.keys() & theirs.keys()
    assert {name: ours[name] for name in both} == {name: theirs[name] for name in both}
    prefix = next(iter(ours)).partition("_")[0] + "_"
    assert len(both) >= min(LEAST.get(prefix, 0), len(ours))
    # What a distribution's headers do not have yet are the last ones.
    numbers = {desc.name: number for number, desc in SETS[what].items()}
    known = [number for name, number in numbers.items() if name in theirs]
    assert all(number > max(known) for name, number in numbers.items() if name not in theirs)


@pytest.mark.skipif(not (HEADERS / "xfrm.h").exists(), reason="needs linux-libc-dev")
@pytest.mark.parametrize(
    ("protocol", "header", "prefix", "base"),
    [
        (6, "xfrm", "XFRM_MSG_", 0),
        (12, "netfilter/nf_tables", "NFT_MSG_", 10 * 256),
        (12, "netfilter/nfnetlink_conntrack", "IPCTNL_MSG_CT_", 256),
        (12, "netfilter/nfnetlink_conntrack", "IPCTNL_MSG_EXP_", 512),
    ],
)
def test_each_type_is_that_of_the_header(
    protocol: int, header: str, prefix: str, base: int
) -> None:
    named = {
        name: number
        for name, number in enumerators(header).items()
        if name.startswith(prefix) and not name.endswith(("_MAX", "_BASE"))
    }
    assert len(named) > 3
    for name, number in named.items():
        assert raw_type(protocol, base + number).name == name


def attributes(kind: int, data: bytes) -> list[tuple[str, object]]:
    found = Decoder(HOST_ORDER).attributes(data, raw_type(0, kind).attrs)
    return [(attr.label, attr.value) for attr in found]


def test_values_are_read_by_their_kinds() -> None:
    put = struct.pack
    data = put("=HH4s", 7, 3, b"lo\0") + put("=HHI", 8, 4, 1500) + put("=HHI", 8, 1, 7)
    assert attributes(16, data) == [
        ("IFLA_IFNAME", "lo"),
        ("IFLA_MTU", 1500),
        ("IFLA_ADDRESS", put("=I", 7)),
    ]
    nest = put("=HHHH8s", 16, 18, 9, 1, b"veth\0")
    [(name, inside)] = attributes(16, nest)
    assert name == "IFLA_LINKINFO"
    assert isinstance(inside, tuple)
    assert [(attr.name, attr.value) for attr in inside] == [("IFLA_INFO_KIND", "veth")]


def test_what_is_not_as_it_should_be_stays_bytes() -> None:
    put = struct.pack
    data = put("=HHHxx", 6, 4, 7) + put("=HHI", 8, 999, 7) + put("=HHI", 8, 18, 7)
    assert attributes(16, data) == [
        ("IFLA_MTU", put("=H", 7)),
        ("999", put("=I", 7)),
        ("IFLA_LINKINFO", put("=I", 7)),
    ]
    assert attributes(99, data)[0] == ("4", put("=H", 7))
