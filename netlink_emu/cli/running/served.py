"""Options of ``run`` that let others than the command reach its kernel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.output.loudness import remark
from netlink_emu.cli.usage.declare import Option

ServedOption = Annotated[
    Path | None,
    Option(
        "--socket", metavar="PATH",
        help="Also serve the kernel at this socket: with --control, for netlink-emu watch, tasks, "
        "faults and journal.",
    ),
]  # fmt: skip
StayOption = Annotated[
    bool,
    Option(
        "--stay",
        help="With --socket: when the command has ended, keep its kernel until SIGTERM, SIGHUP or "
        "Ctrl-C.",
    ),
]


def check_place(path: Path | None, *, stay: bool) -> None:
    """Raise UserError for a path that cannot be served at, before the command begins."""
    if path is None:
        if stay:
            raise UserError("--stay needs --socket PATH")
        return
    from netlink_emu.server.endpoint import bound_socket
    from netlink_emu.server.errors import ServerError

    try:
        with bound_socket(path):
            pass
    except ServerError as exc:
        raise UserError(str(exc)) from None


async def stay_until_signal(wait_status: int) -> None:
    """When the command has ended: say so, and keep its kernel."""
    import trio

    code = os.waitstatus_to_exitcode(wait_status)
    status = code if code >= 0 else 128 - code
    remark(f"the command has ended with status {status}; its kernel stays")
    await trio.sleep_forever()
