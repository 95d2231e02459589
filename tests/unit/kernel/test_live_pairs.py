"""The 49 request and reply pairs that were captured on a live 6.18 kernel."""

from __future__ import annotations

import errno
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from helpers.kernel import KERNEL, Bench

from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import NetlinkSockOpt

DATA = json.loads((Path(__file__).parents[2] / "data" / "live_6.18.json").read_text())


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in DATA["cases"]])
def test_the_live_kernel_s_answer(bench: Bench, case: dict[str, Any]) -> None:
    sock = bench.sock(4242)
    for option in case["sockopts"]:
        number = NetlinkSockOpt[f"NETLINK_{option}"]
        sock.setsockopt(bench.current, 270, number, struct.pack("=i", 1))
    error = None
    try:
        sock.sendmsg(bench.current, bytes.fromhex(case["request"]), addr=KERNEL)
    except NetlinkError as failed:
        error = errno.errorcode[failed.errno]
    assert error == case["send_error"]

    replies = [datagram.hex() for datagram in bench.drain(sock)]
    assert len(replies) == len(case["replies"])
    for reply, expected in zip(replies, case["replies"], strict=True):
        if "hex" in expected:
            assert reply == expected["hex"]
        else:
            assert len(reply) == 2 * expected["len"]
            assert reply.startswith(expected["prefix"])
