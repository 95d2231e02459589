"""What does not stop at the filter: low descriptors, other ABIs, io_uring."""

from __future__ import annotations

import platform
import re

import pytest
from helpers.interposed import Compile, needs_interposer, run_supervised

pytestmark = needs_interposer

PAST = """\
low: 33
send: 28
poll: 1
recv: 1
recv at the high number: EAGAIN
sendto: 28
recvfrom: 1
{address}
write: 28
poll the high number: 1
read at the high number: 1
nothing is left below: EAGAIN
taken 10 11 12 13 14 15
dump: 20
dump ended: 1
asked above, read below: 1000
"""

ABIS = """\
i386 socket: EAFNOSUPPORT
i386 socket of another protocol: ok
i386 socket of another family: ok
socketcall: EAFNOSUPPORT
socketcall of another protocol: ok
socketcall, bad pointer: EFAULT
i386 io_uring_setup: ENOSYS
x32 socket: EAFNOSUPPORT
x32 io_uring_setup: ENOSYS
io_uring_setup: ENOSYS
"""


def test_a_socket_at_a_low_number_works(program: Compile) -> None:
    result = run_supervised([program("past")])
    # Whoever else runs emulators here may have taken all names that read so.
    address = re.search(r"length 12, pid 0, groups 0|length 8, .*", result.stdout)
    assert address is not None
    assert result.stdout == PAST.format(address=address[0])
    assert result.summary.past_us == 4


@pytest.mark.skipif(platform.machine() != "x86_64", reason="has no i386")
def test_other_abis_and_io_uring_fail(program: Compile) -> None:
    result = run_supervised([program("abis")])
    if "no i386" in result.stdout:
        pytest.skip("this kernel does not run i386 calls")
    assert result.stdout == ABIS
    assert result.summary.foreign == 3


def test_io_uring_can_be_allowed(program: Compile) -> None:
    result = run_supervised([program("abis")], allow_io_uring=True)
    last = result.stdout.splitlines()[-1]
    assert last in ("io_uring_setup: ok", "io_uring_setup: ENOSYS", "io_uring_setup: EPERM")
    alone = run_supervised([program("abis")])
    assert alone.stdout.splitlines()[-1] == "io_uring_setup: ENOSYS"
