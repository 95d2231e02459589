"""The nursery as a program; see :mod:`.nursery`."""

from __future__ import annotations

import contextlib
import os
import sys

from .channel import Channel
from .nursery import main

if __name__ == "__main__":
    # Transcripts have ac_nice 0, and tests of values below that. Who lowers it has used a
    # privilege, which shows (ASU), but not in the drivers that are forked from here. Without
    # CAP_SYS_NICE it stays what nice(1) has given to the runner, and is expected so.
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    main(Channel(int(sys.argv[1]), int(sys.argv[2])))
