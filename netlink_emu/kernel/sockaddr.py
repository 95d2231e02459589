"""struct sockaddr_nl as each release and processor reads and writes it."""

from __future__ import annotations

from errno import EINVAL
from typing import Final

from netlink_emu.kernel.profile import Profile
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import AF_NETLINK, SOCKADDR_NL

SOCKADDR_STORAGE: Final = 128  # sizeof(struct sockaddr_storage)
# Where a shift of 32 bits looks at five bits of its distance.
SHIFTS_MODULO_32: Final = frozenset(
    {"x86_64", "um", "i386", "aarch64", "riscv64", "loongarch64", "sparc64"}
    | {"mips", "mipsel", "mips64", "mips64el"}
)


def check_addrlen(addr: bytes) -> None:
    """move_addr_to_kernel(): no address of bind, connect or sendto is longer than 128 bytes."""
    if len(addr) > SOCKADDR_STORAGE:
        raise NetlinkError(EINVAL)


def read_sockaddr(profile: Profile, addr: bytes, *, checked: bool) -> tuple[int, int]:
    """(nl_pid, nl_groups); EINVAL for a short address or one of another family.

    An unchecked short address is read with zeros behind it: older kernels read what the
    stack held.
    """
    if len(addr) < SOCKADDR_NL.size:
        if checked or len(addr) < 2:
            raise NetlinkError(EINVAL)
        addr += bytes(SOCKADDR_NL.size - len(addr))
    family, _pad, pid, groups = SOCKADDR_NL[profile.arch.order].unpack_from(addr)
    if family != AF_NETLINK:
        raise NetlinkError(EINVAL)
    return pid, groups


def write_sockaddr(profile: Profile, pid: int, groups: int) -> bytes:
    """The 12 bytes of an address; ``groups`` is a mask."""
    return SOCKADDR_NL[profile.arch.order].pack(AF_NETLINK, 0, pid, groups)


def group_mask(profile: Profile, group: int) -> int:
    """netlink_group_mask(): the bit of a group in nl_groups, which has 32."""
    # Before the check a 1 was shifted too far, and what that gives is the processor's.
    bounded = profile.group_mask_bounded or profile.arch.name not in SHIFTS_MODULO_32
    if not group or (group > 32 and bounded):
        return 0
    return 1 << (group - 1) % 32


def ffs(mask: int) -> int:
    """The number of the lowest bit that is set, from 1; 0 for none."""
    return (mask & -mask).bit_length()
