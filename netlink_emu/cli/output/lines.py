"""What commands print: whatever a client or a file chose comes out escaped."""

from __future__ import annotations

import json
from typing import Any

from netlink_emu.protocol.reading.printable import printable, printable_json


def tell(line: str) -> None:
    """Print one line."""
    print(printable(line))


def tell_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    print(printable_json(json.dumps(value, ensure_ascii=False)))
