"""A command on a machine that withholds system calls, as a container's profile does.

    python withheld.py NAME=ERRNO[,NAME=ERRNO...] COMMAND...

NAME is a system call's name, or one of ``PARTS``: what an older kernel refuses.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import Final

from netlink_emu.interpose import libc
from netlink_emu.interpose.abi import native
from netlink_emu.interpose.filter.bpf_filter import (
    NR,
    SECCOMP_RET_ALLOW,
    SECCOMP_RET_ERRNO,
    Assembler,
    Instruction,
)
from netlink_emu.interpose.filter.seccomp import (
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
    SECCOMP_IOCTL_NOTIF_SET_FLAGS,
    SECCOMP_SET_MODE_FILTER,
    encode_program,
)

# A call's number, an argument's, and the bits in it that are refused, or the value that is.
_SECCOMP: Final = native().numbers["seccomp"]
PARTS: Final = {
    "wait_killable": (_SECCOMP, 1, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, None),
    "pidfd_thread": (native().numbers["pidfd_open"], 1, os.O_EXCL, None),
    "synchronous": (native().numbers["ioctl"], 1, None, SECCOMP_IOCTL_NOTIF_SET_FLAGS),
}
# By machine, where our own table has no use for them.
_OTHERS: Final = {
    "x86_64": {
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "clone": 56,
        "vfork": 58,
        "clone3": 435,
    },
    "aarch64": {
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "clone": 220,
        "clone3": 435,
    },
}


def build(withheld: dict[str, int]) -> list[Instruction]:
    """The filter: each of ``withheld`` fails with its errno."""
    numbers = dict(native().numbers) | _OTHERS[native().machine]
    asm = Assembler()
    for name, error in withheld.items():
        asm.load(NR)
        if name in PARTS:
            nr, argument, bits, value = PARTS[name]
            asm.equal(nr, None, f"not {name}")
            asm.load(16 + 8 * argument)
            if value is None:
                assert bits is not None
                asm.any_bit(bits, None, f"not {name}")
            else:
                asm.equal(value, None, f"not {name}")
        else:
            asm.equal(numbers[name], None, f"not {name}")
        asm.give(SECCOMP_RET_ERRNO | error)
        asm.label(f"not {name}")
    asm.give(SECCOMP_RET_ALLOW)
    return asm.assemble()


def withhold(withheld: dict[str, int]) -> None:
    """For this thread and all that it starts, for good."""
    program = build(withheld)
    code = ctypes.create_string_buffer(encode_program(program))
    # struct sock_fprog { unsigned short len; struct sock_filter *filter; };
    fields = struct.pack("@HP", len(program), ctypes.addressof(code))
    fprog = ctypes.create_string_buffer(fields, len(fields))
    if os.geteuid():
        libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    seccomp = libc.system_call("seccomp", 3)
    if seccomp(SECCOMP_SET_MODE_FILTER, 0, ctypes.addressof(fprog)):
        raise libc.last_error("seccomp")


def main() -> None:
    spec, *command = sys.argv[1:]
    pairs = (item.split("=") for item in spec.split(","))
    withhold({name: getattr(errno, number) for name, number in pairs})
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
