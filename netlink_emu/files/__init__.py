"""Files that clients and other tools use; ``netlink-emu files`` prints where they are.

``FILES`` says what each is for, :func:`path_of` where it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

FILES: Final = {
    "netlink_emu.h": "NETLINK_EMU for C: its commands and attributes",
    "netlink_emu.lua": "A Lua dissector for Wireshark and tshark",
    "netlink_emu.yaml": "NETLINK_EMU as a spec in the kernel's format",
    "netlinkemu.go": "A package for Go tests: starts a kernel, makes tasks, reads the journal",
    "nlctrl.yaml": "nlctrl, the controller of generic netlink, as a spec",
    "taskstats.yaml": "TASKSTATS with CGROUPSTATS as a spec",
}
_FOLDER: Final = Path(__file__).parent


def path_of(name: str) -> Path:
    """The path of one of ``FILES``; raises LookupError for another name."""
    if name not in FILES:
        raise LookupError(f"there is no file {name!r}; there are {', '.join(FILES)}")
    return _FOLDER / name
