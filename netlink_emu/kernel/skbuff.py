"""Socket buffers: a datagram on its way, and what it costs: net/core/skbuff.c.

What a datagram is charged to a receive buffer, and so how many fit, follows from the sizes of two
structs, the machine's cache line, and how the kernel's allocator rounds up. The structs' sizes
are those of common configurations: docs/limits.md says which of all this was seen on a machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.profile import MAX_HEADERS, MinBuffers, Profile

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current

# pid, as the sender's pid namespace numbers it; global uid and gid (before 3.7: the sender's).
Creds = tuple[int, int, int]

# sizeof(struct sk_buff) and sizeof(struct skb_shared_info), by the bits of a pointer.
_SK_BUFF: Final = {64: 232, 32: 184}
_SHARED_INFO: Final = {64: 320, 32: 244}
# L1_CACHE_BYTES where it is not SMP_CACHE_BYTES.
_L1_CACHE_BYTES: Final = {"sparc64": 32}
# NET_SKB_PAD where it is not max(32, L1_CACHE_BYTES), machines whose NET_IP_ALIGN is 0, not 2.
_SKB_PAD: Final = {"s390x": 32}
_NO_IP_ALIGN: Final = frozenset({"x86_64", "i386", "aarch64", "ppc", "ppc64", "ppc64le"})
# The emulated machine's memory is small: no datagram is longer (ENOBUFS), and all receive buffers
# together are forced beyond net.core.rmem_max by no more than this. docs/security.md says why.
MAX_DATAGRAM: Final = 16 << 20
MAX_FORCED: Final = 256 << 20


def _align(size: int, line: int) -> int:
    return -(-size // line) * line


class SkbSizes:
    """What datagrams cost on a kernel and its machine, in bytes.

    ``sk_buff`` and ``shared_info`` are the two structs, each rounded up to whole cache lines as
    SKB_DATA_ALIGN() does; ``small_head`` is SKB_SMALL_HEAD_CACHE_SIZE, 0 where there is none
    (before 6.3). ``goodsize`` is NLMSG_GOODSIZE, the room in a buffer of one page (8 KiB at
    most); ``max_dump`` how large a dump's datagram grows with the reader's buffer.
    """

    def __init__(self, profile: Profile) -> None:
        arch = profile.arch
        self._profile: Final = profile
        self.line: Final = arch.smp_cache_bytes
        self.sk_buff: Final = _align(_SK_BUFF[arch.bits], self.line)
        self.shared_info: Final = _align(_SHARED_INFO[arch.bits], self.line)
        self.small_head: Final = self._small_head(profile) if profile.skb_small_head else 0
        self.page_size: Final = arch.page_size
        self.goodsize: Final = min(arch.page_size, 8192) - self.shared_info
        self.max_dump: Final = 32768 - self.shared_info if profile.dumps_of_32k else 16384
        self.min_rcvbuf, self.min_sndbuf = self._min_buffers(profile.min_buffers, arch.bits)
        # Asked for every datagram, and of few sizes.
        self.alloc_truesize: Final = lru_cache(maxsize=1024)(self._alloc_truesize)
        self.large_truesize: Final = lru_cache(maxsize=1024)(self._large_truesize)
        self.trimmed_truesize: Final = lru_cache(maxsize=1024)(self._trimmed_truesize)

    def _min_buffers(self, rule: MinBuffers, bits: int) -> tuple[int, int]:
        """SOCK_MIN_RCVBUF and SOCK_MIN_SNDBUF."""
        match rule:
            case MinBuffers.FIXED:
                return 256, 2048
            case MinBuffers.RECEIVER:
                return 2048 + _SK_BUFF[bits], 2048
            case MinBuffers.BOTH:
                return 2048 + self.sk_buff, 2 * (2048 + self.sk_buff)

    def _small_head(self, profile: Profile) -> int:
        """SKB_SMALL_HEAD_CACHE_SIZE: never a power of two, to tell it from kmalloc's sizes."""
        arch, max_header = profile.arch, profile.config.max_header
        line = _L1_CACHE_BYTES.get(arch.name, arch.smp_cache_bytes)
        room = _align(128 + max_header, line)  # MAX_TCP_HEADER
        if profile.skb_small_head_fits_gro:
            pad = _SKB_PAD.get(arch.name, max(32, line))
            ip_align = 0 if arch.name in _NO_IP_ALIGN else 2
            room = max(room, max_header + 128 + pad + ip_align)  # GRO_MAX_HEAD_PAD
        size = self._head_align(room)
        return size + line if size.bit_count() == 1 else size

    def _head_align(self, size: int) -> int:
        """SKB_HEAD_ALIGN()."""
        return _align(size, self.line) + self.shared_info

    def _head_size(self, size: int) -> int:
        """The allocation behind a buffer with room for ``size`` bytes: kmalloc_reserve()."""
        needed = self._head_align(size)
        if needed <= self.small_head:
            return self.small_head
        return 1 << (needed - 1).bit_length()

    def _alloc_truesize(self, size: int) -> int:
        """What alloc_skb(size) charges to a receive buffer."""
        if not self._profile.truesize_whole:
            return _align(size, self.line) + _SK_BUFF[self._profile.arch.bits]
        return self._head_size(size) + self.sk_buff

    def _large_truesize(self, size: int) -> int:
        """What netlink_alloc_large_skb(size) charges: of more than a page, nothing is rounded."""
        needed = self._head_align(size)
        if needed <= self.page_size or not self._profile.large_sends_exact:
            return self.alloc_truesize(size)
        return needed + self.sk_buff

    def _trimmed_truesize(self, allocated: int, used: int) -> int:
        """After netlink_trim(): a buffer that is mostly empty is made smaller."""
        truesize = self.alloc_truesize(allocated)
        unused = allocated + self.spare_room(allocated) - used
        if unused * 2 < truesize:
            return truesize
        return self.alloc_truesize(used) if self._profile.trimmed_anew else truesize - unused

    def spare_room(self, size: int) -> int:
        """The bytes that a buffer with room for ``size`` has beyond: its skb_tailroom() less."""
        if not self._profile.truesize_whole:  # nor used
            return _align(size, self.line) - size
        return self._head_size(size) - self.shared_info - size


@lru_cache(maxsize=64)
def skb_sizes(profile: Profile) -> SkbSizes:
    """The sizes of a profile; they are computed once."""
    return SkbSizes(profile)


def max_header_for(profile: Profile, truesize: int) -> int | None:
    """The least MAX_HEADER with which a datagram of a few bytes costs ``truesize``.

    None where none does, and where it does not depend on it: there is no small head before 6.3.
    """
    if not profile.skb_small_head:
        return None
    for max_header in MAX_HEADERS:
        config = replace(profile.config, max_header=max_header)
        if skb_sizes(replace(profile, config=config)).alloc_truesize(1) == truesize:
            return max_header
    return None


@dataclass(slots=True)
class SkBuff:
    """One datagram. ``creds`` are the sender's; zeros for the kernel.

    ``dst_set`` is NETLINK_SKB_DST: the sender named the destination in sendto() or sendmsg().
    """

    data: bytes
    truesize: int
    portid: int = 0
    dst_group: int = 0
    creds: Creds = (0, 0, 0)
    sk: NetlinkSock | None = None
    current: Current | None = None
    dst_set: bool = False
